"""The tables of `docs/clients.md`: read, compared with what a run found, and written."""

import datetime
import fcntl
import os
import pathlib

from clients import PASS
from scenarios import SCENARIOS

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs/clients.md"
UPDATE = bool(os.environ.get("UPDATE_CLIENTS_PAGE"))
FIRST_COLUMNS = ("HTTP/2", "version", "run", "over")


def cell(outcomes):
    """One cell from the outcomes by combination, such as `{"engine": "pass", "hyper, TLS": ...}`."""
    found = set(outcomes.values())
    if len(found) == 1:
        return found.pop()
    return "; ".join(f"{outcome} ({where})" for where, outcome in outcomes.items() if outcome != PASS)


def row(name, stack, version, ci, tls, outcomes):
    """The cells of a client's row. `outcomes` is by scenario, then by combination."""
    run = "CI" if ci else datetime.date.today().isoformat()
    over = "plain, TLS" if tls else "plain"
    return [name, stack, version, run, over, *(cell(outcomes[scenario]) for scenario in SCENARIOS)]


def check(found):
    """Compares a row with the page, or writes it there."""
    name = found[0]
    if UPDATE:
        # Alone, as clients are tried in several processes.
        with PAGE.open("rb") as page:
            fcntl.flock(page, fcntl.LOCK_EX)
            rows = _rows()
            assert name in rows, f"docs/clients.md has no row for {name}: put its name there first"
            _replace(rows[name], "| " + " | ".join(found) + " |")
        return
    rows = _rows()
    assert name in rows, f"docs/clients.md has no row for {name}"
    written = _cells(rows[name])
    # Versions of packages change by themselves, and the date belongs to the row.
    judged = [0, 1, *range(1 + len(FIRST_COLUMNS) - 1, len(found))]
    assert [written[n] for n in judged] == [found[n] for n in judged]


def _rows():
    """Every line of a table, by the text of its first cell."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return {_cells(line)[0]: line for line in lines if line.startswith("| ")}


def _cells(line):
    return [each.strip() for each in line.strip().strip("|").split("|")]


def _replace(old, new):
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.replace(old + "\n", new + "\n", 1), encoding="utf-8")

"""What the pages say: the README's session works, the settings are the server's, links lead
somewhere, and lines and make targets are as they should be."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from process import DEADLINE_S, run
from web import eventually

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MOST_COLUMNS = 100

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def prose(page):
    """The page without its fenced blocks, with as many lines."""
    return re.sub(
        r"^ *```.*?^ *```$",
        lambda block: "\n" * block[0].count("\n"),
        page.read_text(encoding="utf-8"),
        flags=re.M | re.S,
    )


def anchors(page):
    """What GitHub makes of each heading: a second one of the same text is numbered."""
    found = []
    for title in re.findall(r"^#+ +(.+)$", prose(page), re.M):
        anchor = re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        same = found.count(anchor)
        found.append(f"{anchor}-{same}" if same else anchor)
    return set(found)


def test_the_session_of_the_readme_works(server, tmp_path):
    [session] = re.findall(r"^```python\n(>>> .*?)^```$", text("README.md"), re.M | re.S)
    assert "localhost:50051" in session
    file = tmp_path / "session.txt"
    file.write_text(session.replace("localhost:50051", server.grpc))
    outcome = subprocess.run(
        [sys.executable, "-m", "doctest", str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "proto")},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_the_settings_of_the_reference_are_those_of_the_help():
    documented = re.findall(r"^\| `(CACHE_\w+)` \| `?([^`|]+?)`? \|", text("docs/reference.md"), re.M)
    listed = re.findall(r"^  (CACHE_\w+)=(.*)$", run("--help").stdout, re.M)
    assert listed, "the help lists no settings"
    assert documented == listed


def test_the_runbook_tells_who_writes_from_either_form_of_the_log(start, connect, tmp_path):
    server = start(CACHE_LOG_LEVEL="DEBUG")
    cache = connect(server.grpc)
    for namespace in ("orders", "orders", "b.c-d_e"):
        cache.set("k", namespace=namespace)
    cache.set("k")
    cache.get("k", namespace="readers")
    assert eventually(lambda: server.log_text().count('"answered"') == 5), server.log_text()
    line = 'DEBUG answered request_id="1" method="cache.CacheService/MultiSet" code="OK" peer=[::1]:7 namespace="text" took=2ms\n'
    (tmp_path / "calls").write_text(server.log_text() + line)
    [pipeline] = re.findall(r"^grep -E '/\(Multi.*?head$", text("docs/operations.md"), re.M | re.S)
    counted = subprocess.run(
        ["sh", "-c", pipeline], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=DEADLINE_S
    ).stdout
    assert sorted(line.split() for line in counted.splitlines()) == [
        ["1", "127.0.0.1"], ["1", "127.0.0.1", "b.c-d_e"], ["1", "[::1]", "text"], ["2", "127.0.0.1", "orders"],
    ]


@every_page
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    links = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    relative = [link for link in links if not re.match(r"[a-z]+:", link)]
    for link in relative:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: no such file"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "other.md").write_text("# One\n\n```sh\n# not a heading\n```\n\n# One\n")
    assert anchors(tmp_path / "other.md") == {"one", "one-1"}
    page = tmp_path / "page.md"
    for broken in ("[a](gone.md)", "[a](other.md#two)", "[a](#here)", "[a](other.md#not-a-heading)"):
        page.write_text(broken)
        with pytest.raises(AssertionError):
            test_every_relative_link_leads_to_a_file_and_a_heading(page)


@every_page
def test_prose_keeps_within_its_columns(page):
    """Tables, code and links that are long by themselves may be wider."""
    lines = enumerate(prose(page).splitlines(), start=1)
    wide = [
        number
        for number, line in lines
        if len(line) > MOST_COLUMNS and not re.match(r"\||!\[|#|\S+$", line.strip())
    ]
    assert not wide


@every_page
def test_every_make_target_that_is_named_exists(page):
    targets = set(re.findall(r"^([a-z0-9-]+):", text("Makefile"), re.M)) | {"image-server", "image-loadtest", "image-cli"}
    # In code alone: `make run`, or a line of a block that begins with it.
    named = re.findall(r"(?:`|^|\w=\S+ )make ([a-z][a-z0-9-]*(?: [a-z][a-z0-9-]*)*)", page.read_text(encoding="utf-8"), re.M)
    assert {target for each in named for target in each.split()} <= targets

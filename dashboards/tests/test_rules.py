"""What can be said of rules, alerts and runbook without a server."""

import concurrent.futures
import os
import re
import subprocess
import tomllib

import pytest
import yaml

import files
from program import path

ALERTS = files.alerts()
CASES = sorted((files.PROMETHEUS / "tests").glob("*.yml"))


# Cases over days take a minute of a free core: generous, so that a busy machine fails none.
def promtool(*arguments):
    done = subprocess.run(
        [f"{path('PROMETHEUS_DIR')}/promtool", *map(str, arguments)],
        cwd=files.PROMETHEUS, capture_output=True, text=True, timeout=600,
    )
    if done.returncode:
        pytest.fail(f"promtool {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}", pytrace=False)


def test_promtool_takes_the_configuration():
    promtool("check", "config", "prometheus.yml")


def test_promtool_takes_the_rules():
    promtool("check", "rules", "--lint=all", "--lint-fatal", *sorted(files.PROMETHEUS.glob("rules/*.yml")))


@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_alerts_fire_and_stay_quiet(cases, tmp_path):
    """promtool runs the cases of a file one by one, on one core: each core gets a part of them."""
    whole = yaml.safe_load(cases.read_text())
    whole["rule_files"] = [str(cases.parent / rules) for rules in whole["rule_files"]]
    parts = [tmp_path / f"{n}.yml" for n in range(min(os.cpu_count(), len(whole["tests"])))]
    for n, part in enumerate(parts):
        part.write_text(yaml.safe_dump({**whole, "tests": whole["tests"][n :: len(parts)]}))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda part: promtool("test", "rules", part), parts))


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_case_of_either_kind(name):
    tried = [
        bool(wanted["exp_alerts"])
        for cases in CASES
        for case in yaml.safe_load(cases.read_text())["tests"]
        for wanted in case["alert_rule_test"]
        if wanted["alertname"] == name
    ]
    assert set(tried) == {True, False}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_sees_the_broken_one_of_two_deployments(name):
    """Two caches in one Prometheus, with one job's name, used to hide each other."""
    for cases in CASES:
        for case in yaml.safe_load(cases.read_text())["tests"]:
            fires = [wanted for wanted in case["alert_rule_test"] if wanted["alertname"] == name and wanted["exp_alerts"]]
            spaces = {space for each in case["input_series"] for space in re.findall(r'namespace="(\w+)"', each["series"])}
            if fires and len(spaces) == 2:
                assert [alert["exp_labels"]["namespace"] for alert in fires[0]["exp_alerts"]] != sorted(spaces)
                return
    pytest.fail(f"{name}: no case with two deployments, one of them broken", pytrace=False)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_whom_it_calls_and_where_to_look(name):
    annotations = ALERTS[name]["annotations"]
    assert ALERTS[name]["labels"] in ({"severity": "page"}, {"severity": "ticket"})
    assert annotations["summary"] and annotations["description"]
    boards = {f"/d/{board['uid']}" for board in files.dashboards().values()}
    assert annotations["dashboard"] in boards


@pytest.mark.parametrize("name", ALERTS)
def test_a_runbook_link_leads_to_a_section(name):
    page, _, anchor = ALERTS[name]["annotations"]["runbook_url"].partition("#")
    repository = tomllib.loads((files.ROOT / "Cargo.toml").read_text())["workspace"]["package"]["repository"]
    assert page == f"{repository}/blob/main/{files.RUNBOOK.relative_to(files.ROOT)}"
    sections = files.sections()
    assert anchor in sections, f"{name}: docs/operations.md has no heading for #{anchor}"
    for part in ("**Means.**", "**Look at.**", "**Do.**", "**Commands.**", "docker compose ", "kubectl "):
        assert part in sections[anchor], f"{name}: its section in docs/operations.md has no {part}"


def test_the_runbooks_commands_fit_whatever_kustomize_calls_the_pods():
    """A nameSuffix changes every name, so commands have variables in place of them."""
    lines = [line for line in files.RUNBOOK.read_text().splitlines() if "kubectl " in line]
    fixed = [line for line in lines if re.search(r"statefulset/tiny-cache|tiny-cache-\d|networkpolicy tiny-cache", line)]
    assert len(lines) > 30 and not fixed
    used = {name for line in lines for name in re.findall(r"\$(POD|SET)\b", line)}
    assert used == {"POD", "SET"} == set(re.findall(r"^(POD|SET)=", files.RUNBOOK.read_text(), re.M))


def test_the_runbook_has_no_alert_that_is_gone():
    written = {anchor for anchor in files.sections() if re.fullmatch(r"tinycache\w+", anchor)}
    assert written == {name.lower() for name in ALERTS}


def test_the_runbook_names_panels_that_exist():
    titles = {panel["title"] for board in files.dashboards().values() for panel in files.panels(board)}
    named = {
        (name, panel)
        for name in ALERTS
        for panel in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", files.sections()[name.lower()].replace("\n", " "))
    }
    assert {(name, panel) for name, panel in named if panel not in titles} == set()
    assert {name for name, _ in named} == set(ALERTS)


def test_rules_panels_and_runbook_agree_on_what_is_the_servers_fault():
    asked = [rule["expr"] for rule in files.records().values()] + [target.expr for target in files.targets()]
    found = {each for expr in asked for each in re.findall(r'status_code *=~ *"([^"]+)"', expr)}
    listed = re.search(r"servers' fault \(([A-Z_, ]+)\)", files.sections()["alerts"].replace("\n", " "))
    assert found == {"|".join(listed[1].split(", "))}
    others = {each for expr in asked for each in re.findall(r'status_code *!~ *"([^"]+)"', expr)}
    assert others == {f"OK|{each}" for each in found}


def test_recorded_figures_are_named_by_level_metric_and_operations():
    for name in files.records():
        assert re.fullmatch(r"(deployment|instance):[a-z_]+:[a-z0-9_]+", name), name


def test_recorded_figures_are_used():
    asked = [rule["expr"] for rule in ALERTS.values()] + [target.expr for target in files.targets()]
    for name in files.records():
        assert any(re.search(rf"\b{name}\b", expr) for expr in asked), name

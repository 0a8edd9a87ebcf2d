"""What can be said of the dashboards and their provisioning without a server."""

import json
import re

import pytest
import yaml

import files
import schema

BOARDS = files.dashboards()
PANELS = [(board["uid"], panel) for board in BOARDS.values() for panel in files.panels(board)]
WIDTH = 24

every_board = pytest.mark.parametrize("name", BOARDS)
every_panel = pytest.mark.parametrize(
    "uid, panel", PANELS, ids=[f"{uid}: {panel['title']}" for uid, panel in PANELS]
)


@every_board
def test_a_dashboard_is_formatted(name):
    text = (files.GRAFANA / f"{name}.json").read_text()
    wanted = json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
    assert text == wanted, f"format it: python3 -m json.tool --no-ensure-ascii --indent 2 {name}.json"


@every_board
def test_a_dashboard_is_of_grafanas_schema(name):
    assert BOARDS[name]["schemaVersion"] == schema.VERSION == 42
    if found := schema.problems(BOARDS[name]):
        pytest.fail("\n".join(f"{name}: {problem}" for problem in found), pytrace=False)


def test_the_schema_check_finds_faults():
    def broken(change):
        board = json.loads(json.dumps(BOARDS["overview"]))
        change(board["panels"][1])
        return schema.problems(board)

    assert broken(lambda panel: panel.update(tittle="misspelt"))
    assert broken(lambda panel: panel["options"].update(graphMode="arena"))
    assert broken(lambda panel: panel["gridPos"].update(h="4"))
    assert broken(lambda panel: panel["targets"][0].update(expression="up"))


@every_board
def test_a_dashboard_has_an_identity_that_stays(name):
    assert BOARDS[name]["uid"] == f"tiny-cache-{name}"
    assert "id" not in BOARDS[name], "it is a number of one Grafana"
    ids = [
        inner["id"]
        for panel in BOARDS[name]["panels"]
        for inner in (panel, *panel.get("panels", []))
    ]
    assert len(set(ids)) == len(ids)


@every_board
def test_panels_fill_the_grid_and_do_not_overlap(name):
    taken = {}
    for panel in BOARDS[name]["panels"]:
        place = panel["gridPos"]
        for y in range(place["y"], place["y"] + place["h"]):
            for x in range(place["x"], place["x"] + place["w"]):
                other = taken.setdefault((x, y), panel["title"])
                assert other == panel["title"], f"{name}: {other} and {panel['title']} overlap"
    height = max(y for _, y in taken) + 1
    gaps = {(x, y) for x in range(WIDTH) for y in range(height)} - set(taken)
    assert not gaps and max(x for x, _ in taken) < WIDTH, f"{name}: gaps at {sorted(gaps)[:3]}"


@every_board
def test_a_dashboard_starts_with_tiles(name):
    kinds = [panel["type"] for panel in BOARDS[name]["panels"]]
    assert kinds[:2] == ["row", "stat"]


@every_board
def test_variables_choose_data_source_deployment_instance_and_method(name):
    variables = {each["name"]: each for each in BOARDS[name]["templating"]["list"]}
    assert {"datasource", "job", "namespace", "cache", "instance", "method"} <= set(variables)
    assert variables["datasource"]["query"] == "prometheus"
    for many in ("instance", "method"):
        assert variables[many]["multi"] and variables[many]["includeAll"]
    # One deployment at a time: all of them together would show the busy one.
    for one in ("namespace", "cache"):
        assert not variables[one]["multi"] and not variables[one]["includeAll"]


@every_panel
def test_a_panel_asks_for_one_deployment(uid, panel):
    for target in panel["targets"]:
        for selector in re.findall(r'{[^{}]*job="\$job"[^{}]*}', target.get("expr", "")):
            assert 'namespace=~"$namespace"' in selector and 'cache=~"$cache"' in selector, f"{uid}: {panel['title']}"


@every_board
def test_restarts_and_deploys_are_marked(name):
    marks = {each["name"]: each for each in BOARDS[name]["annotations"]["list"]}
    assert marks["Restarts"]["enable"] and marks["Deploys"]["enable"]
    assert marks["Restarts"]["expr"].startswith("process_start_time_seconds")
    assert "tiny_cache_build_info" in marks["Deploys"]["expr"]


@every_board
def test_dashboards_link_to_each_other_and_keep_what_was_chosen(name):
    (link,) = BOARDS[name]["links"]
    assert link["includeVars"] and link["keepTime"] and set(link["tags"]) <= set(BOARDS[name]["tags"])


@every_panel
def test_a_description_asks_a_question_and_says_what_to_do(uid, panel):
    question, _, answer = panel["description"].partition("? ")
    assert question and len(answer) > 30, f"{uid}: {panel['title']}: {panel['description']}"
    unknown = set(re.findall(r"TinyCache\w+", panel["description"])) - set(files.alerts())
    assert not unknown, f"{uid}: {panel['title']}: no such alert: {unknown}"


@every_panel
def test_a_panel_has_a_unit_and_begins_at_0(uid, panel):
    if panel["type"] in ("stat", "timeseries", "bargauge"):
        defaults = panel["fieldConfig"]["defaults"]
        scale = defaults.get("custom", {}).get("scaleDistribution", {}).get("type")
        assert defaults["unit"] and (defaults.get("min") == 0 or scale == "log")
    elif panel["type"] == "heatmap":
        assert panel["options"]["yAxis"]["unit"]


@every_panel
def test_a_panel_asks_for_what_was_chosen(uid, panel):
    refs = [target["refId"] for target in panel["targets"]]
    assert len(refs) == len(set(refs))
    if panel["datasource"]["type"] != "prometheus":
        return
    assert panel["datasource"]["uid"] == "${datasource}"
    for target in panel["targets"]:
        expr = target["expr"]
        for selector in re.findall(r"{([^{}]*)}", expr):
            assert re.search(r'job="\$(job|loadtest)"', selector), f"{uid}: {panel['title']}: {expr}"
        fixed = re.findall(r"\[(?!\$__rate_interval\])[^\]]*\]", expr)
        assert not fixed, f"{uid}: {panel['title']}: a fixed window: {expr}"
        assert target["range"] != target.get("instant", False)


@every_panel
def test_durations_of_calls_lead_to_traces(uid, panel):
    """Where a single call can be told from others: percentiles and heatmaps over time."""
    if panel["type"] not in ("timeseries", "heatmap") or uid == "tiny-cache-loadtest":
        return
    for target in panel["targets"]:
        if "rpc_server_call_duration_seconds_bucket" in target.get("expr", ""):
            assert target["exemplar"], f"{uid}: {panel['title']}"


def test_provisioning_gives_the_uids_that_dashboards_ask_for():
    sources = provisioned("datasources")["datasources"]
    uids = {source["uid"]: source["type"] for source in sources}
    asked = {
        (variable["current"]["value"], variable["query"])
        for board in BOARDS.values()
        for variable in board["templating"]["list"]
        if variable["type"] == "datasource"
    }
    assert asked == set(uids.items())
    (prometheus,) = (source for source in sources if source["type"] == "prometheus")
    (trace,) = prometheus["jsonData"]["exemplarTraceIdDestinations"]
    assert uids[trace["datasourceUid"]] == "tempo" and trace["name"] == "trace_id"
    (tempo,) = (source for source in sources if source["type"] == "tempo")
    logs = tempo["jsonData"]["tracesToLogsV2"]
    assert uids[logs["datasourceUid"]] == "loki" and logs["filterByTraceID"]


def test_every_variable_of_the_provisioning_has_a_default_written_down():
    defaults = dict(re.findall(r"^(\w+)=(.+)$", (files.GRAFANA / "grafana.env").read_text(), re.M))
    wanted = [source["url"] for source in provisioned("datasources")["datasources"]]
    wanted += [each["options"]["path"] for each in provisioned("dashboards")["providers"]]
    assert {each.removeprefix("$") for each in wanted} == set(defaults)


def provisioned(what):
    return yaml.safe_load((files.GRAFANA / "provisioning" / what / "tiny-cache.yaml").read_text())

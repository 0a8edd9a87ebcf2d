"""Every query of every panel, variable, annotation and rule has data while a server is
under load. Nothing is left out but what expected_empty.yml names with a reason."""

import re

import pytest
import yaml

import files

EMPTY = {
    each["where"]: each["reason"]
    for each in yaml.safe_load(files.ROOT.joinpath("dashboards/tests/expected_empty.yml").read_text())
}
TARGETS = files.targets()
VARIABLES = [
    (board["uid"], variable["name"], variable["query"]["query"])
    for board in files.dashboards().values()
    for variable in board["templating"]["list"]
    if variable["type"] == "query"
]
ANNOTATIONS = [
    (board["uid"], annotation)
    for board in files.dashboards().values()
    for annotation in board["annotations"]["list"]
    if "expr" in annotation
]


@pytest.fixture(scope="module")
def empty(figures):
    """Where nothing came back, for the end of the run."""
    found = []
    yield found
    bars = {(target.dashboard, target.panel) for target in TARGETS}
    figures.append(
        f"{len(files.dashboards())} dashboards with {len(bars)} panels and {len(TARGETS)} queries, "
        f"{len(VARIABLES)} variables, {len(ANNOTATIONS)} annotations; "
        f"{len(files.records())} recording rules, {len(files.alerts())} alerts"
    )
    figures.extend(f"expected empty: {where} ({EMPTY[where]})" for where in found)


def test_what_may_be_empty_exists():
    known = {str(target) for target in TARGETS} | set(files.records()) | set(files.alerts())
    assert set(EMPTY) <= known


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_a_panels_query_has_data(stack, empty, target):
    if target.source != "prometheus":
        return note(empty, str(target), target.expr)
    instant = target.json.get("instant", False)
    found = evaluated(stack, str(target), target.expr, instant)
    if not found:
        return note(empty, str(target), target.expr)
    wanted = set(re.findall(r"{{ *(\w+) *}}", target.json.get("legendFormat", "")))
    if target.json.get("format") == "heatmap":
        assert len(found) > 2, f"{target}: {target.expr}: a heatmap needs buckets"
    for labels, _ in found:
        if missing := wanted - set(labels):
            fail(str(target), target.expr, f"its legend wants the labels {missing}, it has {labels}")


@pytest.mark.parametrize("target", [target for target in TARGETS if target.json.get("exemplar")], ids=str)
def test_a_panels_query_leads_to_traces(stack, target):
    found = stack.eventually(lambda: stack.exemplars(target.expr))
    if not found:
        fail(str(target), target.expr, "no exemplar, so no link to a trace")
    for labels in found:
        assert re.fullmatch("[0-9a-f]{32}", labels["trace_id"]), f"{target}: {labels}"


@pytest.mark.parametrize("board, name, query", VARIABLES, ids=lambda each: str(each)[:30])
def test_a_variable_has_values(stack, board, name, query):
    selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()
    parameters = {"match[]": stack.filled(selector)}
    if not stack.eventually(lambda: stack.ask(f"label/{label}/values", **parameters)):
        fail(f"{board}: variable {name}", query, "no value")


@pytest.mark.parametrize("board, annotation", ANNOTATIONS, ids=lambda each: str(each)[:30])
def test_an_annotation_has_data(stack, board, annotation):
    where, expr = f"{board}: annotation {annotation['name']}", annotation["expr"]
    found = evaluated(stack, where, expr, False)
    wanted = set(re.findall(r"{{ *(\w+) *}}", annotation["textFormat"]))
    if not found or wanted - set(found[0][0]):
        fail(where, expr, f"no data with the labels {wanted}")


@pytest.mark.parametrize("name", files.records())
def test_a_recording_rule_has_data(stack, empty, name):
    if not evaluated(stack, name, f'{name}{{job="tiny-cache"}}', True):
        note(empty, name, files.records()[name]["expr"])


@pytest.mark.parametrize("name", files.alerts())
def test_an_alerts_figures_are_there(stack, empty, name):
    """A quiet alert is empty. Comparing with `bool` shows the figures that it looks at,
    and that both sides of each comparison and each `and` find one another."""
    expr = files.alerts()[name]["expr"]
    bare = re.sub(r"([<>]|==)(?= )", r"\1 bool", expr)
    assert bare != expr
    if not evaluated(stack, name, bare, True):
        note(empty, name, bare)


def test_prometheus_finds_no_fault_with_the_rules(stack):
    groups = stack.ask("rules")["groups"]
    rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
    assert set(rules) == set(files.records()) | set(files.alerts())
    for name, rule in rules.items():
        if rule["health"] == "err":
            fail(name, rule["query"], rule["lastError"])


def evaluated(stack, where, expr, instant):
    try:
        if where in EMPTY:
            return stack.series(expr, instant)
        return stack.eventually(lambda: stack.series(expr, instant))
    except AssertionError as error:
        fail(where, expr, error)


def note(empty, where, expr):
    if where not in EMPTY:
        fail(where, expr, "no data")
    empty.append(where)


def fail(where, expr, why):
    pytest.fail(f"{where}: {' '.join(expr.split())}: {why}", pytrace=False)

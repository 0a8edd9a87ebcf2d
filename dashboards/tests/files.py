"""Reads the files under test: dashboards, rules, and the sections of the runbook.
Knows their places and forms; nothing of what they should say."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "dashboards" / "grafana"
PROMETHEUS = ROOT / "dashboards" / "prometheus"
RUNBOOK = ROOT / "docs" / "operations.md"


@dataclass(frozen=True)
class Target:
    """One query of one panel."""

    dashboard: str
    panel: str
    ref: str
    source: str
    json: dict

    @property
    def expr(self):
        return self.json.get("expr", self.json.get("query", ""))

    def __str__(self):
        return f"{self.dashboard}: {self.panel}: {self.ref}"


def dashboards():
    return {path.stem: json.loads(path.read_text()) for path in sorted(GRAFANA.glob("*.json"))}


def panels(dashboard):
    """Rows left out, and what lies in folded ones taken in."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def targets():
    return [
        Target(dashboard["uid"], panel["title"], target["refId"], panel["datasource"]["type"], target)
        for dashboard in dashboards().values()
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


def rules():
    files = sorted((PROMETHEUS / "rules").glob("*.yml"))
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts():
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def records():
    return {rule["record"]: rule for rule in rules() if "record" in rule}


def sections():
    """The runbook's text under each heading, by the anchor that GitHub gives it."""
    parts = re.split(r"^#+ +(.+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    return {anchor(title): text for title, text in zip(parts[1::2], parts[2::2])}


def anchor(title):
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")

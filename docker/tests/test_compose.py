"""compose.yaml under both versions of Compose: as it is understood, and the parts of it
that can be had without a registry, together."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import urllib.parse
import urllib.request

import pytest
import yaml

from engine import DEADLINE_S, RUN, SERVER, execute, free_ports, run_once
from web import eventually

DOCKER = pathlib.Path(__file__).resolve().parents[1]
ROOT = DOCKER.parent
FILE = DOCKER / "compose.yaml"
PROVISIONING = ROOT / "dashboards" / "grafana" / "provisioning"
RULES = list((ROOT / "dashboards" / "prometheus" / "rules").glob("*.yml"))
SERVICES = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
PORTS = ("GRPC_PORT", "HTTP_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")


def is_there(*command):
    try:
        return subprocess.run(command, capture_output=True, timeout=DEADLINE_S).returncode == 0
    except FileNotFoundError:
        return False


class Compose:
    """One project of its own, with ports, images and reports of the test's own."""

    def __init__(self, version, reports):
        self.name = version
        command = {"v1": ["docker-compose"], "v2": ["docker", "compose"]}[version]
        if not is_there(*command, "version"):
            pytest.skip(f"Compose {version} is not here: no `{' '.join(command)}`")
        self.version = execute(*command, "version", "--short")
        if not self.version.lstrip("v").startswith(version[1]):
            pytest.skip(f"`{' '.join(command)}` is Compose {self.version}, not {version}")
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._command = [*command, "--project-name", f"{RUN}-{version}", "--file", str(FILE)]
        self._environment = {
            **os.environ,
            **{name: str(port) for name, port in self.ports.items()},
            "TINY_CACHE_TAG": RUN,
            "LOADTEST_REPORTS": str(reports),
            "LOADTEST_USER": f"{os.getuid()}:{os.getgid()}",
            "LOADTEST_RATE": "500",
            "LOADTEST_DURATION": "2s",
            # What is tested is that a report arrives, not how busy this machine is.
            "LOADTEST_MAX_SLIP": "10s",
        }

    def __call__(self, *arguments):
        return execute(*self._command, *arguments, deadline_s=180, env=self._environment)

    def ask_prometheus(self, path, **query):
        port = self.ports["PROMETHEUS_PORT"]
        url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as reply:
            return json.load(reply)["data"]


@pytest.fixture(params=["v1", "v2"])
def compose(request, tmp_path):
    reports = tmp_path / "reports"
    reports.mkdir()
    made = Compose(request.param, reports)
    yield made
    made("down", "--volumes", "--remove-orphans")


def test_compose_understands_the_file_with_every_port_set_by_variable(compose):
    understood = yaml.safe_load(compose("--profile", "loadtest", "--profile", "tier", "config"))["services"]
    assert understood.keys() == SERVICES.keys()
    for name, port in compose.ports.items():
        published = [
            str(entry) for service in understood.values() for entry in service.get("ports", []) if str(port) in str(entry)
        ]
        assert len(published) == 1 and "127.0.0.1" in published[0], (name, published)
    assert understood["grafana"]["depends_on"]["prometheus"]["condition"] == "service_healthy"
    assert understood["prometheus"]["depends_on"]["server"]["condition"] == "service_healthy"


def test_server_prometheus_and_load_tester_work_together(compose, tmp_path):
    wait = ["--wait"] if compose.name == "v2" else []  # as in the Makefile
    compose("up", "--detach", *wait, "--no-build", "server", "prometheus")

    def up():
        try:
            targets = compose.ask_prometheus("targets")["activeTargets"]
        except OSError:  # it does not listen yet
            return []
        return [t for t in targets if t["labels"]["job"] == "tiny-cache" and t["health"] == "up"]

    # It scrapes every 15 s.
    assert eventually(up, within_s=60)
    [target] = up()
    assert target["scrapeUrl"] == "http://server:8080/metrics"
    assert eventually(lambda: compose.ask_prometheus("query", query="tiny_cache_uptime_seconds")["result"])
    files = {group["file"] for group in compose.ask_prometheus("rules")["groups"]}
    assert files == {f"/etc/prometheus/rules/{file.name}" for file in RULES}

    compose("run", "--rm", "--use-aliases", "loadtest")
    report = json.loads((tmp_path / "reports" / "loadtest.json").read_text(encoding="utf-8"))
    assert report["requests"] == 1000 and report["failed"] == 0
    assert "<html" in (tmp_path / "reports" / "loadtest.html").read_text(encoding="utf-8")


# The Makefile: what it would run


def recipe(target, *variables):
    lines = execute("make", "--directory", str(ROOT), "--no-print-directory", "--dry-run", target, *variables)
    return shlex.split(lines)


@pytest.mark.parametrize("given", ["reports", "/elsewhere"])
def test_reports_are_written_to_the_directory_that_make_made(given):
    # A relative one is meant from where make runs; Compose would take it from its file.
    words = recipe("loadtest-compose", f"LOADTEST_REPORTS={given}")
    expected = str(ROOT / given)
    assert words[words.index("mkdir") + 1 :][:2] == ["-p", expected]
    assert f"LOADTEST_REPORTS={expected}" in words


def test_addresses_are_told_when_everything_is_healthy_where_compose_can_wait():
    assert "--wait" in recipe("up", "COMPOSE=docker compose")
    assert "--wait" not in recipe("up", "COMPOSE=docker-compose")


# The file itself


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_limited_and_without_rights(name):
    service = SERVICES[name]
    assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]) or "build" in service
    assert "mem_limit" in service
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    for port in service.get("ports", []):
        assert re.fullmatch(r"\$\{BIND_ADDRESS:-127\.0\.0\.1\}:\$\{\w+_PORT:-(\d+)\}:\1", port)


def test_every_setting_of_the_server_is_one_that_it_knows():
    known = re.findall(r"^  (CACHE_\w+)=", run_once(SERVER, "--help"), re.M)
    given = [name for name in SERVICES["server"]["environment"] if name.startswith("CACHE_")]
    assert given and set(given) <= set(known)


def test_the_server_has_memory_and_descriptors_for_all_its_connections():
    server = SERVICES["server"]

    def by_default(value):
        return int(re.fullmatch(r"\$\{\w+:-(\d+)m?\}", value).group(1))

    entries = by_default(server["environment"]["CACHE_MAX_MEMORY_MB"])
    connections = by_default(server["environment"]["CACHE_MAX_CONNECTIONS"])
    # docs/sizing.md: entries, the process, large messages under way, connections.
    assert by_default(server["mem_limit"]) >= 1.35 * entries + 10 + max(entries / 16, 4) + connections * 18 / 1024
    assert server["ulimits"]["nofile"] >= connections + 1100


def test_traces_are_found_until_they_are_removed_and_fit_where_they_are_kept():
    tempo = yaml.safe_load((DOCKER / "tempo.yaml").read_text(encoding="utf-8"))

    def minutes(value):
        return int(value[:-1]) * {"m": 1, "h": 60}[value[-1]]

    ingester, stored, compaction = tempo["ingester"], tempo["storage"]["trace"], tempo["compactor"]["compaction"]
    kept = minutes(ingester["complete_block_timeout"])
    # Else there is a time in which a block is in neither.
    assert minutes(stored["blocklist_poll"]) < kept
    assert minutes(tempo["query_frontend"]["search"]["query_backend_after"]) <= kept
    assert minutes(compaction["block_retention"]) + minutes(compaction["compacted_block_retention"]) < 120
    [disk] = SERVICES["tempo"]["tmpfs"]
    path, size = re.match(r"(/[\w/]+):size=(\d+)m", disk).groups()
    assert stored["wal"]["path"].startswith(f"{path}/") and stored["local"]["path"].startswith(f"{path}/")
    assert 4 * ingester["max_block_bytes"] <= int(size) * 1024 * 1024


def test_grafana_gets_every_variable_that_its_provisioning_asks_for():
    files = sorted(PROVISIONING.glob("*/*.yaml"))
    asked = {name for file in files for name in re.findall(r": \$\{?([A-Z]\w*)", file.read_text(encoding="utf-8"))}
    assert asked
    assert asked <= SERVICES["grafana"]["environment"].keys()


def test_whoever_looks_may_follow_a_trace_and_change_no_dashboard():
    assert SERVICES["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Editor"
    provided = PROVISIONING / "dashboards" / "tiny-cache.yaml"
    [provider] = yaml.safe_load(provided.read_text(encoding="utf-8"))["providers"]
    assert provider["allowUiUpdates"] is False

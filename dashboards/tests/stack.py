"""Starts what the dashboards look at: a server, a load test, clients that misbehave,
and a Prometheus that scrapes them with the rules under test. Every address is on the
loopback with a port that was free, every file in a directory of its own."""

import json
import math
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import yaml

import faults
from files import PROMETHEUS
from process import Server
from program import DEADLINE_S, Program, path

# For as long a query may stay empty, counted from the start of the load: a sweep, an
# expiry, a request that runs into its deadline of 3 s, and two scrapes that see it.
WARM_UP_S = 40

# Prometheus scrapes and evaluates every second, so that windows of 15 s hold enough.
INTERVAL = "1s"
RATE_INTERVAL = "15s"

SERVER = {
    "CACHE_WORKERS": "2",
    "CACHE_MAX_MEMORY_MB": "4",
    "CACHE_MAX_ITEMS": "20000",
    "CACHE_MAX_VALUE_BYTES": "16384",
    "CACHE_EVICTION_POLICY": "window",
    "CACHE_HANDSHAKE_TIMEOUT_SECONDS": "1",
    # Every call is traced, for the exemplars; nobody is there to take the spans.
    "OTEL_TRACES_SAMPLER": "always_on",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
}

# Of one of the callers, so large that none is met.
QUOTAS = "[namespace.red]\nmax_bytes = '1GiB'\nmax_entries = 1000000\nrequests_per_second = 1000000\n"

# What Kubernetes' service discovery puts on each target. Queries that group or join must keep them.
LABELS = {"namespace": "shop", "cache": "sessions", "pod": "tiny-cache-0", "container": "tiny-cache", "service": "nodes"}

# Values up to 18,000 bytes, of which the largest are refused; a third expires after a second. Few
# enough keys that they come back, become residents and push out others.
LOAD = """
    run --rate 300 --duration 10m --keys 1000 --value-size 64..18000 --ttl 1s=30,1h=70
    --mix get=50,set=25,delete=3,set-if-absent=5,compare-and-set=5,mget=6,mset=6 --batch 8
    --namespace red,blue --threads 1 --progress none --prometheus 127.0.0.1:0
""".split()

# Another caller, in the keyspace without a namespace.
BESIDE = "run --rate 50 --duration 10m --threads 1 --progress none --prometheus 127.0.0.1:0".split()


class Stack:
    """`say` is told what happens."""

    def __init__(self, say):
        self._say = say
        self._opened = ExitStack()

    def __enter__(self):
        with self._opened as opened:
            directory = opened.enter_context(tempfile.TemporaryDirectory())
            quotas = Path(directory, "quotas.toml")
            quotas.write_text(QUOTAS)
            self.server = opened.enter_context(Server(**SERVER, CACHE_QUOTAS_PATH=str(quotas)))
            self._say(f"server: {self.server.grpc}, its figures at {self.server.http}")
            generator = self._load(LOAD)
            self._load(BESIDE)
            opened.enter_context(faults.misbehaving(self.server.grpc))
            self.deadline = time.monotonic() + WARM_UP_S
            jobs = {"tiny-cache": self.server.http, "tiny-cache-loadtest": generator}
            prometheus = opened.enter_context(Program(*_prometheus_command(directory, jobs)))
            address = prometheus.wait_for(r'msg="Listening on".* address=(127\.0\.0\.1:\d+)')
            prometheus.wait_for(r"(ready to receive web requests)")
            self._say(f"prometheus: {address}")
            self._url = f"http://{address}/api/v1/"
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *exception):
        self._opened.close()

    def _load(self, options):
        """Starts a load test; where its figures are."""
        command = path("TINY_CACHE_LOADTEST_BIN"), *options, "--target", self.server.grpc
        generator = self._opened.enter_context(Program(*command))
        address = generator.wait_for(r"http://(127\.0\.0\.1:\d+)/metrics")
        self._say(f"load: {' '.join(options)}; its figures at {address}")
        return address

    def ask(self, path, **parameters):
        """Prometheus's answer, or an AssertionError with its complaint."""
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self._url}{path}?{query}", timeout=DEADLINE_S) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["error"]) from None

    def eventually(self, ask):
        """Asks again until there is an answer, or the load has had its time."""
        while not (answer := ask()) and time.monotonic() < self.deadline:
            time.sleep(0.5)
        return answer

    def series(self, expr, instant):
        """The series that have a number: their labels and values."""
        expr = self.filled(expr)
        if instant:
            found = self.ask("query", query=expr)["result"]
            found = [(each["metric"], [each["value"]]) for each in found]
        else:
            now = time.time()
            found = self.ask("query_range", query=expr, start=now - 10, end=now, step=1)["result"]
            found = [(each["metric"], each["values"]) for each in found]
        numbers = [(labels, [float(value) for _, value in values]) for labels, values in found]
        return [(labels, values) for labels, values in numbers if any(map(math.isfinite, values))]

    def exemplars(self, expr):
        """The labels of the calls that were traced in the last minute."""
        now = time.time()
        found = self.ask("query_exemplars", query=self.filled(expr), start=now - 60, end=now)
        return [exemplar["labels"] for series in found for exemplar in series["exemplars"]]

    def filled(self, expr):
        """With the variables that Grafana fills in: one server of one deployment, all of its methods."""
        values = {
            "$__rate_interval": RATE_INTERVAL,
            "$job": "tiny-cache",
            "$loadtest": "tiny-cache-loadtest",
            "$instance": self.server.http.replace(".", r"\\."),
            "$method": ".*",
            "$namespace": LABELS["namespace"],
            "$cache": LABELS["cache"],
        }
        for name, value in values.items():
            expr = expr.replace(name, value)
        if "$" in expr:
            raise AssertionError(f"a variable is not known to the test: {expr}")
        return expr


def _prometheus_command(directory, jobs):
    """Prometheus with our configuration, but for addresses and intervals."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL}
    config["rule_files"] = [str(PROMETHEUS / path) for path in config["rule_files"]]
    del config["alerting"]
    for scrape in config["scrape_configs"]:
        scrape.pop("scrape_interval", None)
        scrape["static_configs"] = [{"targets": [jobs[scrape["job_name"]]], "labels": LABELS}]
    written = Path(directory, "prometheus.yml")
    written.write_text(yaml.safe_dump(config))
    return [
        Path(path("PROMETHEUS_DIR"), "prometheus"),
        f"--config.file={written}",
        f"--storage.tsdb.path={directory}/data",
        "--web.listen-address=127.0.0.1:0",
        "--enable-feature=exemplar-storage",
    ]

"""The HTTP port: probes, figures and metrics."""

import time

import pytest

import cache_pb2 as pb
from process import backend
from web import eventually, fetch

of_the_store = pytest.mark.skipif(
    bool(backend()), reason="over a second tier the store has a part of the entries, and its figures are of that"
)

PATHS = ["/", "/health", "/ready", "/live", "/stats", "/metrics"]
JSON_PATHS = [path for path in PATHS if path != "/metrics"]

STATS_FIELDS = [field.name for field in pb.CacheStats.DESCRIPTOR.fields]

COUNTERS = [
    "hits_total",
    "misses_total",
    "evictions_total",
    "lru_evictions_total",
    "expired_removals_total",
    "rejected_oversize_total",
    "rejected_capacity_total",
]
GAUGES = [
    "entries",
    "memory_usage_bytes",
    "capacity_max_items",
    "capacity_max_memory_bytes",
    "capacity_max_value_bytes",
    "capacity_item_saturation_ratio",
    "capacity_memory_saturation_ratio",
    "active_requests",
    "uptime_seconds",
]


def metrics(server):
    """Samples without labels by name, and the type of each family."""
    samples, types = {}, {}
    for line in fetch(server, "/metrics").body.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            types[name] = kind
        elif line and not line.startswith("#"):
            name, value = line.split(" ")[:2] if "{" not in line else (None, None)
            samples[name] = value
    samples.pop(None, None)
    return {name: float(value) for name, value in samples.items()}, types


@pytest.fixture
def counted(start, connect):
    """A server that saw a known number of calls, so that figures are exact."""
    server = start(CACHE_MAX_ITEMS="50", CACHE_MAX_MEMORY_MB="4", CACHE_MAX_VALUE_BYTES="1000")
    client = connect(server.grpc)
    client.set("a", b"1")
    client.set("b", b"2")
    client.set("gone", b"3")
    client.delete("gone")
    client.get("a")
    client.get("nobody")
    client.MultiGet(pb.MultiCacheKeyRequest(keys=["a", "b", "nobody", "a", "no one", "nobody"]))
    client.set_if_absent("a")
    client.set_if_absent("c")
    client.compare_and_set("nobody", b"", b"")
    client.compare_and_set("a", b"1", b"2")
    client.MultiSet(pb.MultiCacheItemRequest(items=[pb.CacheItem(key="d", value=b"x" * 1001)]))
    return server, client


EXACT = {
    "size": 3,
    "hits": 4,
    "misses": 4,
    "evictions": 0,
    "hit_rate": 0.5,
    "max_memory_bytes": 4 * 1024 * 1024,
    "max_items": 50,
    "max_value_bytes": 1000,
    "lru_evictions": 0,
    "expired_removals": 0,
    "rejected_oversize": 1,
    "rejected_capacity": 0,
}


# Figures


@of_the_store
def test_stats_count_what_happened(counted):
    _, client = counted
    stats = client.stats()
    assert {name: getattr(stats, name) for name in EXACT} == EXACT
    assert 0 < stats.memory_usage_bytes < 10_000


@of_the_store
def test_http_stats_say_the_same(counted):
    server, _ = counted
    stats = fetch(server, "/stats").json
    assert {name: stats[name] for name in EXACT} == EXACT
    assert set(STATS_FIELDS) <= stats.keys()
    assert stats["max_memory_mb"] == 4.0
    assert stats["memory_usage_mb"] == round(stats["memory_usage_bytes"] / 1024 / 1024, 2)
    assert stats["active_requests"] == 0
    _expect_clock(stats)


@of_the_store
def test_metrics_say_the_same(counted):
    server, _ = counted
    samples, _ = metrics(server)
    expected = {
        "tiny_cache_hits_total": 4,
        "tiny_cache_misses_total": 4,
        "tiny_cache_rejected_oversize_total": 1,
        "tiny_cache_entries": 3,
        "tiny_cache_capacity_max_items": 50,
        "tiny_cache_capacity_max_memory_bytes": 4 * 1024 * 1024,
        "tiny_cache_capacity_max_value_bytes": 1000,
        "tiny_cache_capacity_item_saturation_ratio": 3 / 50,
        "tiny_cache_active_requests": 0,
    }
    assert {name: samples.get(name) for name in expected} == pytest.approx(expected)
    assert 0 < samples["tiny_cache_capacity_memory_saturation_ratio"] < 0.01


@pytest.mark.parametrize("name", COUNTERS + GAUGES)
def test_a_metric_that_dashboards_use_is_there(server, name):
    samples, types = metrics(server)
    name = f"tiny_cache_{name}"
    assert name in samples
    # OpenMetrics names a counter's family without the suffix, the older text
    # format with it.
    kind = types.get(name) or types.get(name.removesuffix("_total"))
    assert kind == ("counter" if name.endswith("_total") else "gauge")


def test_no_metric_is_declared_twice(server):
    lines = fetch(server, "/metrics").body.decode().splitlines()
    declared = [line.split(" ")[2] for line in lines if line.startswith("# TYPE ")]
    assert sorted(declared) == sorted(set(declared))


@of_the_store
def test_expired_entries_leave_the_figures_within_two_seconds(start, connect):
    server = start()
    client = connect(server.grpc)
    client.set("stays", b"v")
    alone = client.stats().memory_usage_bytes
    for n in range(100):
        client.set(f"goes-{n}", b"v" * 100, ttl=1)
    assert client.stats().size == 101
    assert eventually(lambda: client.stats().size == 1, within_s=1 + 2)
    assert client.stats().memory_usage_bytes == alone


@of_the_store
def test_the_count_of_entries_never_stays_over_its_limit(start, connect):
    server = start(CACHE_MAX_ITEMS="10")
    client = connect(server.grpc)
    for n in range(200):
        client.set(f"k{n}")
    assert eventually(lambda: 0 < client.stats().size <= 10, within_s=2)
    assert client.stats().max_items == 10


def test_without_a_limit_on_items_none_is_reported(start, connect):
    stats = connect(start().grpc).stats()
    assert (stats.max_items, stats.max_memory_bytes) == (0, 100 * 1024 * 1024)
    assert stats.max_value_bytes == 4 * 1024 * 1024


# Paths


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_a_server_that_serves_is_healthy(server, path):
    reply = fetch(server, path)
    assert reply.status == 200
    assert reply.json["status"] == "healthy"
    for name in ("cache_size", "cache_hits", "cache_misses", "active_requests"):
        assert isinstance(reply.json[name], int), name
    _expect_clock(reply.json)


def test_a_server_that_runs_is_alive(server):
    reply = fetch(server, "/live")
    assert reply.status == 200
    assert reply.json["status"] == "alive"
    _expect_clock(reply.json)


def test_the_root_names_the_service_and_its_paths(server):
    reply = fetch(server, "/")
    assert reply.status == 200
    assert reply.json["service"] == "tiny-cache"
    assert reply.json["grpc_port"] == server.grpc_port
    assert {"/health", "/ready", "/live", "/stats", "/metrics"} <= set(reply.json["endpoints"])


@pytest.mark.parametrize("path", JSON_PATHS)
def test_json_is_declared_as_json(server, path):
    assert fetch(server, path).headers["content-type"].startswith("application/json")


def test_metrics_are_declared_as_text(server):
    declared = fetch(server, "/metrics").headers["content-type"]
    assert declared.startswith(("text/plain", "application/openmetrics-text"))


@pytest.mark.parametrize("path", ["/nobody", "/health/", "/Health", "/stats/size", "/metrics.txt"])
def test_any_other_path_is_not_found(server, path):
    assert fetch(server, path).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_get_is_answered(server, method):
    assert fetch(server, "/health", method=method).status == 404


@pytest.mark.parametrize("path", [*PATHS, "/nobody"])
def test_a_request_id_given_over_http_is_sent_back(server, path):
    reply = fetch(server, path, headers={"x-request-id": "probe-1"})
    assert reply.headers.get_all("x-request-id") == ["probe-1"]


@pytest.mark.parametrize("path", [*PATHS, "/nobody"])
def test_a_request_id_is_made_over_http(server, path):
    made = {fetch(server, path).headers["x-request-id"] for _ in range(3)}
    assert None not in made and len(made) == 3


def _expect_clock(body):
    assert isinstance(body["timestamp"], float)
    assert abs(body["timestamp"] - time.time()) < 60
    assert 0 <= body["uptime_seconds"] < 3600

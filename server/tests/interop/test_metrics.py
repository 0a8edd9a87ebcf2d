"""The page of metrics, read by the parsers of Prometheus's own client for Python."""

import io

import pytest
from prometheus_client.openmetrics.parser import text_fd_to_metric_families as openmetrics
from prometheus_client.parser import text_fd_to_metric_families as classic

from web import fetch

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.5"
CALLS = "rpc_server_call_duration_seconds"


@pytest.fixture
def used(start, connect):
    """A server that saw calls of several kinds."""
    server = start()
    client = connect(server.grpc)
    client.set("a", b"1")
    client.set("a", b"2", namespace="team")
    client.get("a")
    client.delete("a")
    return server


def page(server, parse, accept):
    reply = fetch(server, "/metrics", headers={"accept": accept})
    families = list(parse(io.StringIO(reply.body.decode())))
    assert families
    return reply, families


def series(families):
    """Every sample by name and labels; the formats spell whole bounds in two ways."""
    samples = (sample for family in families for sample in family.samples)
    return {
        (sample.name, frozenset((k, v.removesuffix(".0")) for k, v in sample.labels.items()))
        for sample in samples
    }


def by_name(families):
    return {family.name: family for family in families}


def test_openmetrics_satisfies_the_strict_parser(used):
    reply, families = page(used, openmetrics, OPENMETRICS)
    assert reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    named = by_name(families)
    assert len(named) == len(families)
    assert (named[CALLS].type, named[CALLS].unit) == ("histogram", "seconds")
    assert (named["tiny_cache_inserts"].type, named["tiny_cache_build"].type) == ("counter", "info")
    assert named["tiny_cache_memory_usage_bytes"].unit == "bytes"
    assert all(family.documentation for family in families)


def test_the_classic_text_tells_the_same(used):
    def classic_series():
        return series(page(used, classic, "text/plain")[1])

    # A series may be born between two pages: those of what-if with its first look at the samples.
    for _ in range(5):
        before = classic_series()
        new = series(page(used, openmetrics, OPENMETRICS)[1])
        if before == classic_series():
            break
    assert new == before


def test_bounds_are_spelt_as_prometheus_spells_them(used):
    _, families = page(used, openmetrics, OPENMETRICS)
    samples = by_name(families)[CALLS].samples
    bounds = {sample.labels["le"] for sample in samples if sample.name.endswith("_bucket")}
    assert {"1e-05", "2.5e-05", "0.0001", "1.0", "10.0", "+Inf"} <= bounds
    assert len(bounds) == 20

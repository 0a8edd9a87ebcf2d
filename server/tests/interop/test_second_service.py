"""The package tinycache.v1 by stubs of another language: leases, versions, counters, tags and the
looks inside, over the entries that the fixed contract knows."""

import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

import tinycache_pb2 as v1
import tinycache_pb2_grpc
from process import Server, backend
from wire import Client, refused

pytestmark = pytest.mark.skipif(bool(backend()), reason="the second service is of one node")


def connected(address):
    """A client of the second service. Channels to one address share a connection unless they are
    told not to, and leases are held by connection."""
    alone = [("grpc.use_local_subchannel_pool", 1)]
    return Client(address, options=alone, stub=tinycache_pb2_grpc.CacheStub)


@pytest.fixture(scope="module")
def second(server):
    with connected(server.grpc) as client:
        yield client


def leased(key, wait_ms=0, lease_ms=30_000):
    return v1.ReadRequest(key=key, lease=v1.LeaseRequest(lease_ms=lease_ms, wait_ms=wait_ms))


def test_both_services_see_the_same_entry(client, second, key):
    client.set(key, b"by the first", ttl=100)
    reply = second.Read(v1.ReadRequest(key=key))
    assert (reply.state, reply.value) == (v1.READ_STATE_FRESH, b"by the first")
    assert reply.version > 0 and 99_000 < reply.ttl_left_ms <= 100_000
    condition = v1.Condition(version=reply.version)
    written = second.Write(v1.WriteRequest(key=key, value=b"by the second", condition=condition))
    assert written.outcome == v1.OUTCOME_APPLIED and written.version > reply.version
    assert client.get(key) == b"by the second"
    again = second.Write(v1.WriteRequest(key=key, value=b"late", condition=condition))
    assert (again.outcome, again.version) == (v1.OUTCOME_MISMATCH, written.version)
    assert second.Remove(v1.RemoveRequest(key=key)).outcome == v1.OUTCOME_APPLIED
    assert client.get(key) is None


def test_one_of_many_callers_fills(server, second, key):
    lease = second.Read(leased(key)).lease
    assert lease.token != 0
    assert second.Read(leased(key)).state == v1.READ_STATE_BUSY

    def wait():
        with connected(server.grpc) as caller:
            return caller.Read(leased(key, wait_ms=5000)).value

    with ThreadPoolExecutor(20) as pool:
        values = [pool.submit(wait) for _ in range(20)]
        time.sleep(0.1)
        filled = second.Write(v1.WriteRequest(key=key, value=b"filled", lease_token=lease.token))
        assert filled.outcome == v1.OUTCOME_APPLIED
        assert {value.result() for value in values} == {b"filled"}
    late = second.Write(v1.WriteRequest(key=key, value=b"old", lease_token=lease.token))
    assert late.outcome == v1.OUTCOME_LEASE_LOST


def test_a_lease_goes_on_when_its_channel_closes(server, second, key):
    with ThreadPoolExecutor() as pool:
        with connected(server.grpc) as holder:
            assert holder.Read(leased(key)).lease.token != 0
            waiting = pool.submit(second.Read, leased(key, wait_ms=5000))
            time.sleep(0.1)
        assert waiting.result().lease.token != 0


def test_a_counter_stops_at_its_bound(client, second, key):
    limit = v1.AddRequest(key=key, delta=1, ttl_ms=60_000, most=3, at_bound=v1.AT_BOUND_REFUSE)
    outcomes = [second.Add(limit).outcome for _ in range(5)]
    assert outcomes == [v1.ADD_OUTCOME_ADDED] * 3 + [v1.ADD_OUTCOME_REFUSED] * 2
    assert client.get(key) == b"3"
    client.set(key, b"no number")
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        second.Add(limit)


def test_tags_and_namespaces_are_dropped_at_once(client, second, key):
    for name, tags in [("a", ["red"]), ("b", ["red", "round"]), ("c", ["round"]), ("d", [])]:
        second.Write(v1.WriteRequest(key=name, value=b"v", tags=tags), namespace=key)

    def left():
        entries = second.Scan(v1.ScanRequest(), namespace=key).entries
        return sorted(entry.key for entry in entries)

    assert left() == ["a", "b", "c", "d"]
    assert list(second.Describe(v1.DescribeRequest(key="b"), namespace=key).tags) == ["red", "round"]
    second.Invalidate(v1.InvalidateRequest(tags=["red"]), namespace=key)
    assert left() == ["c", "d"]
    assert client.get("a", namespace=key) is None
    second.Invalidate(v1.InvalidateRequest(whole_namespace=True), namespace=key)
    assert left() == []


def test_a_batch_mixes_operations_and_fails_item_by_item(second, key):
    operations = [
        v1.Operation(write=v1.WriteRequest(key=key, value=b"1")),
        v1.Operation(add=v1.AddRequest(key=key, delta=4)),
        v1.Operation(read=v1.ReadRequest(key="")),
        v1.Operation(read=v1.ReadRequest(key=key)),
    ]
    written, added, failed, read = second.Batch(v1.BatchRequest(operations=operations)).results
    assert written.write.outcome == v1.OUTCOME_APPLIED
    assert added.add.value == 5
    assert failed.failure.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert read.read.value == b"5"


def test_the_looks_inside_answer():
    with Server() as server, connected(server.grpc) as second:
        for n in range(200):
            second.Write(v1.WriteRequest(key=f"k{n}", value=b"v" * 100))
        for _ in range(3000):
            second.Read(v1.ReadRequest(key="k7"))
        cursor, seen = b"", []
        while True:
            page = second.Scan(v1.ScanRequest(prefix="k1", cursor=cursor, limit=30))
            seen += [entry.key for entry in page.entries]
            cursor = page.cursor
            if not cursor:
                break
        assert sorted(seen) == sorted(f"k{n}" for n in range(200) if str(n).startswith("1"))
        hot = second.HotKeys(v1.HotKeysRequest(limit=3))
        assert hot.hottest[0].key == "k7"
        sizes = {size.memory_times for size in second.WhatIf(v1.WhatIfRequest()).sizes}
        assert sizes >= {0.5, 2, 4}

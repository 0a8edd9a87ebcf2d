"""One key at a time: Get, Set, SetIfAbsent, CompareAndSet, Delete, and time."""

import concurrent.futures
import time

import grpc
import pytest

import cache_pb2 as pb
from wire import KEY_EMPTY, KEY_TOO_LONG, TIMEOUT_S, VALUE_TOO_LARGE, refused

VALUES = {
    "empty": b"",
    "text": "grüße".encode(),
    "every byte": bytes(range(256)),
    "larger than an http2 frame": b"x" * 40_000,
}

SINGLE_KEY_CALLS = {
    "Get": lambda client, key: client.get(key),
    "Set": lambda client, key: client.set(key),
    "SetIfAbsent": lambda client, key: client.set_if_absent(key),
    "CompareAndSet": lambda client, key: client.compare_and_set(key, b"a", b"b"),
    "Delete": lambda client, key: client.delete(key),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_value_comes_back_as_it_was_set(client, key, value):
    assert client.set(key, value) == pb.OK
    assert client.get(key) == value


def test_a_missing_key_is_a_miss_and_not_an_error(client, key):
    assert client.get(key) is None


def test_the_last_write_wins(client, key):
    client.set(key, b"first")
    client.set(key, b"second")
    assert client.get(key) == b"second"


def test_a_deleted_value_is_gone_and_deleting_again_is_ok(client, key):
    client.set(key)
    assert client.delete(key) == pb.OK
    assert client.get(key) is None
    assert client.delete(key) == pb.OK


def test_set_if_absent_stores_once(client, key):
    assert client.set_if_absent(key, b"first") == pb.STORED
    assert client.set_if_absent(key, b"second") == pb.EXISTS
    assert client.get(key) == b"first"


def test_set_if_absent_stores_again_after_a_delete(client, key):
    client.set_if_absent(key, b"first")
    client.delete(key)
    assert client.set_if_absent(key, b"second") == pb.STORED
    assert client.get(key) == b"second"


def test_compare_and_set_on_a_missing_key_is_not_found(client, key):
    assert client.compare_and_set(key, b"", b"new") == pb.NOT_FOUND
    assert client.get(key) is None


def test_compare_and_set_stores_only_over_the_expected_value(client, key):
    client.set(key, b"old")
    assert client.compare_and_set(key, b"other", b"new") == pb.MISMATCH
    assert client.get(key) == b"old"
    assert client.compare_and_set(key, b"old", b"new") == pb.STORED
    assert client.get(key) == b"new"


def test_compare_and_set_can_expect_the_empty_value(client, key):
    client.set(key, b"")
    assert client.compare_and_set(key, b"", b"new") == pb.STORED


# Keys


@pytest.mark.parametrize("call", SINGLE_KEY_CALLS.values(), ids=SINGLE_KEY_CALLS.keys())
def test_an_empty_key_is_refused(client, call):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, KEY_EMPTY):
        call(client, "")


@pytest.mark.parametrize("character", ["k", "é", "€", "😀"], ids=["1 byte", "2 bytes", "3 bytes", "4 bytes"])
@pytest.mark.parametrize("call", SINGLE_KEY_CALLS.values(), ids=SINGLE_KEY_CALLS.keys())
def test_a_key_is_measured_in_characters(client, call, character):
    call(client, character * 256)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, KEY_TOO_LONG):
        call(client, character * 257)


@pytest.mark.parametrize("odd", [" ", " k ", "\n", "a\0b", "4:team:x", "ключ"])
def test_any_character_may_stand_in_a_key(client, odd):
    client.set(odd, odd.encode())
    assert client.get(odd) == odd.encode()
    client.delete(odd)


# Sizes. The shared server takes values of up to 64 KiB.

LARGEST = b"x" * (64 * 1024)


def test_a_value_of_exactly_the_limit_is_stored(client, key):
    client.set(key, LARGEST)
    assert client.get(key) == LARGEST
    client.delete(key)


def test_a_value_over_the_limit_is_refused_and_the_old_one_stays(client, key):
    client.set(key, b"old")
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, VALUE_TOO_LARGE):
        client.set(key, LARGEST + b"x")
    assert client.get(key) == b"old"


def test_conditional_writes_refuse_a_value_over_the_limit_too(client, key):
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, VALUE_TOO_LARGE):
        client.set_if_absent(key, LARGEST + b"x")
    client.set(key, b"old")
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, VALUE_TOO_LARGE):
        client.compare_and_set(key, b"old", LARGEST + b"x")
    assert client.get(key) == b"old"


def test_the_outcome_of_a_condition_is_decided_before_the_size(client, key):
    assert client.compare_and_set(key, b"old", LARGEST + b"x") == pb.NOT_FOUND
    client.set(key, b"old")
    assert client.set_if_absent(key, LARGEST + b"x") == pb.EXISTS
    assert client.compare_and_set(key, b"other", LARGEST + b"x") == pb.MISMATCH


def test_a_value_as_large_as_the_whole_memory_is_stored(start, connect):
    """The overhead of its entry does not count against a value that the limit
    on values allows."""
    mebibyte = 1024 * 1024
    server = start(CACHE_MAX_MEMORY_MB="1", CACHE_MAX_VALUE_BYTES=str(mebibyte))
    client = connect(server.grpc)
    assert client.set("k", b"x" * mebibyte) == pb.OK
    assert client.get("k") == b"x" * mebibyte


# Atomicity


def test_of_many_at_once_exactly_one_set_if_absent_stores(client, key):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda n: client.set_if_absent(key, b"%d" % n), range(64)))
    assert outcomes.count(pb.STORED) == 1
    assert outcomes.count(pb.EXISTS) == 63
    assert client.get(key) == b"%d" % outcomes.index(pb.STORED)


def test_no_increment_by_compare_and_set_is_lost(client, key):
    client.set(key, b"0")

    def add_ten(_):
        for _ in range(10):
            while True:
                seen = client.get(key)
                if client.compare_and_set(key, seen, b"%d" % (int(seen) + 1)) == pb.STORED:
                    break

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(add_ten, range(8)))
    assert client.get(key) == b"80"


def test_many_calls_at_once_on_one_connection_are_all_answered(client, key):
    get = client.channel.unary_unary(
        "/cache.CacheService/Get",
        request_serializer=pb.CacheKey.SerializeToString,
        response_deserializer=pb.CacheValue.FromString,
    )
    client.set(key, b"v")
    calls = [get.future(pb.CacheKey(key=key), timeout=TIMEOUT_S) for _ in range(1000)]
    assert {call.result().value for call in calls} == {b"v"}


# Time. All keys are written first, then one wait of a little over a second
# serves every case: what is asked of each is whether it outlived that wait.

TTL_CASES = {
    # name: (writes, is it alive after a second?)
    "a ttl of one second": (lambda c, k: c.set(k, ttl=1), False),
    "a ttl of zero": (lambda c, k: c.set(k, ttl=0), True),
    "a negative ttl": (lambda c, k: c.set(k, ttl=-1), True),
    "the most negative ttl": (lambda c, k: c.set(k, ttl=-(2**31)), True),
    "the largest ttl": (lambda c, k: c.set(k, ttl=2**31 - 1), True),
    "an overwrite with a longer ttl": (lambda c, k: (c.set(k, ttl=1), c.set(k, ttl=60)), True),
    "an overwrite with a shorter ttl": (lambda c, k: (c.set(k, ttl=60), c.set(k, ttl=1)), False),
    "an overwrite with no ttl": (lambda c, k: (c.set(k, ttl=1), c.set(k)), True),
    "set if absent": (lambda c, k: c.set_if_absent(k, ttl=1), False),
    "set if absent that found a value": (lambda c, k: (c.set(k, ttl=1), c.set_if_absent(k, ttl=60)), False),
    "compare and set": (lambda c, k: (c.set(k, ttl=60), c.compare_and_set(k, b"v", b"w", ttl=1)), False),
    "compare and set to a longer ttl": (lambda c, k: (c.set(k, ttl=1), c.compare_and_set(k, b"v", b"w", ttl=60)), True),
    "compare and set that did not match": (
        lambda c, k: (c.set(k, ttl=1), c.compare_and_set(k, b"?", b"w", ttl=60)),
        False,
    ),
    "multi set": (lambda c, k: c.MultiSet(pb.MultiCacheItemRequest(items=[pb.CacheItem(key=k, ttl=1)])), False),
    "read half-way": (lambda c, k: c.set(k, ttl=1), False),
}


@pytest.fixture(scope="module")
def a_second_later(client):
    for name, (write, _) in TTL_CASES.items():
        write(client, f"ttl {name}")
    for name in ("get", "set if absent again", "compare and set again", "multi get"):
        client.set(f"expired for {name}", b"v", ttl=1)
    time.sleep(0.5)
    assert client.get("ttl read half-way") is not None
    time.sleep(0.6)
    return client


@pytest.mark.parametrize("name", TTL_CASES)
def test_time_to_live(a_second_later, name):
    alive = TTL_CASES[name][1]
    assert (a_second_later.get(f"ttl {name}") is not None) == alive


def test_an_expired_value_counts_as_absent_for_set_if_absent(a_second_later):
    assert a_second_later.set_if_absent("expired for set if absent again", b"w") == pb.STORED


def test_an_expired_value_is_not_found_for_compare_and_set(a_second_later):
    assert a_second_later.compare_and_set("expired for compare and set again", b"v", b"w") == pb.NOT_FOUND


def test_an_expired_value_is_a_miss_in_a_batch(a_second_later):
    reply = a_second_later.MultiGet(pb.MultiCacheKeyRequest(keys=["expired for multi get"]))
    assert [(item.found, item.value, item.error) for item in reply.items] == [(False, b"", "")]

"""MultiGet, MultiSet and MultiDelete: the RPC is OK and each item has its own
result, in the order asked."""

import pytest

import cache_pb2 as pb
from wire import KEY_EMPTY, KEY_TOO_LONG, VALUE_TOO_LARGE

TOO_LONG = "k" * 257
TOO_LARGE = b"x" * (64 * 1024 + 1)


def multi_get(client, *keys):
    items = client.MultiGet(pb.MultiCacheKeyRequest(keys=keys)).items
    return [(item.key, item.found, item.value, item.error) for item in items]


def multi_set(client, *items):
    items = [pb.CacheItem(key=key, value=value) for key, value in items]
    return _results(client.MultiSet(pb.MultiCacheItemRequest(items=items)))


def multi_delete(client, *keys):
    return _results(client.MultiDelete(pb.MultiCacheKeyRequest(keys=keys)))


def _results(reply):
    return [(item.key, item.status, item.error) for item in reply.items]


@pytest.mark.parametrize("call", [multi_get, multi_set, multi_delete])
def test_an_empty_batch_has_no_results(client, call):
    assert call(client) == []


def test_values_are_set_read_and_deleted_together(client, key):
    one, two = f"{key}-1", f"{key}-2"
    assert multi_set(client, (one, b"1"), (two, b"2")) == [(one, pb.OK, ""), (two, pb.OK, "")]
    assert multi_get(client, two, one) == [(two, True, b"2", ""), (one, True, b"1", "")]
    assert multi_delete(client, one, two) == [(one, pb.OK, ""), (two, pb.OK, "")]
    assert multi_get(client, one, two) == [(one, False, b"", ""), (two, False, b"", "")]


def test_multi_get_answers_hits_misses_errors_and_duplicates_in_order(client, key):
    client.set(key, b"v")
    missing = f"{key}-missing"
    assert multi_get(client, key, "", missing, key, TOO_LONG, missing) == [
        (key, True, b"v", ""),
        ("", False, b"", KEY_EMPTY),
        (missing, False, b"", ""),
        (key, True, b"v", ""),
        (TOO_LONG, False, b"", KEY_TOO_LONG),
        (missing, False, b"", ""),
    ]


def test_multi_set_stores_what_it_can_and_reports_the_rest(client, key):
    small, large = f"{key}-small", f"{key}-large"
    client.set(large, b"old")
    assert multi_set(client, ("", b"v"), (small, b"v"), (large, TOO_LARGE), (TOO_LONG, b"v")) == [
        ("", pb.ERROR, KEY_EMPTY),
        (small, pb.OK, ""),
        (large, pb.ERROR, VALUE_TOO_LARGE),
        (TOO_LONG, pb.ERROR, KEY_TOO_LONG),
    ]
    assert client.get(small) == b"v"
    assert client.get(large) == b"old"


def test_of_duplicates_in_a_multi_set_the_last_one_stays(client, key):
    results = multi_set(client, (key, b"1"), (key, b"2"), (key, b"3"))
    assert results == [(key, pb.OK, "")] * 3
    assert client.get(key) == b"3"


def test_multi_delete_is_ok_for_missing_keys_and_duplicates(client, key):
    client.set(key)
    assert multi_delete(client, key, "", f"{key}-missing", key, TOO_LONG) == [
        (key, pb.OK, ""),
        ("", pb.ERROR, KEY_EMPTY),
        (f"{key}-missing", pb.OK, ""),
        (key, pb.OK, ""),
        (TOO_LONG, pb.ERROR, KEY_TOO_LONG),
    ]
    assert client.get(key) is None


def test_a_thousand_items_keep_their_order(client, key):
    pairs = [(f"{key}-{n}", b"%d" % n) for n in range(1000)]
    assert [status for _, status, _ in multi_set(client, *pairs)] == [pb.OK] * 1000
    found = multi_get(client, *[name for name, _ in pairs])
    assert found == [(name, True, value, "") for name, value in pairs]
    multi_delete(client, *[name for name, _ in pairs])

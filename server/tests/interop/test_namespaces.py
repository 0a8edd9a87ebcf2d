"""Keyspaces chosen by the metadata x-cache-namespace."""

import grpc
import pytest

import cache_pb2 as pb
from wire import NAMESPACED_KEY_TOO_LONG, refused

# Each RPC that takes a namespace, as (name, a valid request).
CALLS = {
    "Get": pb.CacheKey(key="k"),
    "MultiGet": pb.MultiCacheKeyRequest(keys=["k"]),
    "Set": pb.CacheItem(key="k", value=b"v"),
    "SetIfAbsent": pb.CacheItem(key="k", value=b"v"),
    "CompareAndSet": pb.CompareAndSetRequest(key="k", expected_value=b"v", value=b"w"),
    "MultiSet": pb.MultiCacheItemRequest(items=[pb.CacheItem(key="k", value=b"v")]),
    "Delete": pb.CacheKey(key="k"),
    "MultiDelete": pb.MultiCacheKeyRequest(keys=["k"]),
}

VALID = ["t", "7", "Team", "team.blue_green-1", "0.-_", "n" * 64]

INVALID = {
    "starts with a dot": ".team",
    "starts with a dash": "-team",
    "starts with an underscore": "_team",
    "a space inside": "te am",
    "a colon": "te:am",
    "a slash": "te/am",
    "one character too many": "n" * 65,
}


@pytest.mark.parametrize("namespace", VALID)
def test_a_valid_namespace_is_a_keyspace_of_its_own(client, key, namespace):
    client.set(key, b"inside", namespace=namespace)
    assert client.get(key, namespace=namespace) == b"inside"
    assert client.get(key) is None
    assert client.get(key, namespace="elsewhere") is None


def test_namespaces_do_not_touch_one_another(client, key):
    for namespace in (None, "a", "b"):
        client.set(key, f"in {namespace}".encode(), namespace=namespace)
    client.delete(key, namespace="a")
    assert client.get(key, namespace="a") is None
    assert client.get(key, namespace="b") == b"in b"
    assert client.get(key) == b"in None"
    assert client.set_if_absent(key, namespace="a") == pb.STORED
    assert client.compare_and_set(key, b"in None", b"w", namespace="b") == pb.MISMATCH


def test_namespaces_are_told_apart_by_case(client, key):
    client.set(key, b"lower", namespace="team")
    assert client.get(key, namespace="Team") is None


@pytest.mark.parametrize("blank", ["", " ", " \t "])
def test_a_blank_namespace_is_the_shared_keyspace(client, key, blank):
    client.set(key, b"shared")
    assert client.get(key, namespace=blank.replace("\t", " ")) == b"shared"


@pytest.mark.parametrize("padded", [" team", "team ", "  team  "])
def test_white_space_around_a_namespace_is_trimmed(client, key, padded):
    client.set(key, b"v", namespace=padded)
    assert client.get(key, namespace="team") == b"v"


def test_a_plain_key_never_reaches_into_a_namespace(client, key):
    client.set(key, b"inside", namespace="team")
    assert client.get(f"4:team:{key}") is None
    client.set(f"4:team:{key}", b"outside")
    assert client.get(key, namespace="team") == b"inside"
    client.delete(f"4:team:{key}")
    assert client.get(key, namespace="team") == b"inside"


def test_a_batch_works_in_its_namespace(client, key):
    items = [pb.CacheItem(key=key, value=b"inside")]
    client.MultiSet(pb.MultiCacheItemRequest(items=items), namespace="team")
    keys = pb.MultiCacheKeyRequest(keys=[key])
    [inside] = client.MultiGet(keys, namespace="team").items
    [outside] = client.MultiGet(keys).items
    assert (inside.key, inside.found, inside.value) == (key, True, b"inside")
    assert (outside.key, outside.found) == (key, False)
    client.MultiDelete(keys)
    assert client.get(key, namespace="team") == b"inside"
    client.MultiDelete(keys, namespace="team")
    assert client.get(key, namespace="team") is None


@pytest.mark.parametrize("namespace", INVALID.values(), ids=INVALID.keys())
@pytest.mark.parametrize("rpc", CALLS)
def test_an_invalid_namespace_fails_the_whole_call(client, rpc, namespace):
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        getattr(client, rpc)(CALLS[rpc], namespace=namespace)


# `4:team:` takes 7 of the 256 characters, `64:` and 64 letters and `:` take 68.


@pytest.mark.parametrize("character", ["k", "😀"], ids=["1 byte", "4 bytes"])
@pytest.mark.parametrize("namespace, room", [("team", 249), ("n" * 64, 188)], ids=["short", "long"])
def test_namespace_and_key_share_the_limit(client, namespace, room, character):
    assert client.set(character * room, b"v", namespace=namespace) == pb.OK
    assert client.get(character * room, namespace=namespace) == b"v"
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        client.set(character * (room + 1), b"v", namespace=namespace)
    assert refusal.message.startswith(NAMESPACED_KEY_TOO_LONG)


def test_in_a_batch_a_namespaced_key_that_is_too_long_is_its_own_error(client, key):
    client.set(key, b"v", namespace="team")
    keys = pb.MultiCacheKeyRequest(keys=["k" * 250, key])
    too_long, hit = client.MultiGet(keys, namespace="team").items
    assert not too_long.found and too_long.error.startswith(NAMESPACED_KEY_TOO_LONG)
    assert hit.found and hit.error == ""

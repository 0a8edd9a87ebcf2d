"""The request id of every reply: in the initial metadata, or in the one block of an error."""

import grpc
import pytest

import cache_pb2 as pb
from test_namespaces import CALLS
from wire import refused, request_id_of

EVERY_CALL = {**CALLS, "Stats": pb.Empty()}

FAILURES = {
    "empty key": ("Get", pb.CacheKey(), {}, grpc.StatusCode.INVALID_ARGUMENT),
    "key too long": ("Delete", pb.CacheKey(key="k" * 257), {}, grpc.StatusCode.INVALID_ARGUMENT),
    "invalid namespace": ("MultiGet", pb.MultiCacheKeyRequest(), {"namespace": "!"}, grpc.StatusCode.INVALID_ARGUMENT),
    "value too large": (
        "Set",
        pb.CacheItem(key="k", value=b"x" * (64 * 1024 + 1)),
        {},
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    ),
}


@pytest.mark.parametrize("rpc", EVERY_CALL)
def test_a_given_id_is_sent_back(client, rpc):
    _, call = client.with_call(rpc, EVERY_CALL[rpc], request_id="order-4711")
    assert request_id_of(call) == "order-4711"


@pytest.mark.parametrize("rpc", EVERY_CALL)
def test_an_id_is_made_when_none_is_given(client, rpc):
    _, call = client.with_call(rpc, EVERY_CALL[rpc])
    assert request_id_of(call)


def test_made_ids_are_unique(client):
    made = [request_id_of(client.with_call("Get", pb.CacheKey(key="k"))[1]) for _ in range(200)]
    assert len(set(made)) == 200


def test_an_id_is_sent_once(client):
    _, call = client.with_call("Get", pb.CacheKey(key="k"), request_id="only-one")
    assert [value for name, value in call.initial_metadata() if name == "x-request-id"] == ["only-one"]


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_call_sends_the_given_id_back_too(client, name):
    rpc, request, metadata, code = FAILURES[name]
    with refused(code) as refusal:
        client.with_call(rpc, request, request_id="failed-1", **metadata)
    assert request_id_of(refusal.call) == "failed-1"


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_call_has_an_id_made_too(client, name):
    rpc, request, metadata, code = FAILURES[name]
    with refused(code) as refusal:
        client.with_call(rpc, request, **metadata)
    assert request_id_of(refusal.call)

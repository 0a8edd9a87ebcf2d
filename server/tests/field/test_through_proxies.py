"""Calls through each proxy end as they would without it."""

import pytest

import proxies
from wire import TIMEOUT_S, VALUE_TOO_LARGE, refused, request_id_of

import grpc

pytestmark = pytest.mark.parametrize("kind", sorted(proxies.PROXIES))


def test_a_value_comes_back_as_it_was_set(start, connect, behind, kind):
    client = connect(behind(kind, start().grpc).address)
    value = bytes(range(256)) * 4096
    client.set("big", value)
    assert client.get("big") == value
    assert client.get("nothing") is None


def test_an_error_keeps_its_code_its_message_and_its_request_id(start, connect, behind, kind):
    client = connect(behind(kind, start(CACHE_MAX_VALUE_BYTES="1024").grpc).address)
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, VALUE_TOO_LARGE) as refusal:
        client.set("k", b"x" * 1025, request_id="mine")
    assert request_id_of(refusal.call) == "mine"


@pytest.mark.parametrize("mebibytes", [5, 20])
def test_a_refusal_reaches_a_caller_who_is_still_sending(start, connect, behind, kind, mebibytes):
    client = connect(behind(kind, start(CACHE_MAX_VALUE_BYTES="1024").grpc).address)
    message = bytes(mebibytes << 20)
    # Several times: whether a reset overtakes a reply is a race.
    for _ in range(5):
        with refused(grpc.StatusCode.RESOURCE_EXHAUSTED) as refusal:
            client.set("k", message, request_id="mine")
        assert request_id_of(refusal.call) == "mine"
        for path in ["/cache.CacheService/Gat", "/no.such.Service/Get"]:
            with refused(grpc.StatusCode.UNIMPLEMENTED):
                client.channel.unary_unary(path)(message, timeout=TIMEOUT_S)
    client.set("k")
    assert client.get("k") == b"v"

"""Calls through each proxy end as they would without it."""

import pytest

import proxies
from wire import VALUE_TOO_LARGE, refused, request_id_of

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

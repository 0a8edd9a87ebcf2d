"""What clients are told to connect to, and send as HTTP/2's authority."""

import grpc
import pytest


@pytest.mark.parametrize("target", ["ipv4:{0}", "ipv4:{0},{0}", "ipv4:{0},127.0.0.1:1", "dns:///{0}", "dns:{0}"])
def test_every_form_of_a_target_reaches_the_server(server, connect, key, target):
    """The authority of a target with several addresses is none of a URI, and
    every call was reset with PROTOCOL_ERROR."""
    client = connect(target.format(server.grpc))
    client.set(key, b"v")
    assert client.get(key) == b"v"


@pytest.mark.parametrize("authority", ["a name", "%2Frun%2Fcache.sock", "/run/cache.sock", "a:b:c", "[fe80::1%25eth0]"])
def test_an_authority_of_the_callers_own_costs_no_call(server, connect, key, authority):
    client = connect(server.grpc, options=[("grpc.default_authority", authority)])
    client.set(key, b"v")
    assert client.get(key) == b"v"


@pytest.mark.parametrize("size", [12_000, 15_000])
def test_long_metadata_passes_up_to_the_limit(server, connect, key, size):
    call = connect(server.grpc).channel.unary_unary("/cache.CacheService/Stats")
    call(b"", timeout=10, metadata=[("some-metadata", "m" * size)])


def test_metadata_beyond_the_limit_is_resource_exhausted(server, connect):
    call = connect(server.grpc).channel.unary_unary("/cache.CacheService/Stats")
    with pytest.raises(grpc.RpcError) as refused:
        call(b"", timeout=10, metadata=[("some-metadata", "m" * 20_000)])
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED

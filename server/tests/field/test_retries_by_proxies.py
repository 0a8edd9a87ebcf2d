"""A proxy's own retries repeat what the server refuses."""

import grpc

from figures import calls_that_ended
from wire import refused, request_id_of


def test_envoy_repeats_a_refused_call(start, connect, behind):
    server = start(CACHE_MAX_VALUE_BYTES="1024")
    route = {"retry_policy": {"retry_on": "resource-exhausted", "num_retries": 3}}
    client = connect(behind("envoy", server.grpc, route=route).address)
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED) as refusal:
        client.set("k", b"x" * 1025, request_id="mine")
    assert request_id_of(refusal.call) == "mine"
    assert calls_that_ended(server, "cache.CacheService/Set", "RESOURCE_EXHAUSTED") == 4

"""gRPC's own retries repeat what the server refuses: an error is trailers-only, and only
such an error is still open to a retry policy (gRFC A6)."""

import json

import grpc
import pytest

from figures import calls_that_ended
from test_request_ids import FAILURES
from wire import refused, request_id_of

TRIES = 4


def policy(*codes):
    """A service config that repeats a call of any method while it ends with one of `codes`."""
    retries = {
        "maxAttempts": TRIES,
        "initialBackoff": "0.05s",
        "maxBackoff": "0.1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": [code.name for code in codes],
    }
    config = {"methodConfig": [{"name": [{}], "retryPolicy": retries}]}
    return [("grpc.service_config", json.dumps(config))]


@pytest.mark.parametrize("name", FAILURES)
def test_a_retry_policy_repeats_a_refused_call(start, connect, name):
    rpc, request, metadata, code = FAILURES[name]
    server = start(CACHE_MAX_VALUE_BYTES=str(64 * 1024))
    client = connect(server.grpc, options=policy(code))
    with refused(code) as refusal:
        client.with_call(rpc, request, request_id="again-1", **metadata)
    assert request_id_of(refusal.call) == "again-1"
    assert calls_that_ended(server, f"cache.CacheService/{rpc}", code.name) == TRIES


def test_a_retry_policy_leaves_other_errors_alone(start, connect):
    server = start()
    client = connect(server.grpc, options=policy(grpc.StatusCode.UNAVAILABLE))
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        client.get("")
    assert calls_that_ended(server, "cache.CacheService/Get", "INVALID_ARGUMENT") == 1

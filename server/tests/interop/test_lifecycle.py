"""Start, health probe, drain and stop, as an orchestrator sees them."""

import contextlib
import socket
import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import cache_pb2 as pb
from process import run
from web import eventually, fetch
from wire import TIMEOUT_S


def addresses_of(server):
    return {"CACHE_PORT": str(server.grpc_port), "CACHE_HEALTH_PORT": str(server.http_port)}


@contextlib.contextmanager
def unfinished_set(server, client, key):
    """A Set whose headers the server has and whose message it has not. Yields
    the call and the function that sends the message."""
    send = threading.Event()

    def message():
        send.wait(TIMEOUT_S)
        yield pb.CacheItem(key=key, value=b"in time")

    method = client.channel.stream_unary(
        "/cache.CacheService/Set",
        request_serializer=pb.CacheItem.SerializeToString,
        response_deserializer=pb.CacheResponse.FromString,
    )
    call = method.future(message(), timeout=TIMEOUT_S)
    try:
        assert eventually(lambda: fetch(server, "/stats").json["active_requests"] == 1)
        yield call, send.set
    finally:
        send.set()
        call.cancel()


def test_a_terminated_server_stops_with_exit_code_0(start):
    server = start()
    server.terminate()
    assert server.exit_code() == 0


def test_a_server_may_be_terminated_as_soon_as_it_listens(start):
    """A server that says it listens before it waits for signals is killed by
    one that comes in between; tried often, since the gap is short."""
    for _ in range(10):
        server = start()
        server.terminate()
        assert server.exit_code() == 0


def test_a_server_with_idle_clients_stops_too(start, connect):
    server = start()
    clients = [connect(server.grpc) for _ in range(3)]
    for client in clients:
        client.set("k")
    server.terminate()
    assert server.exit_code() == 0


def test_connections_that_say_nothing_do_not_hold_up_the_stop(start):
    server = start()
    ports = (server.grpc_port, server.http_port)
    with contextlib.ExitStack() as silent:
        for port in ports:
            silent.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT_S))
        server.terminate()
        assert server.exit_code() == 0


def test_a_stopped_server_takes_no_calls(start, connect):
    server = start()
    client = connect(server.grpc)
    client.set("k")
    server.terminate()
    server.exit_code()
    with pytest.raises(grpc.RpcError) as refusal:
        client.get("k")
    assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("service", ["", "cache.CacheService"])
def test_a_health_watch_learns_of_the_drain(start, connect, service):
    server = start()
    stub = health_pb2_grpc.HealthStub(connect(server.grpc).channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_S)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    server.terminate()
    assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert server.exit_code() == 0


def test_a_call_under_way_is_finished_before_the_server_stops(start, connect):
    server = start()
    with unfinished_set(server, connect(server.grpc), "k") as (call, send):
        server.terminate()
        assert eventually(lambda: fetch(server, "/ready").status == 503)
        send()
        assert call.result(TIMEOUT_S).status == pb.OK
    assert server.exit_code() == 0


def test_a_draining_server_is_alive_but_neither_ready_nor_healthy(start, connect):
    server = start()
    with unfinished_set(server, connect(server.grpc), "k"):
        server.terminate()
        assert eventually(lambda: fetch(server, "/ready").status == 503)
        for path in ("/ready", "/health"):
            reply = fetch(server, path)
            assert (reply.status, reply.json["status"]) == (503, "error")
            assert reply.json["message"] == "Service unavailable"
            assert reply.headers["x-request-id"]
        assert fetch(server, "/live").json["status"] == "alive"
        assert run("healthcheck", **addresses_of(server)).returncode == 1
    assert server.exit_code() == 0


def test_the_default_address_takes_ipv4(start, connect):
    server = start(CACHE_HOST=None)
    assert connect(f"127.0.0.1:{server.grpc_port}").set("k") == pb.OK


@pytest.mark.skipif(not socket.has_ipv6, reason="Python was built without IPv6")
def test_the_default_address_takes_ipv6_where_the_host_has_it(start, connect):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as reason:
        pytest.skip(f"no IPv6 here: {reason}")
    server = start(CACHE_HOST=None)
    assert connect(f"[::1]:{server.grpc_port}").set("k") == pb.OK


# The probe that a container without any tools can run


def test_the_health_check_command_succeeds_while_the_server_serves(server):
    assert run("healthcheck", **addresses_of(server)).returncode == 0


def test_the_health_check_command_fails_when_nothing_listens(start):
    server = start()
    addresses = addresses_of(server)
    server.terminate()
    server.exit_code()
    assert run("healthcheck", **addresses).returncode == 1


def test_the_health_check_command_fails_when_the_listener_never_answers():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = str(mute.getsockname()[1])
        outcome = run("healthcheck", CACHE_PORT=port, CACHE_HEALTH_PORT=port)
    assert outcome.returncode == 1


def test_the_default_health_address_can_be_probed(start):
    """0.0.0.0 and [::] are addresses to bind, not to connect to."""
    server = start(CACHE_HOST=None, CACHE_HEALTH_HOST=None)
    outcome = run("healthcheck", CACHE_HOST=None, CACHE_HEALTH_HOST=None, **addresses_of(server))
    assert outcome.returncode == 0, outcome.stderr

"""Servers in containers that are short of something, or are stopped."""

import os
import time

import pytest

from engine import LOADTEST, docker, run_once
from load import Load
from web import fetch


def workers(server):
    [event] = server.events("listening")
    return event["workers"]


def test_docker_stop_under_load_costs_a_retrying_client_no_call(start):
    server = start()
    with Load(server.grpc) as load:
        assert load.goes_on(1000), load.failures
        begun = time.monotonic()
        server.stop()
        took = time.monotonic() - begun
        state, drained = server.state, server.events("drained")
        server.start_again()
        assert load.goes_on(1000), load.failures
    assert load.failures == []
    # Docker's SIGKILL after its 10 s would be 137; a drain that was cut off has another line.
    assert state["ExitCode"] == 0 and len(drained) == 1, state
    print(f"stopped in {took:.2f} s; {load.calls} calls, none failed")


def test_a_flood_of_writes_does_not_get_a_server_killed_for_its_memory(start, network):
    """Sets beyond ten times the limit, as fast as they are answered, while others call."""
    server = start(
        f"--network={network}", "--network-alias=cache", "--memory=128m", "--memory-swap=128m", CACHE_MAX_MEMORY_MB="80"
    )
    started = server.state["StartedAt"]
    with Load(server.grpc, threads=1) as others:
        # Its exit code is not 0 if a single write fails.
        run_once(
            LOADTEST, "run", "--target=cache:50051", "--rate=max", "--requests=200000", "--mix=set=1",
            "--keys=500000", "--value-size=256..16384", "--connections=16", "--in-flight=256", "--progress=none",
            options=[f"--network={network}"], deadline_s=240,
        )  # fmt: skip
        assert others.goes_on(100), others.failures
    assert others.failures == []
    state = server.state
    assert state["Running"] and not state["OOMKilled"] and state["StartedAt"] == started, state
    stats = fetch(server, "/stats").json
    assert stats["evictions"] > 100_000, stats
    usage = docker("stats", "--no-stream", "--format={{.MemUsage}}", server.id)
    print(f"{stats['evictions']} evictions, {others.calls} other calls; memory afterwards {usage}")


def test_the_level_of_the_log_is_not_for_whoever_comes_through_a_published_port(start):
    assert fetch(start(), "/log-level").status == 403
    assert fetch(start(CACHE_LOG_LEVEL_REMOTE="true"), "/log-level").json == {"level": "INFO"}


def test_a_server_with_one_cpu_starts_one_worker(start):
    assert workers(start("--cpus=1")) == 1


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="this machine has one core")
def test_a_server_without_a_limit_starts_a_worker_for_each_core(start):
    assert workers(start()) == len(os.sched_getaffinity(0))

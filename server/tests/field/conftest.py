"""Fixtures: servers, and each proxy in front of one. The proxies are programs
of their own; a test names the one that it needs, or takes each in turn."""

import contextlib

import pytest

import proxies
from process import Server
from wire import Client


@pytest.fixture
def start():
    """Starts a server with settings of the test's own: `start(CACHE_MAX_ITEMS="10")`."""
    with contextlib.ExitStack() as running:
        yield lambda **settings: running.enter_context(Server(**settings))


@pytest.fixture
def connect():
    """Opens grpcio clients that are closed after the test."""
    with contextlib.ExitStack() as opened:
        yield lambda address, **options: opened.enter_context(Client(address, **options))


@pytest.fixture
def behind(tmp_path):
    """Starts a proxy in front of gRPC addresses: `behind("envoy", server.grpc).address`."""
    with contextlib.ExitStack() as running:
        yield lambda kind, *upstreams, **options: running.enter_context(
            proxies.PROXIES[kind](tmp_path, upstreams, **options)
        )

"""Fixtures: servers, and each proxy in front of one. The proxies are programs
of their own; a test names the one that it needs, or takes each in turn."""

import contextlib

import pytest

import proxies
from fixtures import connect, start  # noqa: F401


@pytest.fixture
def behind(tmp_path):
    """Starts a proxy in front of gRPC addresses: `behind("envoy", server.grpc).address`."""
    with contextlib.ExitStack() as running:
        yield lambda kind, *upstreams, **options: running.enter_context(
            proxies.PROXIES[kind](tmp_path, upstreams, **options)
        )

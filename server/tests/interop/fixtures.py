"""The fixtures of every suite that drives the real binary from Python."""

import contextlib

import pytest

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

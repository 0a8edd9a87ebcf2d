"""Fixtures: one server that most tests share, and servers of one's own."""

import itertools

import pytest

from certificates import Authority
from fixtures import connect, start  # noqa: F401
from process import Server
from wire import Client

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server():
    """Shared by every test that needs no setting and no count of its own."""
    with Server(CACHE_MAX_VALUE_BYTES=str(64 * 1024)) as running:
        yield running


@pytest.fixture(scope="session")
def client(server):
    with Client(server.grpc) as connected:
        yield connected


@pytest.fixture
def key():
    """A key that no other test uses."""
    return f"key-{next(_numbers)}"


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def other_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("other-certificates"))

"""Fixtures: servers of the image that was just built."""

import contextlib

import pytest

from web import eventually


@pytest.fixture
def start():
    """Starts a server and waits until Docker calls it healthy: `start("--memory=128m",
    CACHE_MAX_MEMORY_MB="80")`."""
    from engine import Container

    with contextlib.ExitStack() as running:

        def start_one(*options, **settings):
            # Asked more often than by the image's own schedule, to wait less.
            container = running.enter_context(Container("--health-interval=1s", *options, **settings))
            assert eventually(lambda: container.healthy, within_s=60), container.state
            return container

        yield start_one


# Of the session, so that it is removed when no container is left in it.
@pytest.fixture(scope="session")
def network():
    """A network that containers know one another by name in."""
    from engine import LABEL, RUN, docker

    name = f"{RUN}-network"
    docker("network", "create", "--label", LABEL, name)
    yield name
    docker("network", "rm", name)

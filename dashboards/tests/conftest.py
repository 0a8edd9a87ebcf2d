"""Fixtures, and what a run says of itself: its progress, and its figures at the end."""

import pytest

from stack import Stack

_figures = pytest.StashKey[list]()


def pytest_configure(config):
    config.stash[_figures] = []


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash[_figures]:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figures(pytestconfig):
    """Lines for the end of the run."""
    return pytestconfig.stash[_figures]


@pytest.fixture(scope="session")
def stack(pytestconfig):
    plugins = pytestconfig.pluginmanager
    capture, reporter = plugins.getplugin("capturemanager"), plugins.getplugin("terminalreporter")

    def say(line):
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)

    with Stack(say) as running:
        yield running

"""Fixtures: what every client of a run shares."""

import pytest

from certificates import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def identity(authority):
    return authority.issue("server")

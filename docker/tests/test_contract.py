"""The container keeps the wire contract: the interop tests, with the image in the place of
the program. Those of TLS and of the process's own life need files and signals of the host."""

import os
import pathlib
import subprocess
import sys

import pytest

from engine import LABEL, docker

HERE = pathlib.Path(__file__).resolve().parent
INTEROP = HERE.parents[1] / "server" / "tests" / "interop"
SUBJECTS = ("operations", "batches", "namespaces", "request_ids", "http", "standard_services")


@pytest.fixture
def remains():
    """Removes the containers afterwards: the tests kill the client that started them."""
    yield
    filters = (f"--filter=label={LABEL}", "--filter=label=tiny-cache.test.contract")
    for container in docker("ps", "--all", "--quiet", *filters).split():
        docker("rm", "--force", container)


@pytest.mark.usefixtures("remains")
def test_a_server_with_the_least_rights_keeps_the_contract():
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        + [str(INTEROP / f"test_{subject}.py") for subject in SUBJECTS],
        env={**os.environ, "TINY_CACHE_SERVER_BIN": str(HERE / "server-in-container.sh")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    print(outcome.stdout.splitlines()[-1])

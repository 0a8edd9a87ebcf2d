"""The images by themselves: what is in them, and as whom they run."""

import re
import subprocess

import pytest

from engine import CLI, DEADLINE_S, LABEL, LOADTEST, SERVER, Container, inspect_image, run_once
from web import eventually, fetch

IMAGES = {SERVER: "tiny-cache-server", LOADTEST: "tiny-cache-loadtest", CLI: "tiny-cache"}
MIB = 1024 * 1024


@pytest.fixture(params=IMAGES, ids=IMAGES.values())
def image(request):
    return request.param


def test_an_image_is_below_25_mib(image):
    assert inspect_image(image)["Size"] < 25 * MIB


def test_an_image_runs_as_nobody_in_particular(image):
    assert inspect_image(image)["Config"]["User"] == "65532:65532"


def test_an_image_has_no_shell(image):
    outcome = subprocess.run(
        ["docker", "run", "--rm", "--label", LABEL, "--entrypoint=/bin/sh", image, "-c", "true"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert outcome.returncode == 127, outcome


def test_an_image_says_which_version_it_is(image):
    labels = inspect_image(image)["Config"]["Labels"]
    name = IMAGES[image]
    assert labels["org.opencontainers.image.title"] == name
    assert len(labels["org.opencontainers.image.revision"]) == 40
    assert run_once(image, "--version") == f"{name} {labels['org.opencontainers.image.version']}"


def test_a_server_tells_the_revision_of_its_image(start):
    revision = inspect_image(SERVER)["Config"]["Labels"]["org.opencontainers.image.revision"]
    metrics = fetch(start(), "/metrics").body.decode()
    [info] = re.findall(r"^tiny_cache_build_info\{(.*)\} 1$", metrics, re.M)
    assert f'revision="{revision}"' in info.split(",")


def test_the_server_is_told_to_stop_by_sigterm_and_is_process_1():
    config = inspect_image(SERVER)["Config"]
    assert config["StopSignal"] == "SIGTERM"
    # An exec form: with a shell between, the signal would not arrive.
    assert config["Entrypoint"] == ["/usr/local/bin/tiny-cache-server"]
    assert set(config["ExposedPorts"]) == {"50051/tcp", "8080/tcp"}


def test_a_server_turns_healthy_by_the_check_of_its_image():
    with Container() as server:
        assert eventually(lambda: server.healthy, within_s=DEADLINE_S), server.state


def test_a_server_has_no_rights(start):
    server = start()
    pid = server.state["Pid"]
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        told = dict(line.rstrip("\n").split(":\t", 1) for line in status)
    assert set(told["Uid"].split()) == {"65532"}
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(told[capabilities], 16) == 0, capabilities
    assert told["NoNewPrivs"] == "1"
    host = server.inspect()["HostConfig"]
    assert host["ReadonlyRootfs"] and not host["Privileged"]


def test_the_command_line_reaches_a_server_by_its_name(start, network):
    start(f"--network={network}", "--network-alias=cache")
    options = [f"--network={network}", "--env=TINY_CACHE_TARGET=cache:50051"]
    run_once(CLI, "set", "greeting", "hello", options=options)
    assert run_once(CLI, "get", "greeting", options=options) == "hello"

"""The images by themselves: what is in them, and as whom they run."""

import io
import json
import re
import subprocess
import tarfile
import tomllib
from pathlib import Path

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


def test_an_image_lists_the_crates_of_its_program(image):
    bill = bill_of_materials(image)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert bill["metadata"]["component"]["name"] == IMAGES[image]
    listed = {(crate["name"], crate["version"]) for crate in bill["components"]}
    locked = locked_crates()
    assert listed <= locked
    names = {name for name, _ in listed}
    # Of what is linked, what only one program has, and what only tests use.
    assert {"tokio", "bytes", "tiny-cache-proto"} <= names
    assert ("moka" in names) == (image == SERVER)
    assert not {"proptest", "shuttle", "tiny-cache-test-support"} & names
    assert all(crate["purl"].startswith("pkg:cargo/") for crate in bill["components"])


def bill_of_materials(image):
    """The document in the image, which has no program that would print it."""
    made = ["docker", "create", "--label", LABEL, image]
    container = subprocess.run(made, capture_output=True, text=True, check=True, timeout=DEADLINE_S)
    path = f"{container.stdout.strip()}:/usr/share/sbom/{IMAGES[image]}.cdx.json"
    copy = subprocess.run(["docker", "cp", path, "-"], capture_output=True, timeout=DEADLINE_S)
    subprocess.run(["docker", "rm", container.stdout.strip()], check=True, timeout=DEADLINE_S)
    assert copy.returncode == 0, copy.stderr
    with tarfile.open(fileobj=io.BytesIO(copy.stdout)) as archive:
        [member] = archive.getmembers()
        return json.load(archive.extractfile(member))


def locked_crates():
    lock = Path(__file__).parents[2] / "Cargo.lock"
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    return {(package["name"], package["version"]) for package in packages}


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

"""Drives Docker by its command line. Whatever is made carries the label of this run, by
which run.sh removes it, also when a test fails."""

import json
import os
import socket
import subprocess

# Generous on purpose: a loaded machine must not turn a pass into a failure.
DEADLINE_S = 60

RUN = os.environ["TINY_CACHE_TEST_RUN"]
LABEL = f"tiny-cache.test={RUN}"

SERVER = f"tiny-cache-server:{RUN}"
LOADTEST = f"tiny-cache-loadtest:{RUN}"
CLI = f"tiny-cache:{RUN}"

# What compose.yaml and the manifests of Kubernetes ask for as well.
HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")


def execute(*command, deadline_s=DEADLINE_S, **options):
    """Runs a command to its end; a failure is told with what the command said."""
    outcome = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=deadline_s, **options
    )
    assert outcome.returncode == 0, f"{command}: exit code {outcome.returncode}\n{outcome.stdout}\n{outcome.stderr}"
    return outcome.stdout.strip()


def docker(*arguments, deadline_s=DEADLINE_S):
    return execute("docker", *arguments, deadline_s=deadline_s)


def run_once(image, *arguments, options=(), deadline_s=DEADLINE_S):
    """Runs a program of an image to its end and returns what it wrote."""
    return docker("run", "--rm", "--label", LABEL, *HARDENED, *options, image, *arguments, deadline_s=deadline_s)


def inspect_image(image):
    [description] = json.loads(docker("image", "inspect", image))
    return description


def free_ports(count):
    """Ports of loopback that nobody has: Docker would take others after a restart."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Container:
    """A running server; its ports are published on loopback alone."""

    def __init__(self, *options, **settings):
        self.grpc_port, self.http_port = free_ports(2)
        variables = {"CACHE_LOG_FORMAT": "json", **settings}
        self.id = docker(
            "run", "--detach", "--label", LABEL, *HARDENED,
            f"--publish=127.0.0.1:{self.grpc_port}:50051",
            f"--publish=127.0.0.1:{self.http_port}:8080",
            *(f"--env={name}={value}" for name, value in variables.items()),
            *options, SERVER,
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        docker("rm", "--force", "--volumes", self.id)

    @property
    def grpc(self):
        return f"127.0.0.1:{self.grpc_port}"

    def inspect(self):
        [description] = json.loads(docker("inspect", self.id))
        return description

    @property
    def state(self):
        return self.inspect()["State"]

    @property
    def healthy(self):
        return self.state["Health"]["Status"] == "healthy"

    def events(self, message):
        """The lines of the log with this message, as what they say."""
        outcome = subprocess.run(
            ["docker", "logs", self.id], capture_output=True, text=True, timeout=DEADLINE_S, check=True
        )
        lines = [json.loads(line) for line in outcome.stderr.splitlines()]
        fields = [{**line, **line.get("fields", {})} for line in lines]
        return [line for line in fields if line.get("message") == message]

    def stop(self):
        docker("stop", self.id)

    def start_again(self):
        docker("start", self.id)

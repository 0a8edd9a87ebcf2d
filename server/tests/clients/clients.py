"""The clients that go through the scenarios: how each is started, over what, and what it stands on."""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import cache_pb2 as pb
from agent import Agent, Failed
from figures import calls_that_ended
from scenarios import AT_ONCE, BIG, SCENARIOS

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]

PASS = "pass"
# Not a matter of the server: the client has no such thing.
NONE = "–"


class Missing(Exception):
    """Why a client is not here."""


def prepared(name):
    """What `prepare.sh` made of a client."""
    folder = pathlib.Path(os.environ.get("CLIENTS_DIR", ".")).resolve() / name
    if (folder / "run").is_file():
        return [str(folder / "run")]
    reason = folder / "missing"
    raise Missing(reason.read_text(encoding="utf-8").strip() if reason.is_file() else "it was not prepared")


class Client:
    """A client with an agent. `stack` is what its HTTP/2 is, and `tls` whether it does TLS here."""

    def __init__(self, command, stack, tls=True, environment=None, ci=True):
        self.command, self.stack, self.tls = command, stack, tls
        self.environment, self.ci = environment or {}, ci
        self.version = None

    def run(self, site, authority=None):
        """What became of each scenario."""
        try:
            with Agent(self.command(), site.address, authority, self.environment) as agent:
                self.version = agent.version
                return {name: _outcome(scenario, agent, site) for name, scenario in SCENARIOS.items()}
        except Failed as failed:
            return dict.fromkeys(SCENARIOS, _failure(failed))


def _outcome(scenario, *arguments):
    try:
        scenario(*arguments)
    except Failed as failed:
        return _failure(failed)
    return PASS


def _failure(failed):
    print(f"failed: {failed}", file=sys.stderr)
    return f"fails: {failed.text}"


class H2load:
    """nghttp2's load tester. It sends one request again and again, and reads no gRPC, so the server
    is asked what became of the calls."""

    stack, tls, ci = "nghttp2", True, True
    version = None

    def command(self):
        return prepared("h2load")

    def run(self, site, authority=None):
        self.version = subprocess.run(
            [*self.command(), "--version"], capture_output=True, text=True, check=True
        ).stdout.split("/")[-1].strip()
        base = ("http" if authority is None else "https") + "://" + site.address
        return dict.fromkeys(SCENARIOS, NONE) | {
            "3 MiB both ways": _outcome(self._value_both_ways, base, site),
            "300 calls at once": _outcome(self._calls_at_once, base, site),
        }

    def _value_both_ways(self, base, site):
        self._calls(base, site, "Set", pb.CacheItem(key="big", value=BIG), 1)
        if self._calls(base, site, "Get", pb.CacheKey(key="big"), 1) < len(BIG):
            raise Failed("the value is short")

    def _calls_at_once(self, base, site):
        self._calls(base, site, "SetIfAbsent", pb.CacheItem(key="k", value=b"v"), AT_ONCE)

    def _calls(self, base, site, rpc, request, count):
        """Makes calls at once over one connection, and returns the bytes of data that came back."""
        message = request.SerializeToString()
        with tempfile.NamedTemporaryFile() as body:
            body.write(b"\0" + len(message).to_bytes(4, "big") + message)
            body.flush()
            headers = [f"-H{header}" for header in ("content-type: application/grpc", "te: trailers")]
            numbers = [f"-n{count}", "-c1", f"-m{count}", "-d", body.name]
            url = f"{base}/cache.CacheService/{rpc}"
            ended = subprocess.run(
                [*self.command(), *numbers, *headers, url], capture_output=True, text=True, timeout=60
            )
        if f" {count} succeeded" not in ended.stdout:
            raise Failed("requests fail", " ".join(ended.stdout.split()[-60:]))
        ended_ok = calls_that_ended(site.server, f"cache.CacheService/{rpc}", "OK")
        if ended_ok != count:
            raise Failed("calls fail", f"{ended_ok} of {count} ended with OK")
        return int(re.search(r"\((\d+)\) data$", ended.stdout, re.M)[1])


def python(name):
    return lambda: [sys.executable, str(HERE / "agents" / f"{name}_agent.py")]


def tonic():
    program = pathlib.Path(os.environ["TINY_CACHE_SERVER_BIN"]).resolve().parent / "examples/clients-agent"
    if not program.is_file():
        raise Missing("the examples are not built")
    return [str(program)]


def locked(crate):
    """The version of a crate in the lock file."""
    text = (ROOT / "Cargo.lock").read_text(encoding="utf-8")
    return re.search(rf'^name = "{crate}"\nversion = "(.*)"$', text, re.M)[1]


CLIENTS = {
    "tonic": Client(tonic, "hyper, h2", environment={"TONIC_VERSION": locked("tonic")}),
    "grpcio (Python)": Client(python("grpcio"), "gRPC core"),
    "grpclib (Python)": Client(python("grpclib"), "python-h2"),
    "connectrpc (Python)": Client(python("connectrpc"), "reqwest, h2; gzip"),
    "libcurl": Client(python("libcurl"), "nghttp2"),
    "gRPC C++": Client(lambda: prepared("cpp"), "gRPC core"),
    "grpc (Ruby)": Client(lambda: prepared("ruby"), "gRPC core"),
    "h2load": H2load(),
    "grpc-go": Client(lambda: prepared("go"), "its own", ci=False),
    # The Netty of Debian is built without ALPN.
    "grpc-java": Client(lambda: prepared("java"), "Netty", tls=False, ci=False),
    "Node's http2": Client(lambda: prepared("node"), "nghttp2", ci=False),
}

# What is before the server when the client is grpcio.
PROXIED = Client(python("grpcio"), "gRPC core", tls=False)

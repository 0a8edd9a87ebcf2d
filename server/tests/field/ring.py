"""Which server of several Envoy and gRPC choose for a key: asks them, by gRPC calls to servers that
answer with their names. `python ring.py FILE` writes the golden vectors of the client library."""

import base64
import contextlib
import json
import os
import sys
import tempfile
from concurrent import futures
from pathlib import Path

# grpcio has the request hash header (gRFC A76) behind this switch, which it reads when it is loaded.
os.environ.setdefault("GRPC_EXPERIMENTAL_RING_HASH_SET_REQUEST_HASH_KEY", "true")

import grpc  # noqa: E402
import proxies  # noqa: E402

METHOD = "/cache.CacheService/Get"

VECTORS = Path(__file__).parents[3] / "client/testdata/ring.json"

# Servers as (name, weight), in the order of their names, and the ring's smallest and largest size.
SETS = [
    ([("tiny-cache-0.tiny-cache-nodes", 1)], 1024, 4096),
    ([(f"tiny-cache-{n}.tiny-cache-nodes", 1) for n in range(3)], 1024, 4096),
    ([(f"10.0.0.{n}:50051", 1) for n in range(1, 8)], 1024, 4096),
    ([("a", 3), ("b", 3), ("c", 4), ("d", 1)], 100, 4096),
    ([(f"cache-{n:02}.example", n % 3 + 1) for n in range(11)], 900, 900),
]


def keys():
    """A thousand pairs of namespace and key."""
    for n in range(1000):
        namespace = ["", "team", f"tenant-{n % 10}", ""][n % 4]
        key = [f"user:{n}", f"{n}", f"ключ-{n}", f"{'k' * (n % 200)}/{n}"][n // 4 % 4]
        yield namespace, key


def ring_key(namespace, key):
    """The value of `x-cache-key`."""
    return base64.b64encode(f"{namespace}:{key}".encode()).decode()


class _Named(grpc.GenericRpcHandler):
    """Answers every call with a name."""

    def __init__(self, name):
        self.name = name.encode()

    def service(self, _):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self.name)


@contextlib.contextmanager
def named_servers(names):
    """Starts a server for each name; their addresses."""
    servers, addresses = [], []
    try:
        for name in names:
            server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[_Named(name)])
            addresses.append(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
            server.start()
            servers.append(server)
        yield addresses
    finally:
        for server in servers:
            server.stop(None).wait()


def ring_hash(smallest, largest, by_name):
    """The fields of an Envoy cluster and of its route."""
    cluster = {
        # Envoy hashes names of this kind of cluster alone.
        "type": "STRICT_DNS" if by_name else "STATIC",
        "lb_policy": "RING_HASH",
        "ring_hash_lb_config": {"minimum_ring_size": smallest, "maximum_ring_size": largest},
        "common_lb_config": {"consistent_hashing_lb_config": {"use_hostname_for_hashing": by_name}},
    }
    return {"cluster": cluster, "route": {"hash_policy": [{"header": {"header_name": "x-cache-key"}}]}}


def ask(channel, texts):
    """The name of the server that gets the call of each key."""
    call = channel.unary_unary(METHOD)
    return [
        call(b"", metadata=[("x-cache-key", text)], timeout=60, wait_for_ready=True).decode() for text in texts
    ]


def ask_envoy(directory, servers, smallest, largest, texts):
    """The name that Envoy chooses for each key, the servers known by name."""
    with named_servers(name for name, _ in servers) as addresses:
        options = ring_hash(smallest, largest, by_name=True)
        with proxies.Envoy(directory, addresses, hosts=servers, **options) as envoy:
            with grpc.insecure_channel(envoy.address) as channel:
                return ask(channel, texts)


@contextlib.contextmanager
def grpc_ring(addresses):
    """A channel of grpcio with the policy `ring_hash_experimental` over these addresses."""
    policy = {"ring_hash_experimental": {"requestHashHeader": "x-cache-key"}}
    options = [
        ("grpc.service_config", json.dumps({"loadBalancingConfig": [policy]})),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    with grpc.insecure_channel("ipv4:" + ",".join(addresses), options) as channel:
        yield channel


def vectors(directory):
    """The golden vectors, as text: a line for each key, with the place of its server in each set."""
    pairs = list(keys())
    texts = [ring_key(*pair) for pair in pairs]
    chosen = []
    for servers, smallest, largest in SETS:
        places = {name: place for place, (name, _) in enumerate(servers)}
        chosen.append([places[name] for name in ask_envoy(directory, servers, smallest, largest, texts)])
    line = lambda value: json.dumps(value, ensure_ascii=False)  # noqa: E731
    sets = [{"servers": servers, "min": smallest, "max": largest} for servers, smallest, largest in SETS]
    rows = [[*pair, text, list(places)] for pair, text, places in zip(pairs, texts, zip(*chosen), strict=True)]
    joined = [",\n    ".join(map(line, rows)) for rows in (sets, rows)]
    return '{\n  "sets": [\n    %s\n  ],\n  "keys": [\n    %s\n  ]\n}\n' % tuple(joined)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        Path(sys.argv[1]).write_text(vectors(made), encoding="utf-8")

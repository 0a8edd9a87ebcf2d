"""Who chooses the server of a key: the golden vectors of the client library come out of Envoy's own
binary again, and gRPC's policy agrees with it. `ring.py` asks them."""

import json
import os
import subprocess
import textwrap
from pathlib import Path

import grpc
import proxies
import pytest
import ring
from cache_pb2 import CacheItem, CacheKey
from cache_pb2_grpc import CacheServiceStub


def test_envoy_makes_the_golden_vectors_again(tmp_path):
    expected = json.loads(ring.VECTORS.read_text(encoding="utf-8"))
    made = json.loads(ring.vectors(tmp_path))
    assert made["sets"] == expected["sets"]
    differing = [(a, b) for a, b in zip(made["keys"], expected["keys"], strict=True) if a != b]
    assert differing == []
    # Every server of every set has keys.
    for n, servers in enumerate(made["sets"]):
        assert {row[3][n] for row in made["keys"]} == set(range(len(servers["servers"])))


def test_grpc_chooses_the_servers_that_envoy_chooses(tmp_path):
    texts = [ring.ring_key(*pair) for pair in ring.keys()]
    with ring.named_servers("abcde") as addresses:
        # grpcio keeps the order of the addresses, as Envoy does, and hashes address and port.
        with ring.grpc_ring(addresses) as channel:
            by_grpc = ring.ask(channel, texts)
        options = ring.ring_hash(1024, 4096, by_name=False)
        with proxies.Envoy(tmp_path, addresses, **options) as envoy:
            with grpc.insecure_channel(envoy.address) as channel:
                by_envoy = ring.ask(channel, texts)
    assert set(by_grpc) == set("abcde")
    assert by_grpc == by_envoy


def command(target, namespace, *arguments):
    """The command line, which places keys by the client library."""
    options = ["--target", target, *(["--namespace", namespace] if namespace else [])]
    ended = subprocess.run(
        [os.environ["TINY_CACHE_CLI_BIN"], *options, *arguments], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("namespace", ["", "team"])
@pytest.mark.parametrize("chosen_by", ["envoy", "grpc"])
def test_the_library_finds_what_others_wrote_and_they_find_what_it_wrote(start, tmp_path, chosen_by, namespace):
    addresses = sorted(start().grpc for _ in range(3))
    if chosen_by == "envoy":
        names = [f"cache-{n}" for n in range(3)]
        target = ",".join(map("=".join, zip(names, addresses)))
        hosts = [(name, 1) for name in names]
        with proxies.Envoy(tmp_path, addresses, hosts=hosts, **ring.ring_hash(1024, 4096, True)) as envoy:
            with grpc.insecure_channel(envoy.address) as channel:
                exchange(channel, target, namespace)
    else:
        with ring.grpc_ring(addresses) as channel:
            exchange(channel, ",".join(addresses), namespace)
    entries = [json.loads(command(a, "", "stats", "--output", "json"))["entries"] for a in addresses]
    assert sum(entries) == 120 and all(entries)


def exchange(channel, target, namespace):
    """Writes sixty keys on each side, and reads them on the other."""
    stub = CacheServiceStub(channel)

    def metadata(key):
        named = [("x-cache-namespace", namespace)] if namespace else []
        return [("x-cache-key", ring.ring_key(namespace, key)), *named]

    theirs, ours = [f"theirs-{n}" for n in range(60)], [f"ours-{n}" for n in range(60)]
    for key in theirs:
        stub.Set(CacheItem(key=key, value=key.encode()), metadata=metadata(key), timeout=60, wait_for_ready=True)
    assert command(target, namespace, "mget", *theirs) == "".join(f"{key}\t{key}\n" for key in theirs)
    command(target, namespace, "mset", *(f"{key}={key}" for key in ours))
    for key in ours:
        assert stub.Get(CacheKey(key=key), metadata=metadata(key), timeout=60).value == key.encode()


def test_calls_without_the_key_are_spread_at_random(tmp_path):
    """Why a batch through a proxy finds the keys of one server only."""
    with ring.named_servers("abc") as addresses:
        options = ring.ring_hash(1024, 4096, by_name=False)
        with proxies.Envoy(tmp_path, addresses, **options) as envoy:
            with grpc.insecure_channel(envoy.address) as channel:
                call = channel.unary_unary("/cache.CacheService/MultiGet")
                assert {call(b"", timeout=60).decode() for _ in range(200)} == set("abc")


def test_envoy_takes_the_configuration_of_the_docs(tmp_path):
    page = (Path(__file__).parents[3] / "docs/scaling.md").read_text(encoding="utf-8")
    clusters, routes = page.split("```yaml\n")[1].split("```")[0].split("routes:\n")
    config = f"""
static_resources:
{textwrap.indent(clusters, "  ")}
  listeners:
    - address: {{socket_address: {{address: 127.0.0.1, port_value: 50050}}}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: grpc
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
                route_config:
                  virtual_hosts:
                    - name: caches
                      domains: ["*"]
                      routes:
{textwrap.indent(routes, " " * 22)}
"""
    path = tmp_path / "envoy.yaml"
    path.write_text(config, encoding="utf-8")
    command = [proxies._from_wheel("envoy"), "--mode", "validate", "-c", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert "use_hostname_for_hashing: true" in clusters and "x-cache-key" in routes

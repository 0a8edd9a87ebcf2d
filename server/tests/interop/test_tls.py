"""TLS and mutual TLS on the gRPC port, with certificates made for the test."""

import grpc
import pytest

import cache_pb2 as pb


@pytest.fixture(scope="module")
def identities(authority, other_authority):
    return {
        "server": authority.issue("server"),
        "client": authority.issue("client"),
        "stranger": other_authority.issue("stranger"),
    }


@pytest.fixture
def tls_settings(identities):
    return {
        "CACHE_TLS_ENABLED": "true",
        "CACHE_TLS_CERT_PATH": identities["server"].certificate_path,
        "CACHE_TLS_KEY_PATH": identities["server"].key_path,
    }


@pytest.fixture
def mutual_tls_settings(tls_settings, authority):
    return {
        **tls_settings,
        "CACHE_TLS_REQUIRE_CLIENT_AUTH": "true",
        "CACHE_TLS_CLIENT_CA_PATH": authority.certificate_path,
    }


def trusting(authority, identity=None):
    if identity is None:
        return grpc.ssl_channel_credentials(authority.certificate_pem)
    return grpc.ssl_channel_credentials(authority.certificate_pem, identity.key_pem, identity.certificate_pem)


def expect_no_connection(client):
    with pytest.raises(grpc.RpcError) as refusal:
        client.get("k")
    assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE


def expect_service(client):
    assert client.set("k", b"over tls") == pb.OK
    assert client.get("k") == b"over tls"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_client_that_trusts_the_authority_is_served(start, connect, authority, tls_settings, host):
    server = start(**tls_settings)
    expect_service(connect(f"{host}:{server.grpc_port}", credentials=trusting(authority)))


def test_a_client_that_trusts_another_authority_connects_not(start, connect, other_authority, tls_settings):
    server = start(**tls_settings)
    expect_no_connection(connect(server.grpc, credentials=trusting(other_authority)))


def test_a_client_without_tls_connects_not(start, connect, authority, tls_settings):
    server = start(**tls_settings)
    expect_no_connection(connect(server.grpc))
    expect_service(connect(server.grpc, credentials=trusting(authority)))


def test_mutual_tls_serves_a_client_with_a_certificate(start, connect, authority, identities, mutual_tls_settings):
    server = start(**mutual_tls_settings)
    expect_service(connect(server.grpc, credentials=trusting(authority, identities["client"])))


def test_mutual_tls_refuses_a_client_without_a_certificate(start, connect, authority, mutual_tls_settings):
    server = start(**mutual_tls_settings)
    expect_no_connection(connect(server.grpc, credentials=trusting(authority)))


def test_mutual_tls_refuses_a_certificate_of_another_authority(
    start, connect, authority, identities, mutual_tls_settings
):
    server = start(**mutual_tls_settings)
    expect_no_connection(connect(server.grpc, credentials=trusting(authority, identities["stranger"])))


def test_a_tls_server_stops_with_exit_code_0(start, connect, authority, tls_settings):
    server = start(**tls_settings)
    expect_service(connect(server.grpc, credentials=trusting(authority)))
    server.terminate()
    assert server.exit_code() == 0

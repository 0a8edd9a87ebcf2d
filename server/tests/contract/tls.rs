//! TLS and mutual TLS, where they refuse. That TLS serves is what the rows over
//! TLS show.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::support::{
    Cache, Deployment, Site,
    certificates::{self, Certificates, SERVER_NAME},
    messages::{item, key},
    run, wire,
};

#[test]
fn a_plain_client_is_not_served_over_tls() {
    run(async {
        let site = Deployment::Tls.start();
        let mut plain = wire::stream(site.grpc_addr(), false).await;
        plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        // The server says at most a TLS alert, and hangs up.
        let mut said = Vec::new();
        let _ = plain.read_to_end(&mut said).await;
        assert!(said.len() < 9 || said[0] == 0x15, "{said:?}");

        let mut cache = site.connect().await;
        cache.set(item("k", "v")).await.unwrap();
    });
}

#[test]
fn a_client_checks_the_servers_name_and_authority() {
    run(async {
        let site = Deployment::Tls.start();
        let stranger = &Certificates::of_this_process().stranger.certificate;
        let trusting_another = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(stranger))
            .domain_name(SERVER_NAME);
        connect(&site, trusting_another).await.unwrap_err();
        connect(&site, tls(None).domain_name("example.org")).await.unwrap_err();
        connect(&site, tls(None)).await.unwrap();
    });
}

#[test]
fn mutual_tls_serves_a_client_with_a_certificate() {
    run(async {
        let site = mutual();
        let client = &Certificates::of_this_process().client;
        let mut cache = Cache::new(connect(&site, tls(Some(client))).await.unwrap());
        cache.set(item("k", "v")).await.unwrap();
        let found = cache.get(key("k")).await.unwrap();
        assert_eq!(found.value, "v");
    });
}

#[test]
fn mutual_tls_refuses_a_client_without_a_certificate_of_the_authority() {
    run(async {
        let site = mutual();
        let stranger = &Certificates::of_this_process().stranger;
        for identity in [None, Some(stranger)] {
            // With TLS 1.3 a client may believe in the connection until its
            // first answer; so it is the request that must fail.
            if let Ok(channel) = connect(&site, tls(identity)).await {
                Cache::new(channel).get(key("k")).await.unwrap_err();
            }
        }
    });
}

fn mutual() -> Site {
    let authority = Certificates::of_this_process().client_authority();
    Deployment::Tls.start_with(&[
        ("CACHE_TLS_REQUIRE_CLIENT_AUTH", "yes"),
        ("CACHE_TLS_CLIENT_CA_PATH", &authority),
    ])
}

fn tls(identity: Option<&certificates::Identity>) -> ClientTlsConfig {
    let authority = &Certificates::of_this_process().authority;
    let config = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority))
        .domain_name(SERVER_NAME);
    match identity {
        None => config,
        Some(identity) => config.identity(Identity::from_pem(&identity.certificate, &identity.key)),
    }
}

async fn connect(site: &Site, config: ClientTlsConfig) -> Result<Channel, tonic::transport::Error> {
    Endpoint::from_shared(format!("https://{}", site.grpc_addr()))
        .unwrap()
        .tls_config(config)
        .unwrap()
        .connect()
        .await
}

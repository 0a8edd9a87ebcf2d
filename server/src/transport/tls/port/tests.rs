//! A port whose authorities change while a client shakes hands.

use std::sync::Arc;

use futures::FutureExt;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tiny_cache_test_support::certificates::{Authority, Identity};
use tiny_cache_tls::{Authorities, certificates};
use tokio::io::DuplexStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;

fn key_of(identity: &Identity) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap()
}

fn chain_of(identity: &Identity) -> Vec<CertificateDer<'static>> {
    vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()]
}

fn keys(own: &Identity, signers: &Authority) -> Keys {
    let certified = CertifiedKey::from_der(chain_of(own), key_of(own), &provider()).unwrap();
    let signers = certificates(signers.pem().as_bytes()).unwrap();
    let clients = Authorities::new(&signers).unwrap();
    let clients = clients.client_verifier(Arc::default(), provider()).unwrap();
    Keys::new(Arc::new(certified), Some(clients), b"h2")
}

async fn shake_hands(
    io: DuplexStream,
    servers: &Authority,
    own: &Identity,
) -> TlsStream<DuplexStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(servers.pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain_of(own), key_of(own))
        .unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect("localhost".try_into().unwrap(), io).await.unwrap()
}

/// The connection is noted after the authorities were replaced and the open connections were
/// looked through, and its handshake began before.
#[tokio::test]
async fn a_handshake_that_began_before_a_change_does_not_escape_it() {
    let [servers, old, new] = ["servers", "old", "new"].map(Authority::new);
    let own = servers.sign(&["localhost"]);
    for (signer, is_refused) in [(&old, true), (&new, false)] {
        let port = Port::new(keys(&own, signer));
        let drain = CancellationToken::new();
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let mut accepting = Box::pin(port.accept(theirs, &drain));
        assert!(accepting.as_mut().now_or_never().is_none());
        port.set(keys(&own, &new));
        assert_eq!(port.check_open(), 0, "it is not open yet");
        let client = signer.sign(&["client"]);
        let (accepted, _client) = tokio::join!(accepting, shake_hands(ours, &servers, &client));
        let (_stream, admission) = accepted.unwrap();
        let admission = admission.expect("it has shown a certificate");
        assert_eq!(
            (admission.is_refused(), admission.drain().is_cancelled()),
            (is_refused, is_refused)
        );
        assert!(!drain.is_cancelled());
    }
}

#[tokio::test]
async fn a_connection_that_is_over_is_not_looked_at_any_more() {
    let [servers, old, new] = ["servers", "old", "new"].map(Authority::new);
    let own = servers.sign(&["localhost"]);
    let port = Port::new(keys(&own, &old));
    let drain = CancellationToken::new();
    let client = old.sign(&["client"]);
    let mut open = Vec::new();
    for _ in 0..3 {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (accepted, client) =
            tokio::join!(port.accept(theirs, &drain), shake_hands(ours, &servers, &client));
        open.push((accepted.unwrap().1.unwrap(), client));
    }
    open.pop();
    assert_eq!(port.check_open(), 0, "each is accepted still");
    port.set(keys(&own, &new));
    assert_eq!(port.check_open(), 2);
    assert!(open.iter().all(|(admission, _)| admission.is_refused()));
    assert_eq!(port.check_open(), 0, "each ends once");
}

//! Revocation lists: each is read whole, or refused with the reason, and what they mean for the
//! chains of clients.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

use std::{fs, path::Path, sync::Arc, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::{
    CertRevocationListError, CertificateError, Error,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, UnixTime},
    server::danger::ClientCertVerifier,
};
use tiny_cache_tls::{Authorities, RevocationList, certificates, revocation_lists};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn params(name: &str, serial: u64, is_ca: IsCa) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = is_ca;
    params.serial_number = Some(SerialNumber::from(serial));
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str) -> Issuer {
    let params = params(name, 1, IsCa::Ca(BasicConstraints::Unconstrained));
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A list that is due in 2999.
fn list(issuer: &Issuer, revoked: &[u64]) -> String {
    list_until(issuer, revoked, 2999)
}

fn list_until(issuer: &Issuer, revoked: &[u64], due: i32) -> String {
    let revoked = revoked.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: date_time_ymd(2020, 1, 1),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(due, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).unwrap().pem().unwrap()
}

fn read(pem: &str) -> Vec<RevocationList> {
    revocation_lists(pem.as_bytes()).unwrap()
}

fn refusal(pem: &str) -> String {
    let text = revocation_lists(pem.as_bytes()).unwrap_err().to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn every_list_of_a_file_is_read() {
    let [one, two] = ["one", "two"].map(authority);
    let text = format!("# one\r\n{}\u{feff}{}", list(&one, &[7, 8]), list_until(&two, &[], 2021));
    let found = read(&text);
    let told: Vec<_> =
        found.iter().map(|list| (list.number, &*list.issuer, list.revoked)).collect();
    assert_eq!(told, [(1, "CN=one", 2), (2, "CN=two", 0)]);
    let of = |name: &Issuer| certificates(name.pem().as_bytes()).unwrap().remove(0);
    assert!(found[0].is_of(&of(&one)) && !found[0].is_of(&of(&two)));
    let provider = rustls::crypto::ring::default_provider();
    let signed_by = |issuer| found[0].is_signed_by(&of(issuer), &provider);
    assert!(signed_by(&one) && !signed_by(&two));
    assert!(!signed_by(&authority("one")), "another key of the same name");
    assert_eq!(found[1].due, "2021-01-01T00:00:00Z");
    assert_eq!(found[1].next_update, Duration::from_secs(1_609_459_200));
    let now = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    assert_eq!(found[1].date_warning(now(1_609_459_199)), None);
    assert_eq!(
        found[1].date_warning(now(1_609_459_200)).unwrap(),
        "revocation list 2 (CN=two) should have been replaced by 2021-01-01T00:00:00Z"
    );
}

/// A list that vanishes lets its revoked clients in, or keeps all clients of its authority out.
#[test]
fn a_list_that_would_vanish_or_cannot_be_used_is_refused() {
    let [one, two] = ["one", "two"].map(authority);
    let (first, second) = (list(&one, &[7]), list(&two, &[]));
    let indented: String = second.lines().map(|line| format!("  {line}\n")).collect();
    for vanishing in [indented, second.replace("X509 CRL", "CRL"), second.replace("-----", "----")]
    {
        let text = refusal(&format!("{first}{vanishing}"));
        assert!(
            text.starts_with("2 blocks begin with BEGIN … CRL, but 1 revocation list"),
            "{text}"
        );
        assert!(text.contains("as \"-----BEGIN X509 CRL-----\""), "{text}");
    }
    for (text, said) in [
        (String::new(), "no revocation list in PEM form: it is empty"),
        (one.pem(), "no revocation list in PEM form; it has CERTIFICATE"),
        (
            first[..first.len() / 2].to_owned(),
            "revocation list 1 is not PEM: the line -----END X509",
        ),
        (one.pem().replace("CERTIFICATE", "X509 CRL"), "revocation list 1 is no CRL of version 2"),
        ("\x30\x03\x02\x01\x00".to_owned(), "openssl crl -inform DER"),
        (first.clone() + &second + &first, "revocation lists 1 and 3 are both that of CN=one"),
    ] {
        let refused = refusal(&text);
        assert!(refused.contains(said), "{said:?} is not in {refused}");
    }
}

fn verifier(authorities: &[&Issuer], lists: &[String]) -> Arc<dyn ClientCertVerifier> {
    let provider: Arc<CryptoProvider> = rustls::crypto::ring::default_provider().into();
    let bundle: String = authorities.iter().map(|authority| authority.pem()).collect();
    let authorities = Authorities::new(&certificates(bundle.as_bytes()).unwrap()).unwrap();
    let lists = if lists.is_empty() { Vec::new() } else { read(&lists.concat()) };
    authorities.client_verifier(lists.into(), provider).unwrap()
}

/// A file that openssl made: `data/make.sh`.
fn made(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

#[test]
fn lists_that_openssl_makes_are_read_in_version_2() {
    let found = read(&made("crl-v2.pem"));
    let authority = certificates(made("lists.pem").as_bytes()).unwrap().remove(0);
    let provider = rustls::crypto::ring::default_provider();
    assert_eq!((found[0].revoked, &*found[0].issuer), (1, "CN=lists"));
    assert!(found[0].is_of(&authority) && found[0].is_signed_by(&authority, &provider));
    let text = refusal(&made("crl-v1.pem"));
    assert!(text.contains("no CRL of version 2 (of openssl, `crlnumber`"), "{text}");
}

/// Whether a server of these authorities and lists accepts a chain.
fn verify(
    authorities: &[&Issuer],
    lists: &[String],
    chain: &[CertificateDer<'static>],
) -> Result<(), Error> {
    let verifier = verifier(authorities, lists);
    verifier.verify_client_cert(&chain[0], &chain[1..], UnixTime::now()).map(drop)
}

#[test]
fn each_certificate_of_a_chain_must_be_on_no_list_and_have_one() {
    let root = authority("root");
    let below = params("below", 20, IsCa::Ca(BasicConstraints::Unconstrained));
    let below = CertifiedIssuer::signed_by(below, KeyPair::generate().unwrap(), &root).unwrap();
    let client = params("client", 30, IsCa::NoCa);
    let client = client.signed_by(&KeyPair::generate().unwrap(), &below).unwrap();
    let chain = [client.der().clone(), below.der().clone()];
    let check = |lists: &[String]| verify(&[&root], lists, &chain);
    let revoked = Err(CertificateError::Revoked.into());
    let unknown = Err(CertificateError::UnknownRevocationStatus.into());

    assert_eq!(check(&[]), Ok(()));
    assert_eq!(check(&[list(&root, &[]), list(&below, &[])]), Ok(()));
    assert_eq!(check(&[list(&root, &[]), list(&below, &[30])]), revoked);
    // An authority that is revoked takes its clients with it.
    assert_eq!(check(&[list(&root, &[20]), list(&below, &[])]), revoked);
    assert_eq!(check(&[list(&root, &[])]), unknown);
    assert_eq!(check(&[list(&below, &[])]), unknown);
    // Numbers are those of an issuer.
    assert_eq!(check(&[list(&root, &[30]), list(&below, &[20])]), Ok(()));
    // A list whose successor is overdue still counts.
    assert_eq!(check(&[list(&root, &[]), list_until(&below, &[30], 2021)]), revoked);
    assert_eq!(check(&[list(&root, &[]), list_until(&below, &[], 2021)]), Ok(()));
    // One that another has signed under this name does not.
    let forged = check(&[list(&root, &[]), list(&authority("below"), &[])]);
    assert_eq!(forged, Err(CertRevocationListError::BadSignature.into()));
}

/// The verifier of those authorities that are left is kept, and must be that of the moment.
#[test]
fn lists_are_minded_while_another_authority_is_out_of_date() {
    let good = authority("good");
    let mut old = params("old", 1, IsCa::Ca(BasicConstraints::Unconstrained));
    old.not_after = date_time_ymd(2020, 2, 1);
    let old = CertifiedIssuer::self_signed(old, KeyPair::generate().unwrap()).unwrap();
    let client_of = |issuer: &Issuer, serial| {
        let client = params("client", serial, IsCa::NoCa);
        client.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap().der().clone()
    };
    let verifier = verifier(&[&old, &good], &[list(&good, &[7]), list(&old, &[])]);
    let [early, late] = [date_time_ymd(2020, 1, 1), date_time_ymd(2026, 1, 1)].map(|date| {
        UnixTime::since_unix_epoch(Duration::from_secs(date.unix_timestamp().unsigned_abs()))
    });
    for now in [early, late, late, early, late] {
        let check = |client| verifier.verify_client_cert(&client, &[], now).map(drop);
        assert_eq!(check(client_of(&good, 8)), Ok(()));
        assert_eq!(check(client_of(&good, 7)), Err(CertificateError::Revoked.into()));
        assert_eq!(check(client_of(&old, 8)).is_ok(), now == early);
    }
}

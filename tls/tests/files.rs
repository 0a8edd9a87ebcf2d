//! What files hold in the field: each is read whole, or refused with the reason and the remedy.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

use std::{fs, path::Path, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{CertificateError, Error, crypto::CryptoProvider, pki_types::UnixTime};
use tiny_cache_tls::{
    Authorities, Certificate, Misfit, certificates, check_identity, order_warning, private_key,
    read,
};

/// A file that openssl made: `data/make.sh`.
fn made(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    CertifiedIssuer::self_signed(params(name), KeyPair::generate().unwrap()).unwrap()
}

fn subjects(pem: &str) -> Vec<String> {
    let found = certificates(pem.as_bytes()).unwrap();
    found.iter().map(|one| one.subject.clone()).collect()
}

fn refusal(pem: &str) -> String {
    let text = certificates(pem.as_bytes()).unwrap_err().to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

fn provider() -> Arc<CryptoProvider> {
    rustls::crypto::ring::default_provider().into()
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

#[test]
fn a_bundle_is_read_whole_whatever_stands_between_its_blocks() {
    let (one, two) = (authority("one").pem(), authority("two").pem());
    let both = ["CN=one", "CN=two"];
    let crlf = |pem: &str| pem.replace("\r\n", "\n").replace('\n', "\r\n");
    for bundle in [
        format!("{one}{two}"),
        format!("\u{feff}{one}{two}"),
        // `cat` of two files, each with a byte order mark.
        format!("\u{feff}{one}\u{feff}{two}"),
        format!("\n\n\u{feff}\n{one}\n\n\n{two}\n\n"),
        format!("Bag Attributes\n  friendlyName: one\n{one}# the BEGIN of a CERTIFICATE\n{two}"),
        format!("{}{}", crlf(&one), crlf(&two)),
        format!("\u{feff}{}{}", crlf(&one), two.trim_end()),
        one.replace("-----\n", "-----  \n") + &two,
        format!("{one}{}{two}", KeyPair::generate().unwrap().serialize_pem()),
        (one.clone() + &two).replace('\n', "\r"),
    ] {
        assert_eq!(subjects(&bundle), both, "{bundle}");
    }
}

/// Each of these lost a certificate without a word, and the clients of its authority were
/// turned away.
#[test]
fn a_certificate_that_would_vanish_is_refused_with_both_counts() {
    let (one, two) = (authority("one").pem(), authority("two").pem());
    let indented: String = two.lines().map(|line| format!("  {line}\n")).collect();
    let begin = "-----BEGIN CERTIFICATE-----";
    for (kind, vanishing) in [
        ("indented", indented),
        ("indented by tabs", two.replace("-----BEGIN", "\t-----BEGIN")),
        ("trusted", two.replace(" CERTIFICATE", " TRUSTED CERTIFICATE")),
        ("x509", two.replace(" CERTIFICATE", " X509 CERTIFICATE")),
        ("lower case", two.replace("BEGIN CERTIFICATE", "begin certificate")),
        ("four dashes", two.replace("-----", "----")),
        ("long dashes", two.replace("-----", "\u{2014}\u{2014}")),
        ("two spaces", two.replace(" CERTIFICATE", "  CERTIFICATE")),
        ("a space in front of the label", two.replace("-----BEGIN", "----- BEGIN")),
        ("quoted", two.lines().map(|line| format!("> {line}\n")).collect()),
        ("cut within the first line", format!(" {}", two.replace(begin, &begin[..22]))),
    ] {
        let text = refusal(&format!("{one}{vanishing}"));
        assert!(
            text.starts_with("2 blocks begin with BEGIN … CERTIFICATE, but 1 certificate could"),
            "{kind}: {text}"
        );
        assert!(text.contains("as \"-----BEGIN CERTIFICATE-----\""), "{kind}: {text}");
        // Alone, and in front.
        assert!(refusal(&vanishing).starts_with("1 block begins"), "{kind}");
        assert!(refusal(&format!("{vanishing}\n{one}")).starts_with("2 blocks begin"), "{kind}");
    }
    let trusted = String::from_utf8(made("v1-trusted.pem")).unwrap();
    assert!(refusal(&trusted).contains("write \"-----BEGIN TRUSTED CERTIFICATE-----\" as"));
    // No line end between the blocks, and no end of the first.
    let text = refusal(&format!("{}{two}", one.trim_end()));
    assert!(text.starts_with("2 blocks begin"), "{text}");
    assert!(text.contains("-----END CERTIFICATE----------BEGIN"), "{text}");
    let endless = one.replace("-----END CERTIFICATE-----", "");
    refusal(&format!("{endless}{two}"));
}

#[test]
fn a_broken_block_is_refused_by_its_number() {
    let (one, two) = (authority("one").pem(), authority("two").pem());
    let cut = &two[..two.len() / 2];
    let text = refusal(&format!("{one}{cut}"));
    assert!(text.contains("certificate 2 is not PEM"), "{text}");
    assert!(
        text.contains("-----END CERTIFICATE----- is missing; the file may be cut off"),
        "{text}"
    );
    let text = refusal(&format!("{one}{}", two.replacen("MII", "M?I", 1)));
    assert!(text.contains("certificate 2 is not PEM: its base64 is broken"), "{text}");
    let text = refusal(&(one + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    assert!(text.starts_with("certificate 2 is no X.509 certificate"), "{text}");
    let text = refusal("-----BEGIN CERTIFICATE---\nAAAA\n");
    assert!(text.contains("\"-----BEGIN CERTIFICATE---\" begins no block"), "{text}");
}

#[test]
fn a_file_of_another_kind_is_named() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    for (pem, said) in [
        (&b""[..], "it is empty"),
        (b" \n\r\n", "it is empty"),
        (b"\xef\xbb\xbf\n", "it is empty"),
        (b"hello\n", "no certificate in PEM form; it must have a line -----BEGIN"),
        (key.as_bytes(), "no certificate in PEM form; it has PRIVATE KEY"),
        (b"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n", "; it has PKCS7"),
        (b"\xff\xfe-\0-\0", "it is UTF-16 text"),
        (&made("v1.der"), "no certificate in PEM form: it is binary, DER or PKCS #12"),
    ] {
        let text = certificates(pem).unwrap_err().to_string();
        assert!(text.contains(said), "{text}");
        assert!(private_key(pem).is_ok() == (pem == key.as_bytes()), "{text}");
    }
    let certificate = authority("one").pem();
    let text = private_key(certificate.as_bytes()).unwrap_err().to_string();
    assert_eq!(text, "no private key in PEM form; it has CERTIFICATE");
}

#[test]
fn a_path_that_is_no_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let text = read(directory.path()).unwrap_err().to_string();
    assert!(text.starts_with("it is a directory"), "{text}");
    let text = read(&directory.path().join("absent")).unwrap_err().to_string();
    assert!(text.starts_with("No such file"), "{text}");
}

#[test]
fn a_key_that_is_not_supported_is_named_with_the_remedy() {
    for (file, said) in [
        ("p256-encrypted.key", "is encrypted, which is not supported"),
        ("p256-encrypted-traditional.key", "is encrypted, which is not supported"),
        ("dsa-traditional.key", "it is a DSA key"),
    ] {
        let text = private_key(&made(file)).unwrap_err().to_string();
        assert!(text.contains(said), "{file}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    let openssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    let text = private_key(openssh.as_bytes()).unwrap_err().to_string();
    assert!(text.contains("OpenSSH"), "{text}");
    let twice = [made("p256.key"), made("client.key")].concat();
    let text = private_key(&twice).unwrap_err().to_string();
    assert!(text.starts_with("2 private keys"), "{text}");
    let indented =
        String::from_utf8(made("p256.key")).unwrap().replace("-----BEGIN", " -----BEGIN");
    let text = private_key(indented.as_bytes()).unwrap_err().to_string();
    assert!(text.starts_with("1 block begins with BEGIN … PRIVATE KEY, but 0"), "{text}");
    // The forms that are read.
    for file in ["p256.key", "p256-with-parameters.key", "client.key"] {
        private_key(&made(file)).unwrap();
    }
    private_key(&[b"\xef\xbb\xbf", &made("p256.key")[..]].concat()).unwrap();
}

fn misfit(chain: &[u8], key: &[u8]) -> Result<(), Misfit> {
    let chain = certificates(chain).unwrap();
    check_identity(&chain, &private_key(key).unwrap(), &provider())
}

#[test]
fn the_file_that_has_to_be_changed_is_blamed() {
    for (name, said) in [
        ("p521", "it is an ECDSA key on P-521; supported are RSA"),
        ("rsa1024", "it is an RSA key of 1024 bits; supported are RSA"),
        ("rsa8192", "it is an RSA key of 8192 bits; supported are RSA of 2048 to 4096"),
        ("dsa", "it is a DSA key; supported are RSA"),
        ("ed448", "it is an Ed448 key; supported are RSA"),
    ] {
        let refused = misfit(&made(&format!("{name}.pem")), &made(&format!("{name}.key")));
        let Err(Misfit::Key(problem)) = refused else { panic!("{name}: {refused:?}") };
        assert!(problem.to_string().contains(said), "{problem}");
    }
    // A key that is no key, or not of the kind that its certificate has.
    let broken = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for key in [&broken[..], &made("p521.key")] {
        let refused = misfit(&made("client-of-v1.pem"), key);
        let Err(Misfit::Key(problem)) = refused else { panic!("{refused:?}") };
        assert!(problem.to_string().contains("it is broken, or of another kind"), "{problem}");
    }
    let Err(Misfit::Chain(problem)) = misfit(&made("v1.pem"), &made("p256.key")) else { panic!() };
    assert!(problem.to_string().contains("(CN=v1) is not X.509 version 3"), "{problem}");

    let client = made("client-of-v1.pem");
    assert_eq!(misfit(&client, &made("client.key")), Ok(()));
    let Err(Misfit::Key(problem)) = misfit(&client, &made("p256.key")) else { panic!() };
    let said = "the private key is not that of the certificate (CN=client)";
    assert_eq!(problem.to_string(), said);
}

#[test]
fn a_chain_in_the_wrong_order_is_refused_or_warned_about() {
    let root = authority("root");
    let key = KeyPair::generate().unwrap();
    let middle = CertifiedIssuer::signed_by(params("middle"), key, &root).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut leaf = params("leaf");
    leaf.is_ca = IsCa::NoCa;
    let leaf = leaf.signed_by(&key, &middle).unwrap().pem();
    let key = key.serialize_pem();

    let right = [leaf.clone(), middle.pem(), root.pem()].concat();
    assert_eq!(misfit(right.as_bytes(), key.as_bytes()), Ok(()));
    assert_eq!(order_warning(&certificates(right.as_bytes()).unwrap()), None);
    assert_eq!(order_warning(&certificates(leaf.as_bytes()).unwrap()), None);

    let first = [root.pem(), middle.pem(), leaf.clone()].concat();
    let Err(Misfit::Chain(problem)) = misfit(first.as_bytes(), key.as_bytes()) else { panic!() };
    let said = "the certificate of the key is number 3 (CN=leaf); put it first, then its issuer";
    assert_eq!(problem.to_string(), said);

    let swapped = [leaf, root.pem(), middle.pem()].concat();
    assert_eq!(misfit(swapped.as_bytes(), key.as_bytes()), Ok(()));
    let warning = order_warning(&certificates(swapped.as_bytes()).unwrap()).unwrap();
    assert!(warning.starts_with("certificate 2 (CN=root) is not the issuer"), "{warning}");
}

#[test]
fn an_authority_whose_signatures_cannot_be_checked_is_refused_by_name() {
    Authorities::new(&certificates(&made("rsa8192.pem")).unwrap()).unwrap();
    for (name, said) in [
        ("p521", "certificate 2 (CN=p521) has an ECDSA key on P-521"),
        ("rsa1024", "certificate 2 (CN=rsa1024) has an RSA key of 1024 bits"),
        ("dsa", "certificate 2 (CN=dsa) has a DSA key"),
        ("ed448", "certificate 2 (CN=ed448) has an Ed448 key"),
    ] {
        let bundle = [authority("one").pem().as_bytes(), &made(&format!("{name}.pem"))].concat();
        let text = Authorities::new(&certificates(&bundle).unwrap()).unwrap_err().to_string();
        assert!(text.starts_with(said), "{text}");
        assert!(text.contains("take it out, and use an authority with RSA"), "{text}");
    }
}

/// Checks the certificate of a client of `authorities`.
fn verify(
    authorities: &[Certificate],
    client: &Certificate,
    now: UnixTime,
) -> Result<(), rustls::Error> {
    let verifier =
        Authorities::new(authorities).unwrap().client_verifier(Arc::default(), provider()).unwrap();
    verifier.verify_client_cert(client.der(), &[], now).map(drop)
}

#[test]
fn an_authority_of_version_1_signs_clients_of_version_3() {
    let root = certificates(&made("v1.pem")).unwrap();
    let client = certificates(&made("client-of-v1.pem")).unwrap();
    let now = at(client[0].not_after.as_secs() - 3600);
    verify(&root, &client[0], now).unwrap();
}

const YEAR: u64 = 365 * 86_400;

#[test]
fn an_authority_signs_only_within_its_time() {
    let start = 1_700_000_000;
    let day = |seconds: u64| {
        let date = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
        date.into()
    };
    let mut short = params("short");
    (short.not_before, short.not_after) = (day(start), day(start + YEAR));
    let short = CertifiedIssuer::self_signed(short, KeyPair::generate().unwrap()).unwrap();
    let long = authority("long");
    let client_of = |issuer: &CertifiedIssuer<'static, KeyPair>| {
        let mut client = params("client");
        client.is_ca = IsCa::NoCa;
        let client = client.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap().pem();
        certificates(client.as_bytes()).unwrap().remove(0)
    };
    let bundle = certificates((long.pem() + &short.pem()).as_bytes()).unwrap();
    let (of_short, of_long) = (client_of(&short), client_of(&long));

    for (now, trusted) in
        [(start - 1, false), (start, true), (start + YEAR, true), (start + YEAR + 1, false)]
    {
        let now = at(now);
        verify(&bundle, &of_long, now).unwrap();
        let alone = verify(&bundle[1..], &of_short, now);
        assert_eq!(verify(&bundle, &of_short, now), alone, "{now:?}");
        assert_eq!(alone.is_ok(), trusted, "{now:?}: {alone:?}");
        assert_eq!(bundle[1].date_warning(now).is_none(), trusted);
    }
    // The alert says why; a stranger is a stranger still.
    let late = at(start + YEAR + 1);
    let error = verify(&bundle, &of_short, late).unwrap_err();
    let expired =
        matches!(error, Error::InvalidCertificate(CertificateError::ExpiredContext { .. }));
    assert!(expired, "{error:?}");
    let early = verify(&bundle, &of_short, at(start - 1));
    assert_eq!(early, Err(CertificateError::NotValidYet.into()));
    let stranger = client_of(&authority("stranger"));
    assert_eq!(verify(&bundle, &stranger, late), Err(CertificateError::UnknownIssuer.into()));
    let warning = bundle[1].date_warning(late).unwrap();
    assert_eq!(warning, "certificate 2 (CN=short) expired on 2024-11-13T22:13:20Z");
}

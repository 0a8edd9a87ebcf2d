//! The callers of these tests, and the files by which a server knows them.

use std::{fs, path::Path, sync::LazyLock, time::SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};

use crate::support::{Deployment, Site};

pub(super) const ISSUER: &str = "https://issuer.example";
pub(super) const AUDIENCE: &str = "tiny-cache";
/// The longest name that a namespace can have.
pub(super) const LONGEST: &str = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";

/// What the rules say, for the file and for the model in `table`.
pub(super) const RULES: &[(&str, &[&str], &[&str])] = &[
    ("token:reader", &["shop", "shop-*", LONGEST], &["read"]),
    ("token:writer", &["shop"], &["write"]),
    ("token:both", &["shop"], &["read"]),
    ("token:both", &["sh*"], &["write"]),
    ("token:shared", &["_shared"], &["read", "write"]),
    ("token:ops", &["*"], &["read", "write", "administer"]),
    ("token:figures", &["*"], &["administer"]),
    ("jwt:alice", &["shop"], &["read"]),
    ("certificate:spiffe://example.org/web", &["shop"], &["read"]),
    ("certificate:web.example.org", &["shop"], &["write"]),
    ("certificate:Web", &["*"], &["administer"]),
];

/// A key that signs JWTs.
pub(super) struct Signer {
    key: EcdsaKeyPair,
    id: &'static str,
}

/// The one that servers know, and one that they do not.
pub(super) static KNOWN: LazyLock<Signer> = LazyLock::new(|| Signer::new("known"));
pub(super) static STRANGER: LazyLock<Signer> = LazyLock::new(|| Signer::new("known"));

impl Signer {
    fn new(id: &'static str) -> Self {
        let (way, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(way, &random).unwrap();
        Self { key: EcdsaKeyPair::from_pkcs8(way, pkcs8.as_ref(), &random).unwrap(), id }
    }

    /// The public key, for a JWKS file.
    pub(super) fn jwk(&self) -> Value {
        let point = &self.key.public_key().as_ref()[1..];
        let [x, y] = [&point[..32], &point[32..]].map(|half| URL_SAFE_NO_PAD.encode(half));
        json!({ "kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "x": x, "y": y })
    }

    /// A token with these claims.
    pub(super) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": self.id });
        let message = unsigned(&header, claims);
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}", part(header), part(claims))
}

pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// The claims of a good token, with some replaced; `null` takes one away.
pub(super) fn claims(subject: &str, replaced: Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": now() + 3600, "nbf": now() - 60,
    });
    for (name, value) in replaced.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// The token of a name. Names and tokens are no secrets here.
pub(super) fn token(name: &str) -> String {
    format!("token-of-{name}-0123456789")
}

/// Somebody who calls.
pub(super) struct Caller {
    pub(super) what: &'static str,
    pub(super) authorization: Option<Vec<u8>>,
    /// Who that is to the server; `None`: nobody.
    pub(super) identity: Option<&'static str>,
}

fn caller(what: &'static str, authorization: &str, identity: Option<&'static str>) -> Caller {
    Caller { what, authorization: Some(authorization.as_bytes().to_vec()), identity }
}

/// Somebody of each kind.
pub(super) fn callers() -> Vec<Caller> {
    let bearer = |text: &str| format!("Bearer {text}");
    let by_token =
        |name: &'static str, identity| caller(name, &bearer(&token(name)), Some(identity));
    let jwt = |what, replaced: Value| {
        caller(what, &bearer(&KNOWN.sign(&claims("alice", replaced))), None)
    };
    let alice = claims("alice", json!({}));
    let none = unsigned(&json!({ "alg": "none", "typ": "JWT" }), &alice);
    let symmetric = unsigned(&json!({ "alg": "HS256", "typ": "JWT", "kid": "known" }), &alice);
    // The confusion that made servers take a public key for a shared secret.
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, KNOWN.jwk().to_string().as_bytes());
    let tag = ring::hmac::sign(&secret, symmetric.as_bytes());
    let forged = format!("{symmetric}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()));
    let good = KNOWN.sign(&alice);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let other_claims = message.split_once('.').unwrap().0.to_owned()
        + "."
        + &URL_SAFE_NO_PAD.encode(claims("ops", json!({})).to_string());
    vec![
        Caller { what: "nobody", authorization: None, identity: None },
        Caller { what: "not text", authorization: Some(b"Bearer \xff".to_vec()), identity: None },
        caller("empty", "", None),
        caller("basic", "Basic dXNlcjpwYXNz", None),
        caller("a bare token", &token("ops"), None),
        caller("an unknown token", &bearer("token-of-ops-012345678"), None),
        caller("two tokens", &bearer(&format!("{0} {0}", token("ops"))), None),
        caller("a hash", &bearer(&hash(&token("ops"))), None),
        by_token("reader", "token:reader"),
        by_token("writer", "token:writer"),
        by_token("both", "token:both"),
        by_token("shared", "token:shared"),
        by_token("ops", "token:ops"),
        by_token("figures", "token:figures"),
        by_token("stranger", "token:stranger"),
        caller("in small letters", &format!("bearer {}", token("reader")), Some("token:reader")),
        caller("a JWT", &bearer(&good), Some("jwt:alice")),
        // Called like a token that may do everything.
        caller("a JWT of ops", &bearer(&KNOWN.sign(&claims("ops", json!({})))), Some("jwt:ops")),
        caller(
            "a JWT of several audiences",
            &bearer(&KNOWN.sign(&claims("alice", json!({ "aud": ["x", AUDIENCE] })))),
            Some("jwt:alice"),
        ),
        jwt("expired", json!({ "exp": now() - 3600 })),
        jwt("not valid yet", json!({ "nbf": now() + 3600 })),
        jwt("not before a text", json!({ "nbf": "9999999999" })),
        jwt("without expiry", json!({ "exp": null })),
        jwt("of another issuer", json!({ "iss": "https://other.example" })),
        jwt("without issuer", json!({ "iss": null })),
        jwt("for another audience", json!({ "aud": "other" })),
        jwt("without audience", json!({ "aud": null })),
        jwt("of nobody", json!({ "sub": null })),
        jwt("of a number", json!({ "sub": 7 })),
        caller("signed by another key", &bearer(&STRANGER.sign(&alice)), None),
        caller("alg none", &bearer(&format!("{none}.")), None),
        caller("alg HS256", &bearer(&forged), None),
        caller("other claims", &bearer(&format!("{other_claims}.{signature}")), None),
        caller("no signature", &bearer(message), None),
    ]
}

fn hash(token: &str) -> String {
    hex::encode(digest(&SHA256, token.as_bytes()).as_ref())
}

/// A line of a token file.
pub(super) fn line(name: &str, token: &str) -> String {
    format!("{name} {}\n", hash(token))
}

/// The rules as a file has them.
pub(super) fn rules() -> String {
    RULES
        .iter()
        .map(|(identity, namespaces, rights)| {
            format!(
                "[[rule]]\nidentity = \"{identity}\"\nnamespaces = {namespaces:?}\nrights = {rights:?}\n\n"
            )
        })
        .collect()
}

/// The files of a server.
pub(super) struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    pub(super) fn new() -> Self {
        let files = Self { directory: tempfile::tempdir().unwrap() };
        let names = ["reader", "writer", "both", "shared", "ops", "figures", "stranger"];
        let tokens: String = names.iter().map(|name| line(name, &token(name))).collect();
        files.write("rules.toml", &rules());
        files.write("tokens", &tokens);
        files.write("keys.json", &json!({ "keys": [KNOWN.jwk()] }).to_string());
        files
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file in one go, as a rotation does.
    pub(super) fn write(&self, name: &str, content: &str) {
        let new = self.path("new");
        fs::write(&new, content).unwrap();
        fs::rename(Path::new(&new), self.path(name)).unwrap();
    }

    /// The settings by which a server reads them.
    pub(super) fn vars(&self) -> Vec<(&'static str, String)> {
        vec![
            ("CACHE_ACCESS_RULES_PATH", self.path("rules.toml")),
            ("CACHE_ACCESS_TOKENS_PATH", self.path("tokens")),
            ("CACHE_ACCESS_JWT_KEYS_PATH", self.path("keys.json")),
            ("CACHE_ACCESS_JWT_ISSUER", ISSUER.to_owned()),
            ("CACHE_ACCESS_JWT_AUDIENCE", AUDIENCE.to_owned()),
        ]
    }

    /// A server that knows them.
    pub(super) fn start(&self, on: Deployment) -> Site {
        self.start_with(on, &[])
    }

    pub(super) fn start_with(&self, on: Deployment, more: &[(&str, &str)]) -> Site {
        let vars = self.vars();
        let mut all: Vec<_> = vars.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend(more);
        on.start_with(&all)
    }
}

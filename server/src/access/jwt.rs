//! JWTs, checked against the keys of a JWKS file: signature, issuer, audience, expiry and not-before.
//! A key checks only what its own kind and its `alg` allow, whatever the token says of itself.

use std::time::{Duration, Instant};

use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, TokenData, Validation, decode, decode_header,
    errors::ErrorKind,
    get_current_timestamp,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};
use moka::sync::Cache;
use serde_json::{Map, Value};

use super::{
    files::JwtFiles,
    identity::{Identity, Kind},
    problem::{Digest, Problem},
    signatures,
};

/// How far the clocks of the issuer and of this server may differ.
const LEEWAY: Duration = Duration::from_secs(30);

/// Tokens whose signature is remembered: an HTTP/2 connection through a proxy carries many callers,
/// and a signature costs 50 µs.
const REMEMBERED: u64 = 10_000;

/// Longest time for which a verdict is remembered. Beyond it the clock may have been set.
const LONGEST: Duration = Duration::from_secs(3600);

/// Keys of a file at most, and thus signatures that one token without a `kid` can cost.
const MAX_KEYS: usize = 100;

/// What checks JWTs.
#[derive(Debug)]
pub(super) struct Jwts {
    keys: Vec<Key>,
    issuer: String,
    audience: String,
    claim: String,
    /// Those whose signature was good, by their digests. Bad ones are not kept: anybody can make as
    /// many of them as he likes.
    good: Cache<Digest, Good, ahash::RandomState>,
    /// Keys of the file that cannot be used, and why.
    pub(super) passed_over: Vec<String>,
}

/// A token that was good.
#[derive(Clone, Debug)]
pub(super) struct Good {
    pub(super) identity: Identity,
    /// When it has to be looked at again.
    pub(super) until: Instant,
}

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// It is none, or what signed it is not among the keys.
    Signature,
    Expired,
    NotYet,
    Issuer,
    Audience,
    /// A claim that must be there is not, or is of the wrong type.
    Claim,
    /// The claim that names the caller is not there, or holds no name.
    Name,
}

/// A key of the file.
#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl Jwts {
    /// Reads the text of a JWKS file.
    pub(super) fn parse(text: &str, files: &JwtFiles) -> Result<Self, Problem> {
        signatures::install();
        let set: JwkSet = serde_json::from_str(text).map_err(|error| {
            let line = Some(error.line()).filter(|line| *line > 0);
            let text = format!("{error}; write a JSON Web Key Set, {{\"keys\": […]}} (RFC 7517)");
            Problem { line, text }
        })?;
        let (mut keys, mut passed_over) = (Vec::new(), Vec::new());
        for (number, jwk) in set.keys.iter().enumerate() {
            let number = number + 1;
            if let AlgorithmParameters::OctetKey(_) = jwk.algorithm {
                return Err(Problem::of_file(format!(
                    "key {number} is symmetric (kty oct): whoever checks with it can sign with it; \
                     give the issuer an asymmetric key, and remove this secret from the file"
                )));
            }
            match Key::of(jwk) {
                Ok(key) => keys.push(key),
                Err(why) => passed_over.push(format!("key {number} is passed over: {why}")),
            }
        }
        if keys.is_empty() || keys.len() > MAX_KEYS {
            let why = passed_over.first().map(|why| format!(" ({why})")).unwrap_or_default();
            return Err(Problem::of_file(format!(
                "it has {} keys that can check a signature{why}; give it 1 to {MAX_KEYS}: RSA of \
                 2048 to 8192 bits, P-256, P-384 or Ed25519, not for use \"enc\"",
                keys.len()
            )));
        }
        let JwtFiles { issuer, audience, claim, .. } = files.clone();
        let good =
            Cache::builder().max_capacity(REMEMBERED).build_with_hasher(ahash::RandomState::new());
        Ok(Self { keys, issuer, audience, claim, good, passed_over })
    }

    /// Who a token says that its caller is, if it is good at `now`. `digest` is the token's.
    pub(super) fn check(&self, token: &[u8], digest: &Digest, now: Instant) -> Result<Good, Bad> {
        if let Some(good) = self.good.get(digest).filter(|good| now < good.until) {
            return Ok(good);
        }
        let good = self.verify(token, now)?;
        self.good.insert(*digest, good.clone());
        Ok(good)
    }

    fn verify(&self, token: &[u8], now: Instant) -> Result<Good, Bad> {
        let header = decode_header(token).map_err(|_| Bad::Signature)?;
        let algorithm = header.alg;
        let candidates = self.keys.iter().filter(|key| {
            let named = match (&header.kid, &key.id) {
                (Some(asked), Some(known)) => asked == known,
                _ => true,
            };
            named && key.algorithms.contains(&algorithm)
        });
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        for key in candidates {
            match decode(token, &key.key, &validation) {
                Ok(TokenData { claims, .. }) => return self.accept(&claims, now),
                Err(error) => match reason(error.kind()) {
                    Bad::Signature => {}
                    // What follows the signature is judged when that was good.
                    bad => return Err(bad),
                },
            }
        }
        Err(Bad::Signature)
    }

    fn accept(&self, claims: &Map<String, Value>, now: Instant) -> Result<Good, Bad> {
        let name = claims.get(&self.claim).and_then(Value::as_str).ok_or(Bad::Name)?;
        let identity = Identity::new(Kind::Jwt, name).ok_or(Bad::Name)?;
        let expiry = claims.get("exp").and_then(Value::as_f64).ok_or(Bad::Claim)?;
        let left = expiry + LEEWAY.as_secs_f64() - get_current_timestamp() as f64;
        let left = Duration::try_from_secs_f64(left.max(0.0)).unwrap_or(LONGEST).min(LONGEST);
        Ok(Good { identity, until: now + left })
    }
}

fn reason(error: &ErrorKind) -> Bad {
    match error {
        ErrorKind::ExpiredSignature => Bad::Expired,
        ErrorKind::ImmatureSignature => Bad::NotYet,
        ErrorKind::InvalidIssuer => Bad::Issuer,
        ErrorKind::InvalidAudience => Bad::Audience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => Bad::Claim,
        _ => Bad::Signature,
    }
}

/// Bits of a modulus, whose first byte is the highest.
fn modulus_bits(modulus: &[u8]) -> u32 {
    let mut bytes = modulus.iter().skip_while(|byte| **byte == 0);
    let highest = bytes.next().map_or(0, |byte| u8::BITS - byte.leading_zeros());
    highest + u8::BITS * bytes.count() as u32
}

impl Key {
    /// A key, or why it cannot check signatures.
    fn of(jwk: &Jwk) -> Result<Self, String> {
        if jwk.common.public_key_use.as_ref().is_some_and(|for_| *for_ != PublicKeyUse::Signature) {
            return Err("its use is not \"sig\"".to_owned());
        }
        let of_kind = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => &[
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ][..],
            AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
                EllipticCurve::P256 => &[Algorithm::ES256],
                EllipticCurve::P384 => &[Algorithm::ES384],
                ref other => return Err(format!("its curve is {other:?}")),
            },
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                &[Algorithm::EdDSA]
            }
            _ => return Err("its kind is not supported".to_owned()),
        };
        let algorithms = match jwk.common.key_algorithm {
            None => of_kind.to_vec(),
            Some(named) => {
                let named = Algorithm::try_from(named).ok();
                let named = named.filter(|named| of_kind.contains(named));
                vec![named.ok_or("its alg does not fit its kind, or signs nothing")?]
            }
        };
        let key =
            DecodingKey::from_jwk(jwk).map_err(|error| format!("it is malformed: {error}"))?;
        // ring finds out at the first signature, and a key that nobody can use is a mistake.
        if let DecodingKeyKind::RsaModulusExponent { n, .. } = key.kind() {
            let bits = modulus_bits(n);
            if !(2048..=8192).contains(&bits) {
                return Err(format!("its modulus has {bits} bits, not 2048 to 8192"));
            }
        }
        let length = key.try_get_as_bytes().map(<[u8]>::len).ok();
        let expected = match algorithms[0] {
            Algorithm::ES256 => Some(1 + 2 * 32),
            Algorithm::ES384 => Some(1 + 2 * 48),
            Algorithm::EdDSA => Some(32),
            _ => None,
        };
        if length != expected {
            return Err("its coordinates have the wrong length".to_owned());
        }
        Ok(Self { id: jwk.common.key_id.clone(), algorithms, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with such a key replaced good keys, and then no token was good.
    #[test]
    fn a_modulus_that_cannot_check_signatures_is_no_key() {
        let modulus = |bytes: &[u8]| modulus_bits(bytes);
        assert_eq!((modulus(&[]), modulus(&[0, 0]), modulus(&[0, 1, 0])), (0, 0, 9));
        assert_eq!(modulus(&[0xff; 256]), 2048);
        let files = JwtFiles {
            keys: "keys".into(),
            issuer: "i".to_owned(),
            audience: "a".to_owned(),
            claim: "sub".to_owned(),
        };
        let text = r#"{"keys":[{"kty":"RSA","n":"abcd","e":"AQAB"}]}"#;
        let problem = Jwts::parse(text, &files).unwrap_err();
        assert!(problem.text.contains("its modulus has 23 bits"), "{}", problem.text);
    }
}

//! What all files of access control say together: who a caller is, and what it may do. A policy is
//! read as a whole and never changes; another one takes its place.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    files::AccessFiles,
    identity::{Identity, Kind},
    jwt::{Bad, Jwts},
    problem::{AccessError, Digest, File, Problem, digest_of},
    reason::Reason,
    refusal::Unknown,
    rules::{Grants, Rules},
    tokens::{Tokens, bearer},
};

/// How long the verdict on a JWT that is not good is remembered: it may become valid.
const DOUBT: Duration = Duration::from_secs(1);

/// What all files say.
#[derive(Debug)]
pub(super) struct Policy {
    rules: Rules,
    tokens: Option<Tokens>,
    jwts: Option<Jwts>,
    /// Of the files, in this order.
    pub(super) contents: Vec<Digest>,
}

/// A caller that is known, and what it may do.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) identity: Identity,
    pub(super) grants: Arc<Grants>,
}

/// Who a caller is.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) caller: Result<Caller, Unknown>,
    /// When it has to be asked again; `None`: with another policy.
    pub(super) until: Option<Instant>,
}

impl Policy {
    /// Reads all files. Returns, beside what they say, what somebody should hear about.
    pub(super) fn read(files: &AccessFiles) -> Result<(Self, Vec<String>), AccessError> {
        let rules_file = File { setting: "CACHE_ACCESS_RULES_PATH", path: &files.rules };
        let (rules, content) = rules_file.parse_with_digest(Rules::parse)?;
        let (mut contents, mut warnings) = (vec![content], Vec::new());
        let tokens = files.tokens.as_ref().map(|path| {
            let file = File { setting: "CACHE_ACCESS_TOKENS_PATH", path };
            let (tokens, content) = file.parse_with_digest(Tokens::parse)?;
            contents.push(content);
            let without = tokens.identities().filter(|(identity, _)| !rules.names(identity));
            warnings.extend(without.map(|(identity, line)| {
                let text = format!("no rule names {identity}, so its calls are refused");
                file.warning(Problem::at(line, text))
            }));
            Ok(tokens)
        });
        let tokens = tokens.transpose()?;
        let jwts = files.jwt.as_ref().map(|jwt| {
            let file = File { setting: "CACHE_ACCESS_JWT_KEYS_PATH", path: &jwt.keys };
            let (jwts, content) = file.parse_with_digest(|text| Jwts::parse(text, jwt))?;
            contents.push(content);
            let passed_over = jwts.passed_over.iter().cloned();
            warnings.extend(passed_over.map(|text| file.warning(Problem::of_file(text))));
            Ok(jwts)
        });
        let jwts = jwts.transpose()?;
        let policy = Self { rules, tokens, jwts, contents };
        warnings.extend(policy.nobody(files).map(|problem| rules_file.warning(problem)));
        Ok((policy, warnings))
    }

    /// Rules for callers that there cannot be.
    fn nobody(&self, files: &AccessFiles) -> impl Iterator<Item = Problem> {
        self.rules.all().iter().filter_map(|rule| {
            let missing = match (rule.identity.kind(), &self.tokens) {
                (Kind::Certificate, _) if files.certificate.is_none() => {
                    "CACHE_ACCESS_CERTIFICATE_IDENTITY is not set"
                }
                (Kind::Jwt, _) if self.jwts.is_none() => "CACHE_ACCESS_JWT_KEYS_PATH is not set",
                (Kind::Token, None) => "CACHE_ACCESS_TOKENS_PATH is not set",
                (Kind::Token, Some(tokens)) if !tokens.has(&rule.identity) => {
                    "CACHE_ACCESS_TOKENS_PATH has no token of this name"
                }
                _ => return None,
            };
            let text = format!("the rule has no effect: nobody is {}: {missing}", rule.identity);
            Some(Problem::at(rule.line, text))
        })
    }

    /// Who a caller is by its credentials. A token that is there decides: who sends a bad one is not
    /// taken for the holder of the connection's certificate.
    pub(super) fn identify(
        &self,
        authorization: Option<&[u8]>,
        certificate: Option<&Result<Identity, String>>,
        now: Instant,
    ) -> Verdict {
        let (identity, until) = match (authorization, certificate) {
            (Some(authorization), _) => self.identify_by_token(authorization, now),
            (None, Some(Ok(identity))) => (Ok(identity.clone()), None),
            (None, Some(Err(why))) => {
                let why = format!("The client's certificate names nobody: {why}");
                (Err(Unknown::new(Reason::NoIdentity, why)), None)
            }
            (None, None) => {
                let why =
                    "The call has no credential: send the metadata authorization: Bearer TOKEN";
                (Err(Unknown::new(Reason::NoCredential, why)), None)
            }
        };
        let known = |identity: Identity| {
            let grants = self.rules.grants(&identity);
            Caller { identity, grants }
        };
        Verdict { caller: identity.map(known), until }
    }

    fn identify_by_token(
        &self,
        authorization: &[u8],
        now: Instant,
    ) -> (Result<Identity, Unknown>, Option<Instant>) {
        let bad = |why: &'static str| Err(Unknown::new(Reason::BadCredential, why));
        let Some(token) = bearer(authorization) else {
            return (bad("The metadata authorization is not Bearer TOKEN"), None);
        };
        let digest = digest_of(token);
        if let Some(identity) = self.tokens.as_ref().and_then(|tokens| tokens.find(&digest)) {
            return (Ok(identity.clone()), None);
        }
        let Some(jwts) = &self.jwts else {
            return (bad("The token is not known to this server"), None);
        };
        match jwts.check(token, &digest, now) {
            Ok(good) => (Ok(good.identity), Some(good.until)),
            Err(why) => (Err(unknown(why)), Some(now + DOUBT)),
        }
    }
}

fn unknown(bad: Bad) -> Unknown {
    let (reason, why) = match bad {
        Bad::Signature => (
            Reason::BadCredential,
            "The token is not known to this server, nor signed by a known key",
        ),
        Bad::Expired => (Reason::Expired, "The token has expired"),
        Bad::NotYet => (Reason::BadCredential, "The token is not valid yet"),
        Bad::Issuer => (Reason::BadCredential, "The token is of another issuer"),
        Bad::Audience => (Reason::BadCredential, "The token is for another audience"),
        Bad::Claim => (Reason::BadCredential, "The token lacks a valid exp, iss or aud"),
        Bad::Name => (Reason::NoIdentity, "The token names nobody in the claim that is asked for"),
    };
    Unknown::new(reason, why)
}

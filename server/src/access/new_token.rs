//! Makes tokens, and the lines of token files, for `tiny-cache-server token`.

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};

use super::{
    identity::{Identity, Kind},
    problem::digest_of,
    tokens::is_token,
};

/// Random bytes of a token.
const BYTES: usize = 32;

/// Shortest token that is hashed: 128 bits in base64.
const SHORTEST: usize = 22;

/// A new token, of 256 random bits.
///
/// # Errors
/// The system has no random numbers.
pub(crate) fn make() -> anyhow::Result<String> {
    let mut random = [0; BYTES];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| anyhow::anyhow!("the system has no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

/// The line of a token file for a token, whose white space at both ends does not count.
///
/// # Errors
/// The name or the token cannot be used. The token is never repeated.
pub(crate) fn line(name: &str, token: &str) -> anyhow::Result<String> {
    let plain = !name.starts_with('#') && !name.contains(char::is_whitespace);
    Identity::new(Kind::Token, name).filter(|_| plain).with_context(|| {
        format!("{name:?} is no name: write one without spaces that does not begin with #")
    })?;
    let token = token.trim();
    if token.len() < SHORTEST {
        bail!(
            "a token of {} characters can be guessed; take {SHORTEST} random ones or more, such as \
             tiny-cache-server token new makes",
            token.len()
        );
    }
    if !is_token(token.as_bytes()) {
        bail!(
            "the token has characters that no bearer token has; take letters, digits, -._~+/ and = \
             at its end"
        );
    }
    Ok(format!("{name} {}", hex::encode(digest_of(token.as_bytes()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::tokens::Tokens;

    #[test]
    fn a_new_token_makes_a_line_that_finds_it() {
        let (one, two) = (make().unwrap(), make().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 43);
        let tokens = Tokens::parse(&line("web", &format!("{one}\n")).unwrap()).unwrap();
        assert_eq!(tokens.find(&digest_of(one.as_bytes())).unwrap().as_str(), "token:web");
        assert!(tokens.find(&digest_of(two.as_bytes())).is_none());
    }

    #[test]
    fn what_makes_no_good_line_is_refused_and_not_repeated() {
        let good = make().unwrap();
        for (name, token) in [
            ("", &*good),
            ("a b", &good),
            ("#a", &good),
            ("web", ""),
            ("web", "too-short"),
            ("web", "this one has spaces in it, and is long"),
        ] {
            let why = line(name, token).unwrap_err().to_string();
            assert!(token.is_empty() || !why.contains(token), "{why}");
        }
    }
}

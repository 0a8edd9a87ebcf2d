//! Who a caller is: a name, and the kind of credential that vouches for it. The kind is part of the
//! name, so that a token that is called like a certificate is not mistaken for it.

use std::{fmt, str::FromStr};

/// Longest name in bytes: that of a SPIFFE ID.
const MAX_NAME_BYTES: usize = 2048;

/// What vouches for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Certificate,
    Token,
    Jwt,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Certificate, Self::Token, Self::Jwt];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Token => "token",
            Self::Jwt => "jwt",
        }
    }
}

/// A caller, as the rules name it: `token:web`, `jwt:alice`, `certificate:spiffe://…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    /// The kind, a colon and the name.
    text: String,
}

impl Identity {
    /// The identity of a name that a credential vouches for. `None`: it is no name, because it is
    /// empty, too long, or has characters that no line of a log or a file should have.
    pub(crate) fn new(kind: Kind, name: &str) -> Option<Self> {
        let fits = (1..=MAX_NAME_BYTES).contains(&name.len());
        let valid = fits && name.trim() == name && !name.chars().any(char::is_control);
        valid.then(|| Self { text: format!("{}:{name}", kind.name()) })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn kind(&self) -> Kind {
        let is = |kind: &Kind| self.split().0 == kind.name();
        Kind::ALL.into_iter().find(is).expect("an identity begins with its kind")
    }

    /// The name without its kind.
    pub(crate) fn name(&self) -> &str {
        self.split().1
    }

    fn split(&self) -> (&str, &str) {
        self.text.split_once(':').expect("a colon follows the kind")
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl FromStr for Identity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind).ok_or_else(|| {
            format!("{text:?} is no identity: write certificate:NAME, token:NAME or jwt:NAME")
        })?;
        if name == "*" {
            return Err(format!(
                "{text:?} names nobody: identities have no *; write a rule for each"
            ));
        }
        Self::new(kind, name).ok_or_else(|| {
            format!(
                "{text:?} has no valid name behind {}: 1 to {MAX_NAME_BYTES} bytes, without \
                 control characters or spaces at its ends",
                kind.name()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_keeps_its_kind() {
        for (text, kind, name) in [
            ("token:web", Kind::Token, "web"),
            ("jwt:a:b", Kind::Jwt, "a:b"),
            ("certificate:spiffe://a/b", Kind::Certificate, "spiffe://a/b"),
        ] {
            let identity: Identity = text.parse().unwrap();
            assert_eq!((identity.kind(), identity.name(), identity.as_str()), (kind, name, text));
        }
        assert_ne!(Identity::new(Kind::Token, "a"), Identity::new(Kind::Certificate, "a"));
    }

    #[test]
    fn what_is_no_identity_is_refused() {
        let long = format!("token:{}", "x".repeat(MAX_NAME_BYTES + 1));
        for text in [
            "",
            "web",
            "token",
            "token:",
            "token:*",
            "jwt:*",
            "Token:a",
            "token: a",
            "token:a\n",
            "jwt:",
            &long,
        ] {
            assert!(text.parse::<Identity>().is_err(), "{text:?}");
        }
    }
}

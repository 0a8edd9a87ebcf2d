//! Why somebody is refused: a closed set, for metrics and the log.

/// Why somebody is refused, as metrics and the log name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Reason {
    /// The call has no token, and its connection no certificate.
    NoCredential,
    /// The token is not known, or is none, or its claims are not those that are asked for.
    BadCredential,
    /// The token has expired.
    Expired,
    /// The certificate, or the token, does not name its holder.
    NoIdentity,
    /// The caller is known, and has not the right.
    NoRight,
    /// A request to the HTTP port without a token that it knows.
    Http,
}

impl Reason {
    /// Every reason, in the order of its number.
    pub(crate) const ALL: [Self; 6] = [
        Self::NoCredential,
        Self::BadCredential,
        Self::Expired,
        Self::NoIdentity,
        Self::NoRight,
        Self::Http,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NoCredential => "no_credential",
            Self::BadCredential => "bad_credential",
            Self::Expired => "expired",
            Self::NoIdentity => "no_identity",
            Self::NoRight => "no_right",
            Self::Http => "http",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_at_its_number() {
        for (number, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
        }
    }
}

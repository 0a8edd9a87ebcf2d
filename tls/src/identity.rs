//! A certificate chain and the key that it belongs to.

use rustls::{crypto::CryptoProvider, pki_types::PrivateKeyDer};

use crate::{Certificate, Problem, SUPPORTED_KEYS};

/// Why a chain and a key cannot be used together, by the file to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The chain.
    Chain(Problem),
    /// The key.
    Key(Problem),
}

impl Misfit {
    /// The problem.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::Chain(problem) | Self::Key(problem) => problem,
        }
    }
}

/// Checks that `chain` begins with the certificate of `key`, and that both can be used.
///
/// # Errors
/// [`Misfit`] names the file to change.
pub fn check_identity(
    chain: &[Certificate],
    key: &PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<(), Misfit> {
    let Some(first) = chain.first() else {
        return Err(Misfit::Chain(problem!("no certificate in PEM form")));
    };
    // rustls does not name the kind of a key that it refuses.
    let signing = provider.key_provider.load_private_key(key.clone_key()).map_err(|_| {
        let kind = first.key_that_cannot_sign().unwrap_or("broken, or of another kind");
        Misfit::Key(problem!(
            "the private key cannot be used: it is {kind}; supported are {SUPPORTED_KEYS}"
        ))
    })?;
    let public = signing.public_key();
    let is_of = |certificate: &Certificate| {
        // If rustls does not expose the public key, the handshake decides.
        public.as_ref().is_none_or(|public| public.as_ref() == certificate.key_info)
    };
    if !is_of(first) {
        return Err(match chain.iter().find(|certificate| is_of(certificate)) {
            Some(own) => Misfit::Chain(problem!(
                "the certificate of the key is number {} ({}); put it first, then its issuer",
                own.number,
                own.subject
            )),
            None => Misfit::Key(problem!(
                "the private key is not that of the certificate ({})",
                first.subject
            )),
        });
    }
    if !first.is_version_3() {
        return Err(Misfit::Chain(problem!(
            "certificate 1 ({}) is not X.509 version 3, which peers refuse; have it issued as \
             version 3, with extensions",
            first.subject
        )));
    }
    Ok(())
}

/// Names the first certificate that its issuer does not follow. Many peers accept that, some do
/// not.
pub fn order_warning(chain: &[Certificate]) -> Option<String> {
    let (one, next) =
        chain.iter().zip(chain.get(1..)?).find(|(one, next)| !one.is_issued_by(next))?;
    Some(format!(
        "certificate {} ({}) is not the issuer of the one before it; some clients need each to be \
         followed by its issuer ({})",
        next.number, next.subject, one.subject
    ))
}

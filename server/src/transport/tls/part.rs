//! Files that are read together, and what they held when they could be used last.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::Arc,
};

use rustls::{crypto::CryptoProvider, pki_types::UnixTime, sign::CertifiedKey};
use tiny_cache_tls::{
    Authorities, Certificate, Misfit, RevocationList, certificates, check_identity, order_warning,
    private_key, revocation_lists,
};

use super::file::{File, TlsError};

/// The files of a certificate chain and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyPair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What `N` files hold together.
pub(super) struct Part<T, const N: usize> {
    files: [File; N],
    parse: Parse<T, N>,
    /// A hash, because one of them may be a key.
    content: u64,
    value: T,
    /// Whether the value has changed since [`AnyPart::take_change`].
    changed: bool,
    /// Content, value and change from before [`AnyPart::renew`], until the new ones are kept.
    before: Option<(u64, T, bool)>,
}

type Parse<T, const N: usize> = fn(&[File; N], [Vec<u8>; N]) -> Result<T, TlsError>;

/// A part, whatever it holds.
pub(super) trait AnyPart {
    /// Reads the files. Returns whether they hold something new, which is the value from now on,
    /// unless it is undone.
    fn renew(&mut self) -> Result<bool, TlsError>;

    /// Keeps what is new.
    fn keep(&mut self);

    /// Takes back what is new and was not kept.
    fn undo(&mut self);

    /// Whether they have held something new since this was asked last.
    fn take_change(&mut self) -> bool;

    fn paths(&self) -> Vec<PathBuf>;

    /// What works now and turns peers away sooner or later.
    fn warnings(&self) -> Vec<String>;
}

/// What may be in a part.
pub(super) trait Held<const N: usize> {
    fn warnings(&self, files: &[File; N], now: UnixTime) -> Vec<String>;
}

impl<T, const N: usize> Part<T, N> {
    /// Reads the files for the first time.
    pub(super) fn load(files: [File; N], parse: Parse<T, N>) -> Result<Self, TlsError> {
        let (content, read) = read(&files)?;
        let value = parse(&files, read)?;
        Ok(Self { files, parse, content, value, changed: false, before: None })
    }

    pub(super) fn value(&self) -> &T {
        &self.value
    }

    pub(super) fn files(&self) -> &[File; N] {
        &self.files
    }
}

impl<T: Held<N>, const N: usize> AnyPart for Part<T, N> {
    fn renew(&mut self) -> Result<bool, TlsError> {
        let (content, read) = read(&self.files)?;
        if content == self.content {
            return Ok(false);
        }
        let value = (self.parse)(&self.files, read)?;
        let old = std::mem::replace(&mut self.value, value);
        self.before = Some((self.content, old, self.changed));
        (self.content, self.changed) = (content, true);
        Ok(true)
    }

    fn keep(&mut self) {
        self.before = None;
    }

    fn undo(&mut self) {
        if let Some((content, value, changed)) = self.before.take() {
            (self.content, self.value, self.changed) = (content, value, changed);
        }
    }

    fn take_change(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    fn warnings(&self) -> Vec<String> {
        self.value.warnings(&self.files, UnixTime::now())
    }
}

fn read<const N: usize>(files: &[File; N]) -> Result<(u64, [Vec<u8>; N]), TlsError> {
    let mut contents = [const { Vec::new() }; N];
    for (content, file) in contents.iter_mut().zip(files) {
        *content = file.read()?;
    }
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    Ok((hasher.finish(), contents))
}

/// The cryptography that all of this goes by.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A server's certificate chain and its key.
pub(super) struct Identity {
    pub(super) chain: Vec<Certificate>,
    pub(super) certified: Arc<CertifiedKey>,
}

impl Identity {
    pub(super) fn parse(
        [chain_file, key_file]: &[File; 2],
        [chain, key]: [Vec<u8>; 2],
    ) -> Result<Self, TlsError> {
        let chain = chain_file.parse(&chain, certificates)?;
        let key = key_file.parse(&key, private_key)?;
        let provider = provider();
        check_identity(&chain, &key, &provider).map_err(|misfit| match misfit {
            Misfit::Chain(problem) => chain_file.refuse(problem),
            Misfit::Key(problem) => key_file.refuse(problem),
        })?;
        let der = chain.iter().map(|certificate| certificate.der().clone()).collect();
        let certified =
            CertifiedKey::from_der(der, key, &provider).map_err(|error| key_file.refuse(error))?;
        Ok(Self { chain, certified: Arc::new(certified) })
    }
}

impl Held<2> for Identity {
    fn warnings(&self, [chain_file, _]: &[File; 2], now: UnixTime) -> Vec<String> {
        let order = order_warning(&self.chain).map(|warning| chain_file.warning(&warning));
        order
            .into_iter()
            .chain(out_of_date(&self.chain, chain_file, now, "clients refuse it"))
            .collect()
    }
}

/// The authorities of clients' certificates.
pub(super) struct Signers {
    pub(super) certificates: Vec<Certificate>,
    pub(super) authorities: Authorities,
}

impl Signers {
    pub(super) fn parse([file]: &[File; 1], [content]: [Vec<u8>; 1]) -> Result<Self, TlsError> {
        let certificates = file.parse(&content, certificates)?;
        let authorities =
            Authorities::new(&certificates).map_err(|problem| file.refuse(problem))?;
        Ok(Self { certificates, authorities })
    }
}

impl Held<1> for Signers {
    fn warnings(&self, [file]: &[File; 1], now: UnixTime) -> Vec<String> {
        out_of_date(&self.certificates, file, now, "clients that it signed are refused").collect()
    }
}

/// Lists of revoked certificates of clients.
#[derive(Default)]
pub(super) struct Lists(pub(super) Arc<[RevocationList]>);

impl Lists {
    pub(super) fn parse([file]: &[File; 1], [content]: [Vec<u8>; 1]) -> Result<Self, TlsError> {
        Ok(Self(file.parse(&content, revocation_lists)?.into()))
    }
}

impl Held<1> for Lists {
    fn warnings(&self, [file]: &[File; 1], now: UnixTime) -> Vec<String> {
        let overdue = self.0.iter().filter_map(|list| list.date_warning(now));
        let text = |warning| file.warning(&format!("{warning}; later revocations are not known"));
        overdue.map(text).collect()
    }
}

fn out_of_date(
    certificates: &[Certificate],
    file: &File,
    now: UnixTime,
    consequence: &str,
) -> impl Iterator<Item = String> {
    let warnings = certificates.iter().filter_map(move |certificate| certificate.date_warning(now));
    warnings.map(move |warning| file.warning(&format!("{warning}; {consequence}")))
}

impl<T, const N: usize> fmt::Debug for Part<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("files", &self.files).finish_non_exhaustive()
    }
}

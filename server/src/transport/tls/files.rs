//! The files of both ports, and what is put to use when they change.

use std::{path::PathBuf, sync::Arc};

use arc_swap::{ArcSwap, Guard};
use rustls::server::danger::ClientCertVerifier;
use tiny_cache_tls::{Certificate, RevocationList};

use super::{
    file::{File, TlsError},
    part::{AnyPart, Identity, KeyPair, Lists, Part, Signers, provider},
    port::{Keys, Port},
};

/// The files of the gRPC port.
#[derive(Clone, Debug)]
pub(crate) struct GrpcFiles {
    pub(crate) pair: KeyPair,
    /// Authorities of clients; `None`: clients need no certificate.
    pub(crate) client_ca: Option<PathBuf>,
    /// Revoked certificates of clients.
    pub(crate) crl: Option<PathBuf>,
}

/// What is read again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Certificate,
    ClientCa,
    Crl,
    HttpCertificate,
}

/// The ports, and the files that they use. The default: both are plain.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    grpc: Option<Grpc>,
    http: Option<Http>,
    shown: Shown,
}

#[derive(Debug)]
struct Grpc {
    port: Port,
    identity: Part<Identity, 2>,
    client_ca: Option<Part<Signers, 1>>,
    crl: Option<Part<Lists, 1>>,
}

#[derive(Debug)]
struct Http {
    port: Port,
    /// `None`: that of the gRPC port.
    own: Option<Part<Identity, 2>>,
}

/// What the ports use, which changes. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown(Arc<ArcSwap<InUse>>);

/// What the ports use at some moment.
#[derive(Debug, Default)]
pub(crate) struct InUse {
    pub(crate) certificates: Vec<LoadedCertificate>,
    pub(crate) revocation_lists: Arc<[RevocationList]>,
}

/// A certificate that a port uses.
#[derive(Clone, Debug)]
pub(crate) struct LoadedCertificate {
    /// Which of the files it is from.
    pub(crate) kind: &'static str,
    pub(crate) certificate: Certificate,
}

/// What came of reading the files again.
pub(crate) struct Renewed {
    /// Whether the files of the subject hold something new.
    pub(crate) outcome: Result<bool, TlsError>,
    /// Of which certificates others are in use than before.
    pub(crate) kinds: Vec<&'static str>,
    pub(crate) warnings: Vec<String>,
    /// How many connections end because their certificate is accepted no more.
    pub(crate) ended: usize,
}

impl Subject {
    /// As the metrics and the log name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::ClientCa => "client_ca",
            Self::Crl => "crl",
            Self::HttpCertificate => "http_certificate",
        }
    }

    /// Whether it says which clients are accepted. Authorities and lists must fit each other.
    fn is_of_clients(self) -> bool {
        matches!(self, Self::ClientCa | Self::Crl)
    }

    /// The kind of its certificates.
    fn kind(self) -> Option<&'static str> {
        match self {
            Self::Certificate => Some("server"),
            Self::ClientCa => Some("client_ca"),
            Self::Crl => None,
            Self::HttpCertificate => Some("http"),
        }
    }
}

impl Tls {
    /// Reads the files: those of the gRPC port, and of the HTTP port, which may be the same.
    ///
    /// # Errors
    /// [`TlsError`] when a file is missing, is not PEM, cannot be used, or does not fit the others.
    pub(crate) fn load(grpc: Option<GrpcFiles>, http: Option<KeyPair>) -> Result<Self, TlsError> {
        let shares = http.is_some() && http == grpc.as_ref().map(|grpc| grpc.pair.clone());
        let grpc = grpc.map(Grpc::load).transpose()?;
        let own = http.filter(|_| !shares).map(|pair| load_pair(HTTP_VARIABLES, pair));
        let own = own.transpose()?;
        let pair = own.as_ref().or(grpc.as_ref().filter(|_| shares).map(|grpc| &grpc.identity));
        let port = pair.map(|pair| Port::new(http_keys(pair)));
        let http = port.map(|port| Http { port, own });
        let tls = Self { grpc, http, shown: Shown::default() };
        tls.show();
        Ok(tls)
    }

    /// The gRPC port; `None`: it is plain.
    pub(crate) fn grpc(&self) -> Option<Port> {
        self.grpc.as_ref().map(|grpc| grpc.port.clone())
    }

    /// The HTTP port; `None`: it is plain.
    pub(crate) fn http(&self) -> Option<Port> {
        self.http.as_ref().map(|http| http.port.clone())
    }

    /// What the ports use.
    pub(crate) fn shown(&self) -> Shown {
        self.shown.clone()
    }

    /// What works now and turns peers away sooner or later.
    pub(crate) fn warnings(&mut self) -> Vec<String> {
        let mut warnings: Vec<_> =
            self.parts().into_iter().flat_map(|(_, part)| part.warnings()).collect();
        warnings.extend(self.grpc.iter().flat_map(Grpc::unlisted));
        warnings
    }

    /// What is read again by itself, and the files that it is read from.
    pub(crate) fn subjects(&mut self) -> Vec<(Subject, Vec<PathBuf>)> {
        self.parts().into_iter().map(|(subject, part)| (subject, part.paths())).collect()
    }

    /// Reads the files again and puts to use what is new in them, of all subjects: where an
    /// authority and its revocation list are replaced together, no handshake meets one without
    /// the other. The outcome is that of `subject` alone.
    pub(crate) fn renew(&mut self, subject: Subject) -> Renewed {
        let mut renewed =
            Renewed { outcome: Ok(false), kinds: Vec::new(), warnings: Vec::new(), ended: 0 };
        let mut changed = Vec::new();
        for (of, part) in self.parts() {
            match part.renew() {
                Ok(true) => changed.push(of),
                Err(problem) if of == subject => renewed.outcome = Err(problem),
                // What another subject cannot use is reported by that.
                Ok(false) | Err(_) => {}
            }
        }
        if let Some(misfit) = self.grpc.as_ref().and_then(Grpc::misfit) {
            if subject.is_of_clients() && changed.contains(&subject) {
                renewed.outcome = Err(misfit);
            }
            changed.retain(|of| !of.is_of_clients());
        }
        for (of, part) in self.parts() {
            if changed.contains(&of) {
                part.keep();
                renewed.kinds.extend(of.kind());
                renewed.warnings.extend(part.warnings());
            } else {
                part.undo();
            }
            if of == subject && renewed.outcome.is_ok() {
                renewed.outcome = Ok(part.take_change());
            }
        }
        if changed.iter().copied().any(Subject::is_of_clients) {
            renewed.warnings.extend(self.grpc.iter().flat_map(Grpc::unlisted));
        }
        if !changed.is_empty() {
            renewed.ended = self.put_to_use(&changed);
        }
        renewed
    }

    /// Returns how many connections end.
    fn put_to_use(&self, changed: &[Subject]) -> usize {
        let mut ended = 0;
        if let Some(grpc) = &self.grpc
            && changed.iter().any(|of| *of != Subject::HttpCertificate)
        {
            grpc.port.set(grpc.keys());
            if changed.iter().copied().any(Subject::is_of_clients) {
                ended = grpc.port.check_open();
            }
        }
        if let Some(Http { port, own }) = &self.http {
            let (pair, of) = match own {
                Some(own) => (Some(own), Subject::HttpCertificate),
                None => (self.grpc.as_ref().map(|grpc| &grpc.identity), Subject::Certificate),
            };
            if let Some(pair) = pair.filter(|_| changed.contains(&of)) {
                port.set(http_keys(pair));
            }
        }
        self.show();
        ended
    }

    fn show(&self) {
        let mut in_use = InUse::default();
        let mut add = |subject: Subject, certificates: &[Certificate]| {
            let Some(kind) = subject.kind() else { return };
            let loaded = certificates.iter().cloned();
            in_use
                .certificates
                .extend(loaded.map(|certificate| LoadedCertificate { kind, certificate }));
        };
        if let Some(grpc) = &self.grpc {
            if let Some(signers) = &grpc.client_ca {
                add(Subject::ClientCa, &signers.value().certificates);
            }
            add(Subject::Certificate, &grpc.identity.value().chain);
        }
        if let Some(own) = self.http.as_ref().and_then(|http| http.own.as_ref()) {
            add(Subject::HttpCertificate, &own.value().chain);
        }
        if let Some(lists) = self.grpc.as_ref().and_then(|grpc| grpc.crl.as_ref()) {
            in_use.revocation_lists = lists.value().0.clone();
        }
        self.shown.0.store(Arc::new(in_use));
    }

    fn parts(&mut self) -> Vec<(Subject, &mut dyn AnyPart)> {
        let mut parts: Vec<(Subject, &mut dyn AnyPart)> = Vec::new();
        if let Some(Grpc { identity, client_ca, crl, .. }) = &mut self.grpc {
            parts.push((Subject::Certificate, identity));
            if let Some(client_ca) = client_ca {
                parts.push((Subject::ClientCa, client_ca));
            }
            if let Some(crl) = crl {
                parts.push((Subject::Crl, crl));
            }
        }
        if let Some(own) = self.http.as_mut().and_then(|http| http.own.as_mut()) {
            parts.push((Subject::HttpCertificate, own));
        }
        parts
    }
}

impl Grpc {
    fn load(files: GrpcFiles) -> Result<Self, TlsError> {
        let one = |variable, path| [File { variable, path }];
        let identity = load_pair(["CACHE_TLS_CERT_PATH", "CACHE_TLS_KEY_PATH"], files.pair)?;
        let client_ca = files.client_ca.map(|path| one("CACHE_TLS_CLIENT_CA_PATH", path));
        let client_ca = client_ca.map(|file| Part::load(file, Signers::parse)).transpose()?;
        let crl = files.crl.map(|path| one("CACHE_TLS_CRL_PATH", path));
        let crl = crl.map(|file| Part::load(file, Lists::parse)).transpose()?;
        let port = Port::new(keys(&identity, client_ca.as_ref(), crl.as_ref()));
        let grpc = Self { port, identity, client_ca, crl };
        grpc.misfit().map_or(Ok(grpc), Err)
    }

    /// A list that has the name of an authority and not its signature. All clients of the
    /// authority would be refused, and lose their connections.
    fn misfit(&self) -> Option<TlsError> {
        let (Some(signers), Some(lists)) = (&self.client_ca, &self.crl) else { return None };
        let [file] = lists.files();
        let provider = provider();
        lists.value().0.iter().find_map(|list| {
            let named = || signers.value().certificates.iter().filter(|signer| list.is_of(signer));
            let first = named().next()?;
            let is_signed = named().any(|signer| list.is_signed_by(signer, &provider));
            (!is_signed).then(|| {
                file.refuse(format_args!(
                    "revocation list {} ({}) is not signed by certificate {} of \
                     CACHE_TLS_CLIENT_CA_PATH, which has its name; replace both together, or use \
                     the list of that authority",
                    list.number, list.issuer, first.number
                ))
            })
        })
    }

    fn keys(&self) -> Keys {
        keys(&self.identity, self.client_ca.as_ref(), self.crl.as_ref())
    }

    /// A warning for each authority without a revocation list, where there are such lists.
    fn unlisted(&self) -> Vec<String> {
        let (Some(signers), Some(lists)) = (&self.client_ca, &self.crl) else { return Vec::new() };
        let [file] = lists.files();
        let is_listed =
            |signer: &&Certificate| lists.value().0.iter().any(|list| list.is_of(signer));
        let unlisted = signers.value().certificates.iter().filter(|signer| !is_listed(signer));
        let warning = |signer: &Certificate| {
            file.warning(&format!(
                "it has no revocation list of certificate {} ({}) of CACHE_TLS_CLIENT_CA_PATH; \
                 clients that it signed are refused",
                signer.number, signer.subject
            ))
        };
        unlisted.map(warning).collect()
    }
}

impl Shown {
    /// What they use now.
    pub(crate) fn load(&self) -> Guard<Arc<InUse>> {
        self.0.load()
    }
}

impl InUse {
    /// When each revocation list is due to be replaced, in Unix time.
    pub(crate) fn due(&self) -> impl Iterator<Item = (&RevocationList, f64)> {
        self.revocation_lists.iter().map(|list| (list, list.next_update.as_secs_f64()))
    }
}

const HTTP_VARIABLES: [&str; 2] = ["CACHE_HEALTH_TLS_CERT_PATH", "CACHE_HEALTH_TLS_KEY_PATH"];

fn load_pair(
    [certificate, key]: [&'static str; 2],
    pair: KeyPair,
) -> Result<Part<Identity, 2>, TlsError> {
    let certificate = File { variable: certificate, path: pair.certificate };
    Part::load([certificate, File { variable: key, path: pair.key }], Identity::parse)
}

fn http_keys(pair: &Part<Identity, 2>) -> Keys {
    Keys::new(pair.value().certified.clone(), None, b"http/1.1")
}

fn keys(
    identity: &Part<Identity, 2>,
    client_ca: Option<&Part<Signers, 1>>,
    crl: Option<&Part<Lists, 1>>,
) -> Keys {
    let clients = client_ca.map(|signers| verifier(signers.value(), crl.map(Part::value)));
    Keys::new(identity.value().certified.clone(), clients, b"h2")
}

fn verifier(signers: &Signers, lists: Option<&Lists>) -> Arc<dyn ClientCertVerifier> {
    let lists = lists.map(|lists| lists.0.clone()).unwrap_or_default();
    let verifier = signers.authorities.clone().client_verifier(lists, provider());
    verifier.expect("a file that was read has certificates, and lists that can be used")
}

//! The trusted authorities. rustls ignores their dates; here each handshake trusts only those that
//! are valid at that moment.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime},
    server::{
        VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use crate::{Certificate, Problem, RevocationList, Validity};

/// The certificates of authorities.
#[derive(Clone, Debug)]
pub struct Authorities {
    trusted: Vec<Authority>,
}

#[derive(Clone, Debug)]
struct Authority {
    certificate: Certificate,
    anchor: TrustAnchor<'static>,
}

impl Authorities {
    /// Uses these certificates as authorities.
    ///
    /// # Errors
    /// The key of one of them cannot check signatures.
    pub fn new(certificates: &[Certificate]) -> Result<Self, Problem> {
        let trusted = certificates.iter().map(Authority::new).collect::<Result<_, _>>()?;
        Ok(Self { trusted })
    }

    /// The verifier of a server, for its clients' certificates.
    ///
    /// If there are `lists`, each certificate of a client's chain but the authority's must be on
    /// the list of its issuer as one that is not revoked: where there is no list of an issuer, its
    /// clients are refused. A list whose successor is overdue is used all the same.
    ///
    /// # Errors
    /// There are no authorities.
    pub fn client_verifier(
        self,
        lists: Arc<[RevocationList]>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, Problem> {
        let make = move |roots: RootCertStore, provider: &Arc<CryptoProvider>| {
            WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
                .with_crls(lists.iter().map(|list| list.der().clone()))
                .build()
        };
        Ok(Arc::new(Dated::new(self.trusted, provider, Box::new(make))?))
    }

    /// The verifier of a client, for a server's certificate.
    ///
    /// # Errors
    /// There are no authorities.
    pub fn server_verifier(
        self,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, Problem> {
        let make = |roots: RootCertStore, provider: &Arc<CryptoProvider>| {
            let builder =
                WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
            builder.build().map(|verifier| verifier as Arc<dyn ServerCertVerifier>)
        };
        Ok(Arc::new(Dated::new(self.trusted, provider, Box::new(make))?))
    }
}

impl Authority {
    fn new(certificate: &Certificate) -> Result<Self, Problem> {
        let (number, subject) = (certificate.number, &certificate.subject);
        if let Some(key) = certificate.unusable_key() {
            return Err(problem!(
                "certificate {number} ({subject}) has {key}, with which no signature can be \
                 checked; take it out, and use an authority with RSA of 2048 to 8192 bits, ECDSA \
                 on P-256 or P-384, or Ed25519"
            ));
        }
        let mut one = RootCertStore::empty();
        one.add(certificate.der().clone()).map_err(|error| {
            problem!("certificate {number} ({subject}) cannot be used as an authority: {error}")
        })?;
        let anchor = one.roots.pop().ok_or_else(|| problem!("no certificate in PEM form"))?;
        Ok(Self { certificate: certificate.clone(), anchor })
    }
}

type Make<V> = Box<
    dyn Fn(RootCertStore, &Arc<CryptoProvider>) -> Result<Arc<V>, VerifierBuilderError>
        + Send
        + Sync,
>;

/// A verifier that trusts only the authorities that are valid at the time of the handshake.
struct Dated<V: ?Sized> {
    authorities: Vec<Authority>,
    /// The verifier that trusts all of them, used while all are valid.
    all: Arc<V>,
    /// The one that was made last, and which authorities it trusts: a certificate expires seldom,
    /// and to make one reads every revocation list anew.
    some: Mutex<Option<(Vec<bool>, Arc<V>)>>,
    provider: Arc<CryptoProvider>,
    make: Make<V>,
}

impl<V: ?Sized> Dated<V> {
    fn new(
        authorities: Vec<Authority>,
        provider: Arc<CryptoProvider>,
        make: Make<V>,
    ) -> Result<Self, Problem> {
        let roots = authorities.iter().map(|authority| authority.anchor.clone()).collect();
        let all = make(RootCertStore { roots }, &provider).map_err(|error| problem!("{error}"))?;
        Ok(Self { authorities, all, some: Mutex::default(), provider, make })
    }

    /// Calls `verify` with a verifier of the authorities that are valid at `now`.
    fn verify<T>(
        &self,
        now: UnixTime,
        verify: impl Fn(&V) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let is_valid =
            |authority: &Authority| authority.certificate.validity(now) == Validity::Valid;
        let valid: Vec<_> = self.authorities.iter().map(is_valid).collect();
        if !valid.contains(&false) {
            return verify(&self.all);
        }
        let refusal = match self.only(valid) {
            Some(some) => match verify(&some) {
                Ok(verified) => return Ok(verified),
                Err(refusal) => refusal,
            },
            // No authority is valid.
            None => CertificateError::UnknownIssuer.into(),
        };
        // If only the authority's date is wrong, the TLS alert should say so.
        match verify(&self.all) {
            Ok(_) => Err(self.out_of_date(now).unwrap_or(refusal)),
            Err(_) => Err(refusal),
        }
    }

    /// The verifier that trusts only these, if there are any.
    fn only(&self, valid: Vec<bool>) -> Option<Arc<V>> {
        let mut some = self.some.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, made)) = &*some
            && *of == valid
        {
            return Some(made.clone());
        }
        let of_each = self.authorities.iter().zip(&valid);
        let roots = of_each.filter(|(_, is_valid)| **is_valid);
        let roots = roots.map(|(authority, _)| authority.anchor.clone()).collect();
        let made = (self.make)(RootCertStore { roots }, &self.provider).ok()?;
        *some = Some((valid, made.clone()));
        Some(made)
    }

    fn out_of_date(&self, now: UnixTime) -> Option<Error> {
        let of = |validity| {
            let mut certificates = self.authorities.iter().map(|authority| &authority.certificate);
            certificates.find(|certificate| certificate.validity(now) == validity)
        };
        let error = match of(Validity::Expired) {
            Some(expired) => {
                let not_after = UnixTime::since_unix_epoch(expired.not_after);
                CertificateError::ExpiredContext { time: now, not_after }
            }
            None => of(Validity::NotYet).map(|_| CertificateError::NotValidYet)?,
        };
        Some(error.into())
    }
}

impl<V: ?Sized> fmt::Debug for Dated<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dated").field("authorities", &self.authorities).finish_non_exhaustive()
    }
}

/// The methods that both traits have. A signature does not depend on the authorities.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.all.verify_tls12_signature(message, cert, dss)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.all.verify_tls13_signature(message, cert, dss)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.all.supported_verify_schemes()
        }
    };
}

impl ClientCertVerifier for Dated<dyn ClientCertVerifier> {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.all.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(now, |verifier| verifier.verify_client_cert(end_entity, intermediates, now))
    }

    signatures!();
}

impl ServerCertVerifier for Dated<dyn ServerCertVerifier> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(now, |verifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        })
    }

    signatures!();
}

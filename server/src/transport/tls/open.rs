//! Open connections, by the certificate that each has shown. When the authorities or the
//! revocation lists change, each certificate is checked again as in a handshake, and the
//! connections end whose certificate is refused.

use std::{collections::HashMap, sync::Arc};

use rustls::{
    pki_types::{CertificateDer, UnixTime},
    server::danger::ClientCertVerifier,
};
use tokio_util::sync::CancellationToken;

use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering, PoisonError};

/// A client's certificate, and those that it sent with it.
pub(super) type Chain = Arc<[CertificateDer<'static>]>;

/// The open connections of a port that asks clients for a certificate.
#[derive(Default)]
pub(super) struct Open(Mutex<Connections>);

#[derive(Default)]
struct Connections {
    count: u64,
    open: HashMap<u64, Connection>,
}

struct Connection {
    chain: Chain,
    end: End,
}

/// Held while a connection is open whose client has shown a certificate.
pub(crate) struct Admission {
    of: Arc<Open>,
    number: u64,
    end: End,
}

/// How a connection learns that its client is admitted no more.
#[derive(Clone)]
struct End {
    refused: Arc<AtomicBool>,
    /// Ends with the server's drain, too.
    drain: CancellationToken,
}

impl Open {
    /// Notes a connection that ends when `drain` is cancelled, or its certificate is refused.
    pub(super) fn admit(self: &Arc<Self>, chain: Chain, drain: &CancellationToken) -> Admission {
        let end = End { refused: Arc::new(AtomicBool::new(false)), drain: drain.child_token() };
        let mut connections = self.lock();
        connections.count += 1;
        let number = connections.count;
        connections.open.insert(number, Connection { chain, end: end.clone() });
        Admission { of: self.clone(), number, end }
    }

    /// Ends the connections whose certificate `verifier` refuses. Returns how many.
    pub(super) fn check(&self, verifier: &dyn ClientCertVerifier) -> usize {
        let open: Vec<_> = {
            let connections = self.lock();
            let of_each = connections.open.values();
            of_each.map(|connection| (connection.chain.clone(), connection.end.clone())).collect()
        };
        // Clients have more than one connection, and a check takes a signature or two.
        let mut accepted = HashMap::new();
        let mut ended = 0;
        for (chain, end) in open {
            let is_accepted =
                *accepted.entry(chain.clone()).or_insert_with(|| accepts(verifier, &chain));
            if !is_accepted && end.refuse() {
                ended += 1;
            }
        }
        ended
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a handshake would accept the chain now.
pub(super) fn accepts(
    verifier: &dyn ClientCertVerifier,
    chain: &[CertificateDer<'static>],
) -> bool {
    let Some((own, others)) = chain.split_first() else { return false };
    verifier.verify_client_cert(own, others, UnixTime::now()).is_ok()
}

impl Admission {
    /// Cancelled when the connection is to end: by a drain of the server, or of it alone.
    pub(crate) fn drain(&self) -> &CancellationToken {
        &self.end.drain
    }

    /// Whether the certificate is refused by now. A look at it costs no lock; the task is woken
    /// by [`Self::drain`].
    pub(crate) fn is_refused(&self) -> bool {
        self.end.refused.load(Ordering::Acquire)
    }

    pub(super) fn refuse(&self) {
        self.end.refuse();
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.of.lock().open.remove(&self.number);
    }
}

impl End {
    /// Returns whether this is the first time.
    fn refuse(&self) -> bool {
        let first = !self.refused.swap(true, Ordering::AcqRel);
        self.drain.cancel();
        first
    }
}

//! The settings as the server uses them.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use tracing::level_filters::LevelFilter;

use crate::{
    access::AccessFiles,
    cgroup::MemoryLimit,
    logging::LogFormat,
    store::{EvictionPolicy, StoreLimits},
    tier::TierSettings,
};

use super::memory::{self, MIB};

/// Everything that can be set. See [`VARIABLES`](super::VARIABLES) for names, defaults and meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named after its variable; VARIABLES has the text")]
pub struct Settings {
    pub host: String,
    pub port: u16,
    pub health_host: String,
    pub health_port: u16,
    pub limits: StoreLimits,
    /// The memory limit of the container that the settings were held against.
    pub memory_limit: Option<MemoryLimit>,
    pub cleanup_interval: Duration,
    pub eviction_policy: EvictionPolicy,
    pub what_if: bool,
    pub log_level: LevelFilter,
    pub log_level_remote: bool,
    pub log_format: LogFormat,
    pub trace_keys: bool,
    pub tls: Option<TlsFiles>,
    pub health_tls: Option<PairFiles>,
    /// `None`: every caller may do everything.
    pub access: Option<AccessFiles>,
    /// Hashes of the tokens that open the HTTP port; `None`: it is open.
    pub health_tokens: Option<PathBuf>,
    pub transport: Transport,
    pub workers: NonZeroUsize,
    pub shards: NonZeroUsize,
    pub max_batch_items: usize,
    pub max_connections: usize,
    pub max_concurrent_streams: u32,
    pub handshake_timeout: Duration,
    pub max_connection_age: Option<Duration>,
    pub max_connection_idle: Option<Duration>,
    pub max_in_flight: Option<NonZeroUsize>,
    pub shutdown_grace: Duration,
    /// The file of the namespaces' quotas.
    pub quotas: Option<PathBuf>,
    /// The second tier; `None`: the store has everything.
    pub tier: Option<TierSettings>,
    /// What the operator should hear about but what does not stop the start.
    pub warnings: Vec<String>,
}

/// Who speaks HTTP/2.
#[expect(clippy::manual_non_exhaustive, reason = "the hidden one can be chosen, by tests")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Our own engine.
    Engine,
    /// Our own engine, on which every call takes the long way. For tests alone.
    #[doc(hidden)]
    LongWay,
    /// hyper, as before 0.3: a way back for one release.
    Hyper,
}

/// The PEM files of the gRPC port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Certificates that a client's must be signed by; `None`: clients need none.
    pub client_ca: Option<PathBuf>,
    /// Revocation lists of those that signed; `None`: what was revoked is not known.
    pub crl: Option<PathBuf>,
}

/// The PEM files of the HTTP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairFiles {
    /// The server's certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Settings {
    /// The largest gRPC message either way: two of the largest values (CompareAndSet has
    /// two) and a mebibyte for keys and framing, and at least gRPC's own default.
    pub fn max_message_bytes(&self) -> usize {
        (2 * self.limits.max_value_bytes + MIB as usize).max(4 * MIB as usize)
    }

    /// What replies may hold beside the store, with those that wait for slow readers: an eighth of
    /// the memory for entries, and at least the largest message.
    pub(crate) fn pinned_bytes(&self) -> usize {
        let eighth = usize::try_from(self.limits.max_bytes / 8).unwrap_or(usize::MAX);
        eighth.max(self.max_message_bytes())
    }

    /// Memory for large messages that are still arriving, a part of what the process takes
    /// beside its entries.
    pub(crate) fn intake_bytes(&self) -> usize {
        let intake = memory::intake(self.limits.max_bytes, self.limits.max_value_bytes as u64);
        usize::try_from(intake).unwrap_or(usize::MAX)
    }
}

//! Turns the environment into valid settings. Nothing later checks a setting again.
//!
//! The names, their defaults and their help stand once, in [`variables`].

mod memory;
mod parse;
mod tls;
mod variables;
mod void;

use std::{ffi::OsString, num::NonZeroUsize, path::PathBuf, time::Duration};

use thiserror::Error;
use tiny_cache_proto::codec::MAX_BATCH_ITEMS;
use tracing::level_filters::LevelFilter;

use crate::{
    cgroup,
    store::{EvictionPolicy, StoreLimits},
};

use self::{
    memory::store_limits,
    parse::{Given, boolean, choice, number, positive, seconds},
    tls::tls_files,
    variables::Raw,
};

pub use crate::cgroup::MemoryLimit;

pub use self::{
    memory::RESIDENT_PERCENT,
    variables::{VARIABLES, Variable},
};

const MIB: u64 = 1 << 20;

/// The length of a gRPC message has 32 bits; half of that leaves room for a second value in
/// CompareAndSet.
const LARGEST_VALUE_BYTES: u64 = (1 << 30) - MIB;

/// Shards for each worker, so that two workers seldom meet in moka's maintenance.
const SHARDS_PER_WORKER: usize = 4;

/// Everything that can be set. See [`VARIABLES`] for names, defaults and meaning.
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
    pub log_level: LevelFilter,
    pub log_level_remote: bool,
    pub log_format: LogFormat,
    pub trace_keys: bool,
    pub tls: Option<TlsFiles>,
    pub workers: NonZeroUsize,
    pub shards: NonZeroUsize,
    pub max_batch_items: usize,
    pub max_connections: usize,
    pub max_concurrent_streams: u32,
    pub handshake_timeout: Duration,
    pub shutdown_grace: Duration,
    /// What the operator should hear about but what does not stop the start.
    pub warnings: Vec<String>,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
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
}

/// A setting that stops the start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{variable}: {value:?} is not allowed: {allowed}")]
pub struct SettingsError {
    variable: &'static str,
    value: String,
    allowed: String,
}

impl SettingsError {
    pub(crate) fn new(
        variable: &'static str,
        value: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self { variable, value: value.into(), allowed: allowed.into() }
    }
}

/// Where the HTTP port is, which is all that a health check needs to know. What else is set
/// may make sense to the server alone, such as a size that follows its container's limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthAddress {
    /// `CACHE_HEALTH_HOST`.
    pub host: String,
    /// `CACHE_HEALTH_PORT`.
    pub port: u16,
}

impl HealthAddress {
    /// Reads the address from the process's environment.
    ///
    /// # Errors
    /// [`SettingsError`] when the port is none.
    pub fn from_env() -> Result<Self, SettingsError> {
        let (raw, _warnings) = Raw::collect(std::env::vars_os())?;
        let port = parse::port(raw.given("CACHE_HEALTH_PORT", &raw.cache_health_port))?;
        Ok(Self { host: raw.cache_health_host, port })
    }
}

impl Settings {
    /// Reads the settings from the process's environment, for a cache that must fit into the
    /// process's container.
    ///
    /// # Errors
    /// [`SettingsError`] for the first value that is not allowed.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::read(std::env::vars_os(), cgroup::memory_limit())
    }

    /// Reads the settings from pairs of name and value; what is not among them has its
    /// default, and names that do not begin with `CACHE_` are passed over.
    ///
    /// # Errors
    /// [`SettingsError`] for the first value that is not allowed.
    pub fn from_vars<N, V>(vars: impl IntoIterator<Item = (N, V)>) -> Result<Self, SettingsError>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        Self::read(vars, None)
    }

    /// [`Self::from_vars`] for a process that may take no more than `memory_limit` bytes.
    ///
    /// # Errors
    /// [`SettingsError`] for the first value that is not allowed, and for a memory limit of
    /// the cache with which the process would not fit.
    pub fn from_vars_within<N, V>(
        vars: impl IntoIterator<Item = (N, V)>,
        memory_limit: Option<u64>,
    ) -> Result<Self, SettingsError>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        Self::read(vars, memory_limit.map(MemoryLimit::from))
    }

    fn read<N, V>(
        vars: impl IntoIterator<Item = (N, V)>,
        memory_limit: Option<MemoryLimit>,
    ) -> Result<Self, SettingsError>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let (raw, mut warnings) = Raw::collect(vars)?;
        choice(raw.given("CACHE_BACKEND", &raw.cache_backend), &[("memory", ())])?;
        let limits = store_limits(&raw, memory_limit.as_ref(), &mut warnings)?;
        let workers = match raw.given("CACHE_WORKERS", &raw.cache_workers) {
            Given { value: "auto", .. } => available_cores(),
            given => number(given, 1, 1024)?,
        };
        let shards = match raw.given("CACHE_SHARDS", &raw.cache_shards) {
            Given { value: "auto", .. } => workers * SHARDS_PER_WORKER,
            given => number(given, 1, 256)?,
        };
        let settings = Self {
            host: raw.cache_host.clone(),
            port: parse::port(raw.given("CACHE_PORT", &raw.cache_port))?,
            health_host: raw.cache_health_host.clone(),
            health_port: parse::port(raw.given("CACHE_HEALTH_PORT", &raw.cache_health_port))?,
            limits,
            memory_limit,
            cleanup_interval: seconds(
                raw.given("CACHE_CLEANUP_INTERVAL", &raw.cache_cleanup_interval),
                Duration::from_millis(10),
            )?,
            eviction_policy: choice(
                raw.given("CACHE_EVICTION_POLICY", &raw.cache_eviction_policy),
                &[("tinylfu", EvictionPolicy::TinyLfu), ("lru", EvictionPolicy::Lru)],
            )?,
            log_level: read_level("CACHE_LOG_LEVEL", &raw.cache_log_level)?,
            log_level_remote: boolean(
                raw.given("CACHE_LOG_LEVEL_REMOTE", &raw.cache_log_level_remote),
            )?,
            log_format: choice(
                raw.given("CACHE_LOG_FORMAT", &raw.cache_log_format),
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
            )?,
            trace_keys: boolean(raw.given("CACHE_TRACE_KEYS", &raw.cache_trace_keys))?,
            tls: tls_files(&raw)?,
            workers: positive(workers),
            shards: positive(shards),
            max_batch_items: number(
                raw.given("CACHE_MAX_BATCH_ITEMS", &raw.cache_max_batch_items),
                1,
                MAX_BATCH_ITEMS,
            )?,
            max_connections: number(
                raw.given("CACHE_MAX_CONNECTIONS", &raw.cache_max_connections),
                1,
                1_000_000,
            )?,
            max_concurrent_streams: number(
                raw.given("CACHE_MAX_CONCURRENT_STREAMS", &raw.cache_max_concurrent_streams),
                1,
                1_000_000,
            )?,
            handshake_timeout: seconds(
                raw.given("CACHE_HANDSHAKE_TIMEOUT_SECONDS", &raw.cache_handshake_timeout_seconds),
                Duration::from_millis(10),
            )?,
            shutdown_grace: seconds(
                raw.given("CACHE_SHUTDOWN_GRACE_SECONDS", &raw.cache_shutdown_grace_seconds),
                Duration::ZERO,
            )?,
            warnings: Vec::new(),
        };
        warnings.extend(void::warnings(&raw, &settings));
        Ok(Self { warnings, ..settings })
    }

    /// The largest gRPC message either way: two of the largest values (CompareAndSet has
    /// two) and a mebibyte for keys and framing, and at least gRPC's own default.
    pub fn max_message_bytes(&self) -> usize {
        (2 * self.limits.max_value_bytes + MIB as usize).max(4 * MIB as usize)
    }

    /// Memory for large messages that are still arriving, a part of what the process takes
    /// beside its entries.
    pub(crate) fn intake_bytes(&self) -> usize {
        let intake = memory::intake(self.limits.max_bytes, self.limits.max_value_bytes as u64);
        usize::try_from(intake).unwrap_or(usize::MAX)
    }
}

/// The names of the log's levels.
const LEVELS: [(&str, LevelFilter); 6] = [
    ("TRACE", LevelFilter::TRACE),
    ("DEBUG", LevelFilter::DEBUG),
    ("INFO", LevelFilter::INFO),
    ("WARNING", LevelFilter::WARN),
    ("ERROR", LevelFilter::ERROR),
    // tracing has no level above error; what is logged as an error is critical.
    ("CRITICAL", LevelFilter::ERROR),
];

/// Reads the name of a level, in any case. `of` is what it was given for.
pub(crate) fn read_level(of: &'static str, value: &str) -> Result<LevelFilter, SettingsError> {
    choice(Given { variable: of, value }, &LEVELS)
}

/// The name of a level; CRITICAL is told as ERROR, which is the same.
pub(crate) fn level_name(level: LevelFilter) -> &'static str {
    LEVELS.iter().find(|(_, known)| *known == level).map_or("OFF", |(name, _)| name)
}

/// Cores that this process may use: the fewer of its CPU affinity and the least quota of its
/// control group and those around it, rounded down, and at least one. The standard library
/// reads version 1 where it is mounted, and version 2 at `/sys/fs/cgroup`, which is where
/// every container has it; it does not look for version 2 elsewhere.
fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

#[cfg(test)]
mod tests;

//! Reads the settings, and the address of the HTTP port alone.

use std::{ffi::OsString, num::NonZeroUsize, time::Duration};

use tiny_cache_proto::codec::MAX_BATCH_ITEMS;

use crate::{
    cgroup::{self, MemoryLimit},
    logging::{LEVELS, LogFormat},
    store::EvictionPolicy,
};

use super::{
    access::{access_files, health_tokens},
    error::SettingsError,
    memory::store_limits,
    parse::{
        boolean, choice, number, number_or_auto, path, port, positive, seconds, seconds_or_never,
    },
    tier::tier,
    tls::{health_tls_enabled, health_tls_files, tls_files},
    values::{Settings, Transport},
    variables::Raw,
    void,
};

/// Shards for each worker, so that two workers seldom meet in moka's maintenance.
const SHARDS_PER_WORKER: usize = 4;

/// The shortest time that an interval or a timeout may have.
const SHORTEST: Duration = Duration::from_millis(10);

const POLICIES: [(&str, EvictionPolicy); 3] = [
    ("window", EvictionPolicy::Window),
    ("tinylfu", EvictionPolicy::TinyLfu),
    ("lru", EvictionPolicy::Lru),
];

const TRANSPORTS: [(&str, Transport); 2] =
    [("engine", Transport::Engine), ("hyper", Transport::Hyper)];

const LOG_FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];

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
    pub fn from_vars(
        vars: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Result<Self, SettingsError> {
        Self::read(vars, None)
    }

    /// [`Self::from_vars`] for a process that may take no more than `memory_limit` bytes.
    ///
    /// # Errors
    /// [`SettingsError`] for the first value that is not allowed, and for a memory limit of
    /// the cache with which the process would not fit.
    pub fn from_vars_within(
        vars: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
        memory_limit: Option<u64>,
    ) -> Result<Self, SettingsError> {
        Self::read(vars, memory_limit.map(MemoryLimit::from))
    }

    pub(super) fn read(
        vars: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
        memory_limit: Option<MemoryLimit>,
    ) -> Result<Self, SettingsError> {
        let (raw, mut warnings) = Raw::collect(vars)?;
        let limits = store_limits(&raw, memory_limit.as_ref(), &mut warnings)?;
        let workers = number_or_auto(raw.cache_workers(), available_cores(), 1, 1024)?;
        let shards = number_or_auto(raw.cache_shards(), workers * SHARDS_PER_WORKER, 1, 256)?;
        let tls = tls_files(&raw)?;
        let health_tls = health_tls_files(&raw, tls.as_ref())?;
        let access = access_files(&raw, tls.as_ref(), &mut warnings)?;
        let settings = Self {
            host: raw.cache_host().value.to_owned(),
            port: port(raw.cache_port())?,
            health_host: raw.cache_health_host().value.to_owned(),
            health_port: port(raw.cache_health_port())?,
            limits,
            memory_limit,
            cleanup_interval: seconds(raw.cache_cleanup_interval(), SHORTEST)?,
            eviction_policy: choice(raw.cache_eviction_policy(), &POLICIES)?,
            what_if: boolean(raw.cache_what_if())?,
            log_level: choice(raw.cache_log_level(), &LEVELS)?,
            log_level_remote: boolean(raw.cache_log_level_remote())?,
            log_format: choice(raw.cache_log_format(), &LOG_FORMATS)?,
            trace_keys: boolean(raw.cache_trace_keys())?,
            tls,
            access,
            health_tokens: health_tokens(&raw, health_tls.is_some(), &mut warnings),
            health_tls,
            transport: choice(raw.cache_transport(), &TRANSPORTS)?,
            workers: positive(workers),
            shards: positive(shards),
            max_batch_items: number(raw.cache_max_batch_items(), 1, MAX_BATCH_ITEMS)?,
            max_connections: number(raw.cache_max_connections(), 1, 1_000_000)?,
            max_concurrent_streams: number(raw.cache_max_concurrent_streams(), 1, 1_000_000)?,
            handshake_timeout: seconds(raw.cache_handshake_timeout_seconds(), SHORTEST)?,
            max_connection_age: seconds_or_never(raw.cache_max_connection_age_seconds())?,
            max_connection_idle: seconds_or_never(raw.cache_max_connection_idle_seconds())?,
            max_in_flight: NonZeroUsize::new(number(raw.cache_max_in_flight(), 0, 1_000_000)?),
            shutdown_grace: seconds(raw.cache_shutdown_grace_seconds(), Duration::ZERO)?,
            quotas: path(raw.cache_quotas_path()),
            tier: tier(&raw)?,
            warnings: Vec::new(),
        };
        warnings.extend(void::warnings(&raw, &settings));
        Ok(Self { warnings, ..settings })
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
    /// `CACHE_HEALTH_TLS_ENABLED`.
    pub tls: bool,
}

impl HealthAddress {
    /// Reads the address from the process's environment.
    ///
    /// # Errors
    /// [`SettingsError`] when the port is none, or the switch of TLS neither on nor off.
    pub fn from_env() -> Result<Self, SettingsError> {
        let (raw, _warnings) = Raw::collect(std::env::vars_os())?;
        let port = port(raw.cache_health_port())?;
        let tls = health_tls_enabled(&raw)?;
        Ok(Self { host: raw.cache_health_host().value.to_owned(), port, tls })
    }
}

/// Cores that this process may use: the fewer of its CPU affinity and the least quota of its
/// control group and those around it, rounded down, and at least one. The standard library
/// reads version 1 where it is mounted, and version 2 at `/sys/fs/cgroup`, which is where
/// every container has it; it does not look for version 2 elsewhere.
pub(super) fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

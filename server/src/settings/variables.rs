//! The variables: name, default and help of each, written once.

use std::ffi::OsString;

use serde::Deserialize;

use super::{error::SettingsError, parse::Given};

/// One setting of the environment.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// The name, with its prefix.
    pub name: &'static str,
    /// The value when it is not set; empty: unset.
    pub default: &'static str,
    /// What it does, with its unit.
    pub help: &'static str,
}

macro_rules! variables {
    ($($field:ident $name:literal = $default:literal $help:literal)*) => {
        /// Every variable that is understood, in the order of `--help`.
        pub const VARIABLES: &[Variable] =
            &[$(Variable { name: $name, default: $default, help: $help },)*];

        /// The texts of all variables, given or default.
        #[derive(Debug, Deserialize)]
        #[serde(default)]
        pub(super) struct Raw {
            /// The names of those that were given.
            #[serde(skip)]
            set: Vec<&'static str>,
            $($field: String,)*
        }

        impl Raw {
            $(pub(super) fn $field(&self) -> Given<'_> {
                Given { variable: $name, value: &self.$field }
            })*
        }

        impl Default for Raw {
            fn default() -> Self {
                Self { set: Vec::new(), $($field: $default.to_owned(),)* }
            }
        }
    };
}

variables! {
    cache_host "CACHE_HOST" = "[::]"
        "gRPC bind address; [::] takes IPv4 as well"
    cache_port "CACHE_PORT" = "50051"
        "gRPC port; 0 takes a free one"
    cache_health_host "CACHE_HEALTH_HOST" = "0.0.0.0"
        "HTTP bind address (health, stats, metrics)"
    cache_health_port "CACHE_HEALTH_PORT" = "8080"
        "HTTP port; 0 takes a free one"
    cache_max_memory_mb "CACHE_MAX_MEMORY_MB" = "100"
        "MiB for entries, their overhead counted; refused when the process would not fit into its container's memory limit; auto: 70 % of that limit, less when that would not fit, 100 when there is none"
    cache_max_items "CACHE_MAX_ITEMS" = "0"
        "most entries; 0: no limit on the count"
    cache_max_value_bytes "CACHE_MAX_VALUE_BYTES" = "auto"
        "bytes of the largest value, up to the memory limit; auto: that, but at most 4194304"
    cache_eviction_policy "CACHE_EVICTION_POLICY" = "window"
        "what a full cache does: window lets each new key in and keeps it if it is read twice; tinylfu turns keys away that are asked for less often than those held; lru lets the least recently used go"
    cache_what_if "CACHE_WHAT_IF" = "true"
        "estimate the hit ratio that half, twice and four times the memory would give, by simulations of sampled keys, which take some 2 MiB; never with a second tier"
    cache_cleanup_interval "CACHE_CLEANUP_INTERVAL" = "10"
        "seconds between sweeps of expired entries; they run at least twice a second, so only values below 0.5 matter"
    cache_transport "CACHE_TRANSPORT" = "engine"
        "who speaks HTTP/2 on the gRPC port: engine, the server's own; or hyper, as up to 0.2.0, which the release after the next drops"
    cache_workers "CACHE_WORKERS" = "auto"
        "threads that serve gRPC; auto: the cores that this process or its container may use"
    cache_shards "CACHE_SHARDS" = "auto"
        "most shards of the store, rounded up to a power of two; fewer when one could not hold several of the largest values; auto: 4 for each worker"
    cache_max_batch_items "CACHE_MAX_BATCH_ITEMS" = "10000"
        "most items in one MultiGet, MultiSet, MultiDelete or Batch"
    cache_max_connections "CACHE_MAX_CONNECTIONS" = "10000"
        "most open gRPC connections; one more is closed at once"
    cache_max_concurrent_streams "CACHE_MAX_CONCURRENT_STREAMS" = "256"
        "most requests at a time on one connection"
    cache_handshake_timeout_seconds "CACHE_HANDSHAKE_TIMEOUT_SECONDS" = "10"
        "seconds that a new connection has for TLS and the HTTP/2 preface"
    cache_max_connection_age_seconds "CACHE_MAX_CONNECTION_AGE_SECONDS" = "0"
        "seconds after which a connection is ended as in a drain, a tenth more or less; calls that are open then have 30 more; 0: never"
    cache_max_connection_idle_seconds "CACHE_MAX_CONNECTION_IDLE_SECONDS" = "0"
        "seconds without an open call after which a connection is ended; 0: never"
    cache_max_in_flight "CACHE_MAX_IN_FLIGHT" = "0"
        "most calls of the cache that are taken and not yet answered, on all connections; more are UNAVAILABLE at once, with the time after which to try again; 0: no limit"
    cache_shutdown_grace_seconds "CACHE_SHUTDOWN_GRACE_SECONDS" = "5"
        "seconds that SIGTERM or SIGINT leave to requests in flight"
    cache_quotas_path "CACHE_QUOTAS_PATH" = ""
        "TOML file of the namespaces' quotas: bytes, entries and requests a second; see docs/quotas.md"
    cache_log_level "CACHE_LOG_LEVEL" = "INFO"
        "TRACE, DEBUG, INFO, WARNING, ERROR or CRITICAL; in a release build TRACE adds what libraries say at DEBUG and nothing else"
    cache_log_level_remote "CACHE_LOG_LEVEL_REMOTE" = "false"
        "let every peer of the HTTP port read and change the level (/log-level), not only those on this host"
    cache_log_format "CACHE_LOG_FORMAT" = "text"
        "text or json"
    cache_trace_keys "CACHE_TRACE_KEYS" = "false"
        "put keys and namespaces into traces; traces are set up by the standard OTEL_ variables"
    cache_backend "CACHE_BACKEND" = "memory"
        "memory; or redis, and valkey, which is the same: a second tier that nodes share, see docs/tier.md"
    cache_backend_url "CACHE_BACKEND_URL" = ""
        "where the second tier is: redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], redis-sentinel://HOST:PORT,HOST:PORT/SERVICE or redis-cluster://HOST:PORT,HOST:PORT; over TLS rediss://, rediss-sentinel:// or rediss-cluster://"
    cache_backend_password_path "CACHE_BACKEND_PASSWORD_PATH" = ""
        "file of the second tier's password, which then is in no environment"
    cache_backend_tls_ca_path "CACHE_BACKEND_TLS_CA_PATH" = ""
        "PEM file of the authorities that sign the second tier's certificate; unset: those of the system"
    cache_backend_tls_cert_path "CACHE_BACKEND_TLS_CERT_PATH" = ""
        "PEM file of the certificate chain that this node shows the second tier"
    cache_backend_tls_key_path "CACHE_BACKEND_TLS_KEY_PATH" = ""
        "PEM file of the private key of CACHE_BACKEND_TLS_CERT_PATH"
    cache_backend_prefix "CACHE_BACKEND_PREFIX" = "tiny-cache:"
        "what the names of all keys in the second tier begin with; nodes with the same one share their entries"
    cache_backend_timeout_seconds "CACHE_BACKEND_TIMEOUT_SECONDS" = "1"
        "seconds that the second tier has for an answer"
    cache_backend_stale_seconds "CACHE_BACKEND_STALE_SECONDS" = "0"
        "seconds for which a node may answer from its own memory while the second tier is away, with what may be old; 0: not at all"
    cache_backend_required "CACHE_BACKEND_REQUIRED" = "false"
        "be ready, and healthy, only while the second tier is there"
    cache_tls_enabled "CACHE_TLS_ENABLED" = "false"
        "TLS on the gRPC port"
    cache_tls_cert_path "CACHE_TLS_CERT_PATH" = ""
        "PEM file of the certificate chain; required with TLS"
    cache_tls_key_path "CACHE_TLS_KEY_PATH" = ""
        "PEM file of the private key; required with TLS"
    cache_tls_require_client_auth "CACHE_TLS_REQUIRE_CLIENT_AUTH" = "false"
        "refuse clients without a certificate that CACHE_TLS_CLIENT_CA_PATH signed"
    cache_tls_client_ca_path "CACHE_TLS_CLIENT_CA_PATH" = ""
        "PEM file of the authorities that sign clients' certificates"
    cache_tls_crl_path "CACHE_TLS_CRL_PATH" = ""
        "PEM file of revocation lists (CRLs), one of each authority: clients on them are refused"
    cache_health_tls_enabled "CACHE_HEALTH_TLS_ENABLED" = "false"
        "TLS on the HTTP port"
    cache_health_tls_cert_path "CACHE_HEALTH_TLS_CERT_PATH" = ""
        "PEM file of the HTTP port's certificate chain; unset with its key: those of the gRPC port"
    cache_health_tls_key_path "CACHE_HEALTH_TLS_KEY_PATH" = ""
        "PEM file of the private key of CACHE_HEALTH_TLS_CERT_PATH"
    cache_access_rules_path "CACHE_ACCESS_RULES_PATH" = ""
        "TOML file that says who may do what in which namespaces; whoever it does not name is refused"
    cache_access_tokens_path "CACHE_ACCESS_TOKENS_PATH" = ""
        "file of callers' names, each with the SHA-256 of a bearer token; needs the rules"
    cache_access_certificate_identity "CACHE_ACCESS_CERTIFICATE_IDENTITY" = ""
        "which name of a client's certificate says who it is: uri (such as a SPIFFE ID), dns or cn; needs the rules and mutual TLS"
    cache_access_jwt_keys_path "CACHE_ACCESS_JWT_KEYS_PATH" = ""
        "JWKS file of the public keys that sign callers' JWTs; needs the rules, the issuer and the audience"
    cache_access_jwt_issuer "CACHE_ACCESS_JWT_ISSUER" = ""
        "claim iss that a JWT must have"
    cache_access_jwt_audience "CACHE_ACCESS_JWT_AUDIENCE" = ""
        "claim aud that a JWT must have"
    cache_access_jwt_identity_claim "CACHE_ACCESS_JWT_IDENTITY_CLAIM" = "sub"
        "claim of a JWT that says who its caller is"
    cache_health_tokens_path "CACHE_HEALTH_TOKENS_PATH" = ""
        "file of names, each with the SHA-256 of a bearer token, one of which the HTTP port then wants for all but /live and /ready"
}

impl Raw {
    /// Takes the `CACHE_` variables out of `vars`: trimmed, blank ones as if unset. Returns
    /// them with a warning for each name that is not known.
    pub(super) fn collect(
        vars: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Result<(Self, Vec<String>), SettingsError> {
        let mut known = Vec::new();
        let mut set = Vec::new();
        let mut warnings = Vec::new();
        for (name, value) in vars {
            let (name, value) = (name.into(), value.into());
            let Some(name) = name.to_str().filter(|name| name.starts_with("CACHE_")) else {
                continue;
            };
            let Some(variable) = VARIABLES.iter().find(|variable| variable.name == name) else {
                warnings.push(unknown(name));
                continue;
            };
            let value = value.into_string().map_err(|value| {
                SettingsError::new(variable.name, value.to_string_lossy(), "UTF-8 text")
            })?;
            let value = value.trim();
            if !value.is_empty() {
                // An environment can hold a name twice, and programs differ in which one counts.
                if set.contains(&variable.name) {
                    return Err(SettingsError::new(
                        variable.name,
                        value,
                        "it is set twice; set it once",
                    ));
                }
                set.push(variable.name);
                known.push((name.to_owned(), value.to_owned()));
            }
        }
        let raw: Self = envy::from_iter(known).expect("a flat structure of texts takes any text");
        Ok((Self { set, ..raw }, warnings))
    }

    /// Whether a variable was set, be it to its default.
    pub(super) fn is_set(&self, given: Given<'_>) -> bool {
        self.set.contains(&given.variable)
    }
}

fn unknown(name: &str) -> String {
    let nearest = VARIABLES
        .iter()
        .map(|variable| variable.name)
        .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    let injected =
        ["_SERVICE_HOST", "_SERVICE_PORT", "_TCP", "_UDP"].iter().any(|part| name.contains(part));
    let hint = if injected {
        "Kubernetes sets it for a Service called \"cache\"; enableServiceLinks: false in the pod \
         stops that"
            .to_owned()
    } else {
        format!("did you mean {}?", nearest.unwrap_or_default())
    };
    // A name may hold line breaks; a warning is one line.
    format!("{} is not a setting and is ignored: {hint}", name.escape_debug())
}

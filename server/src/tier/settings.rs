//! What is set of the tier: where it is, who this node is there, and what holds while it is away.

use std::{fmt, num::NonZeroU16, path::PathBuf, str::FromStr, time::Duration};

use rustis::client::Config;
use thiserror::Error;

/// Where the tier is, and how it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct TierSettings {
    /// The URL, without the password where that has a file of its own.
    pub url: String,
    /// Likewise; `None`: the URL's, if it has one.
    pub password: Option<PathBuf>,
    /// The PEM files of a connection that is encrypted.
    pub tls: TierFiles,
    /// What the names of all keys begin with.
    pub prefix: String,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// How long the near part may be read while the tier is away.
    pub stale_time: Duration,
    /// Whether the node is ready only while the tier is there.
    pub required: bool,
}

/// The PEM files of an encrypted connection to the tier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TierFiles {
    /// Authorities; `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// Certificate chain and private key of this node.
    pub pair: Option<(PathBuf, PathBuf)>,
}

/// What is wrong with a URL. It may hold a password, so it is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum InvalidTier {
    #[error(
        "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], \
         redis-sentinel://HOST:PORT,HOST:PORT/SERVICE or redis-cluster://HOST:PORT,HOST:PORT; \
         rediss in the place of redis is TLS, in each form, and valkey means the same as redis"
    )]
    Form,
    #[error("a host before each port: its name, or its address")]
    Host,
    #[error("behind each host no port, or one of 1 to 65535")]
    Port,
    #[error("a cluster has one database; leave out what follows the last host")]
    DatabaseOfCluster,
}

/// How a URL says where the tier is.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// What the client crate connects with. The address of one server is in it even where the
    /// connection is encrypted.
    pub(super) config: Config,
    pub(super) is_tls: bool,
}

impl FromStr for Address {
    type Err = InvalidTier;

    fn from_str(url: &str) -> Result<Self, InvalidTier> {
        let (scheme, rest) = url.split_once("://").ok_or(InvalidTier::Form)?;
        let form = scheme.strip_prefix("redis").or_else(|| scheme.strip_prefix("valkey"));
        let form = form.ok_or(InvalidTier::Form)?;
        let is_tls = form.starts_with('s');
        let form = form.strip_prefix('s').unwrap_or(form);
        if !matches!(form, "" | "-sentinel" | "-cluster") {
            return Err(InvalidTier::Form);
        }
        // The crate reads settings of its own after a question mark.
        if rest.contains('?') {
            return Err(InvalidTier::Form);
        }
        hosts(rest).try_for_each(check_host)?;
        let config = format!("redis{form}://{rest}");
        let config = Config::from_str(&config).map_err(|_| InvalidTier::Form)?;
        if config.database != 0 && form == "-cluster" {
            return Err(InvalidTier::DatabaseOfCluster);
        }
        Ok(Self { config, is_tls })
    }
}

/// Each host, with its port, of what follows a URL's scheme.
fn hosts(rest: &str) -> impl Iterator<Item = &str> {
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    place.split('/').next().unwrap_or_default().split(',')
}

/// The client crate takes what is missing, or is no port, for its default.
fn check_host(given: &str) -> Result<(), InvalidTier> {
    // Those of an address of IPv6 stand within brackets.
    let (host, port) = match given.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (given, None),
    };
    if host.is_empty() {
        return Err(InvalidTier::Host);
    }
    match port.map(str::parse::<NonZeroU16>) {
        None | Some(Ok(_)) => Ok(()),
        Some(Err(_)) => Err(InvalidTier::Port),
    }
}

impl TierSettings {
    /// Checks a URL.
    pub(crate) fn check(url: &str) -> Result<(), InvalidTier> {
        url.parse::<Address>().map(drop)
    }

    /// Whether a URL has a password.
    pub(crate) fn has_password(url: &str) -> bool {
        let password = url.parse().ok().and_then(|address: Address| address.config.password);
        password.is_some_and(|password| !password.is_empty())
    }

    /// Whether a connection to this URL is encrypted.
    pub(crate) fn is_tls(url: &str) -> bool {
        url.parse::<Address>().is_ok_and(|address| address.is_tls)
    }
}

impl fmt::Debug for TierSettings {
    /// Without the URL's password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TierSettings")
            .field("url", &shown(&self.url))
            .field("tls", &self.tls)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// A URL without who connects.
fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return String::new() };
    format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, place)| place))
}

impl fmt::Display for TierSettings {
    /// Where it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.url))
    }
}

#[cfg(test)]
mod tests {
    use rustis::client::ServerConfig;

    use super::*;

    fn address(url: &str) -> Result<Address, InvalidTier> {
        url.parse()
    }

    #[test]
    fn each_form_of_a_url_is_read() {
        for (url, is_cluster, is_tls) in [
            ("redis://one", false, false),
            ("valkey://user:p%40ss@one:6380/3", false, false),
            ("rediss://one", false, true),
            ("redis://[::1]:6379", false, false),
            ("redis-sentinel://a:26379,b:26379/main", false, false),
            ("rediss-sentinel://a:26379,b:26379/main", false, true),
            ("valkey-cluster://a:7000,b:7001", true, false),
            ("rediss-cluster://a:7000", true, true),
        ] {
            let address = address(url).unwrap();
            let cluster = matches!(address.config.server, ServerConfig::Cluster(_));
            assert_eq!((cluster, address.is_tls), (is_cluster, is_tls), "{url}");
        }
        let config = address("valkey://user:p%40ss@one:6380/3").unwrap().config;
        assert_eq!((config.username.as_deref(), config.database), (Some("user"), 3));
        assert_eq!(config.password.as_deref(), Some("p@ss"));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for (url, invalid) in [
            ("", InvalidTier::Form),
            ("one:6379", InvalidTier::Form),
            ("http://one", InvalidTier::Form),
            ("redis-ring://one", InvalidTier::Form),
            ("redis://one?command_timeout=1", InvalidTier::Form),
            ("redis-sentinel://a:26379", InvalidTier::Form),
            ("redis-cluster://a:7000/3", InvalidTier::DatabaseOfCluster),
            ("redis://", InvalidTier::Host),
            ("redis://:6379", InvalidTier::Host),
            ("redis://user:password@/3", InvalidTier::Host),
            ("redis-cluster://a:7000,,b:7001", InvalidTier::Host),
            ("redis://one:99999", InvalidTier::Port),
            ("redis://one:", InvalidTier::Port),
            ("redis-sentinel://a:0,b:26379/main", InvalidTier::Port),
        ] {
            assert_eq!(address(url).map(|_| ()), Err(invalid), "{url}");
        }
    }

    #[test]
    fn a_password_is_shown_nowhere() {
        let settings = TierSettings {
            url: "redis://user:sec@ret@one:6379".to_owned(),
            password: None,
            tls: TierFiles::default(),
            prefix: String::new(),
            timeout: Duration::ZERO,
            stale_time: Duration::ZERO,
            required: false,
        };
        assert_eq!(settings.to_string(), "redis://one:6379");
        assert!(!format!("{settings:?}").contains("ret"), "{settings:?}");
    }
}

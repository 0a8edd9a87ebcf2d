//! What a run drives, as people write it. Knows syntax only; nothing is resolved here.

use std::{fmt, str::FromStr};

use http::uri::Authority;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use thiserror::Error;
use tiny_cache_client::{Address, Client, InvalidAddress};

/// Default port of Redis.
const REDIS_PORT: u16 = 6379;

/// Default port of memcached.
const MEMCACHED_PORT: u16 = 11211;

/// Before a name that stands for several servers, as gRPC writes it.
const DNS: &str = "dns:///";

/// Longest key of memcached: its protocol refuses a longer one.
pub(crate) const MEMCACHED_KEY_BYTES: usize = 250;

/// What is driven.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// A tiny-cache server.
    TinyCache(Address),
    /// Several tiny-cache servers on a ring.
    Several(ServerList),
    /// A server that speaks RESP.
    Redis(RedisAddress),
    /// A server that speaks memcached's text protocol.
    Memcached(HostPort),
    /// Nothing: every request is answered at once, within this process.
    Null,
    /// A ring of so many servers, none of which exists: the ring chooses, and every request is
    /// answered at once.
    NullRing(usize),
}

/// Several tiny-cache servers, as the client library reads them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerList(String);

/// Where a server of another system listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostPort {
    /// A name or an IP address, an IPv6 one without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Where a server that speaks RESP listens, who to be there and in which database to work.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RedisAddress {
    /// Where.
    pub at: HostPort,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Name and password, if the server asks for them.
    pub login: Option<Login>,
    /// Database.
    pub database: u32,
}

/// A name and a password, which is never shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Login {
    /// The name; none for the default user, whom servers before Redis 6 know alone.
    pub user: Option<String>,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A text that is no target.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum InvalidTarget {
    /// It is no address of a tiny-cache server, and says to be nothing else.
    #[error(transparent)]
    Server(#[from] InvalidAddress),
    /// It is a list of tiny-cache servers with a fault.
    #[error("{0}")]
    Servers(String),
    /// It begins as an address of Redis and does not go on like one. The text is not
    /// repeated: a password may stand in it.
    #[error(
        "bad Redis address: expected redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], or rediss:// for \
         TLS; in USER and PASSWORD, / @ : and % are written as %2F %40 %3A and %25"
    )]
    Redis,
    /// It begins as an address of memcached and does not go on like one.
    #[error("bad address `{0}`: expected memcached://HOST[:PORT]")]
    Memcached(String),
}

impl Target {
    /// Longest key that can be asked for there.
    pub fn max_key_bytes(&self) -> usize {
        match self {
            Self::Memcached(_) => MEMCACHED_KEY_BYTES,
            _ => usize::MAX,
        }
    }

    /// Whether it is one or more tiny-cache servers.
    pub fn is_tiny_cache(&self) -> bool {
        matches!(self, Self::TinyCache(_) | Self::Several(_))
    }

    /// Whether TLS is spoken there.
    pub(crate) fn is_tls(&self) -> bool {
        match self {
            Self::TinyCache(address) => address.is_tls(),
            Self::Redis(redis) => redis.tls,
            Self::Several(list) => list.is_tls() || list.is_name(),
            Self::Memcached(_) | Self::Null | Self::NullRing(_) => false,
        }
    }

    /// Where it listens; none of several servers.
    pub fn host_port(&self) -> Option<HostPort> {
        match self {
            Self::TinyCache(address) => {
                let host = address.host().trim_start_matches('[').trim_end_matches(']');
                Some(HostPort { host: host.to_owned(), port: address.port() })
            }
            Self::Redis(redis) => Some(redis.at.clone()),
            Self::Memcached(address) => Some(address.clone()),
            Self::Several(_) | Self::Null | Self::NullRing(_) => None,
        }
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            Some((scheme @ ("redis" | "rediss"), rest)) => {
                redis_address(rest, scheme == "rediss").map(Self::Redis).ok_or(InvalidTarget::Redis)
            }
            Some(("memcached", rest)) => {
                host_port(rest.strip_suffix('/').unwrap_or(rest), MEMCACHED_PORT)
                    .map(Self::Memcached)
                    .ok_or_else(|| InvalidTarget::Memcached(text.to_owned()))
            }
            None if text == "null" => Ok(Self::Null),
            None if text.contains(',') && text.split(',').all(|entry| entry.trim() == "null") => {
                Ok(Self::NullRing(text.split(',').count()))
            }
            _ if ServerList::is_list(text) => Ok(Self::Several(text.parse()?)),
            _ => Ok(Self::TinyCache(text.parse()?)),
        }
    }
}

impl ServerList {
    /// A ring of servers that do not exist.
    pub(crate) fn made_up(servers: usize) -> Self {
        let names: Vec<_> = (0..servers).map(|n| format!("null-{n}=localhost:1")).collect();
        Self(names.join(","))
    }

    /// Whether a text is meant for several servers.
    fn is_list(text: &str) -> bool {
        text.starts_with(DNS) || text.contains([',', '='])
    }

    /// The text that the client library reads.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a name for all servers.
    pub(crate) fn is_name(&self) -> bool {
        self.0.starts_with(DNS)
    }

    /// Whether a server of the list speaks TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.0.contains("grpcs://")
    }

    /// How many servers the list has; none of a name.
    pub(crate) fn len(&self) -> Option<usize> {
        (!self.is_name()).then(|| self.0.split(',').count())
    }
}

impl FromStr for ServerList {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.split(',').any(|entry| entry.trim() == "null") {
            let expected = "expected servers, or null for each";
            return Err(InvalidTarget::Servers(format!("bad target `{text}`: {expected}")));
        }
        match Client::builder(text).build() {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(InvalidTarget::Servers(error.to_string())),
        }
    }
}

fn redis_address(text: &str, tls: bool) -> Option<RedisAddress> {
    let (text, database) = text.split_once('/').unwrap_or((text, ""));
    let database = if database.is_empty() { 0 } else { database.parse().ok()? };
    let (login, text) = match text.rsplit_once('@') {
        Some((login, text)) => (Some(redis_login(login)?), text),
        None => (None, text),
    };
    Some(RedisAddress { at: host_port(text, REDIS_PORT)?, tls, login, database })
}

fn redis_login(text: &str) -> Option<Login> {
    let (user, password) = text.split_once(':')?;
    let user = Some(decoded(user)?).filter(|user| !user.is_empty());
    Some(Login { user, password: decoded(password)? }).filter(|login| !login.password.is_empty())
}

/// The text without its percent-encoding; `None` if that is broken, or if a character is
/// left that would end a part of a URL.
fn decoded(text: &str) -> Option<String> {
    let mut rest = text.split('%');
    let is_plain = |text: &str| !text.contains(['@', ':', '/', '?', '#', ' ']);
    let is_coded =
        |text: &str| text.len() >= 2 && text.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    if !is_plain(text) || rest.next().is_none() || !rest.all(is_coded) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

fn host_port(text: &str, default_port: u16) -> Option<HostPort> {
    let authority: Authority = text.parse().ok()?;
    let host = authority.host();
    // What does not begin with the host begins with a user.
    let port = match authority.as_str().strip_prefix(host)? {
        "" => default_port,
        port => port.strip_prefix(':')?.parse().ok().filter(|port| *port != 0)?,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| HostPort { host: host.to_owned(), port })
}

impl fmt::Display for HostPort {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(out, "[{host}]:{port}")
        } else {
            write!(out, "{host}:{port}")
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TinyCache(address) => address.fmt(out),
            Self::Redis(RedisAddress { at, tls, login, database }) => {
                // The password is never shown.
                let user = login.as_ref().and_then(|login| login.user.as_deref());
                let user = user.map(|user| utf8_percent_encode(user, NON_ALPHANUMERIC));
                let scheme = if *tls { "rediss" } else { "redis" };
                match user {
                    Some(user) => write!(out, "{scheme}://{user}@{at}/{database}"),
                    None => write!(out, "{scheme}://{at}/{database}"),
                }
            }
            Self::Memcached(address) => write!(out, "memcached://{address}"),
            Self::Several(ServerList(text)) => out.write_str(text),
            Self::Null => out.write_str("null"),
            Self::NullRing(servers) => out.write_str(&vec!["null"; *servers].join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_people_write_them() {
        for (text, target) in [
            ("null", "null"),
            ("null, null", "null,null"),
            ("cache-0:7,cache-1", "cache-0:7,cache-1"),
            ("a=cache:7@2", "a=cache:7@2"),
            ("dns:///nodes:7", "dns:///nodes:7"),
            ("cache:7", "grpc://cache:7"),
            ("grpcs://cache", "grpcs://cache:50051"),
            ("redis://cache", "redis://cache:6379/0"),
            ("redis://cache:7/3", "redis://cache:7/3"),
            ("redis://[::1]:7", "redis://[::1]:7/0"),
            ("redis://:secret@cache", "redis://cache:6379/0"),
            ("redis://me:se%40cret@cache:7/3", "redis://me@cache:7/3"),
            ("redis://m%2Fe:secret@[::1]", "redis://m%2Fe@[::1]:6379/0"),
            ("rediss://cache", "rediss://cache:6379/0"),
            ("rediss://me:secret@cache:7/1", "rediss://me@cache:7/1"),
            ("memcached://cache", "memcached://cache:11211"),
            ("memcached://cache:7/", "memcached://cache:7"),
            ("memcached://[::1]:7", "memcached://[::1]:7"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), target, "{text}");
        }
    }

    #[test]
    fn a_bad_target_is_refused_with_what_is_expected() {
        for (text, expected) in [
            ("redis://", "expected redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]"),
            ("redis://me@cache", "expected redis://[[USER]:PASSWORD@]HOST"),
            ("redis://me:@cache", "expected redis://[[USER]:PASSWORD@]HOST"),
            ("redis://me:sec%ret@cache", "% are written as"),
            ("redis://me:sec@ret@cache", "@ : and %"),
            ("redis://me:secret@", "expected redis://"),
            ("redis://cache/0?secret=1", "expected redis://"),
            ("redis://cache/x", "expected redis://"),
            ("rediss://", "or rediss:// for TLS"),
            ("memcached://", "expected memcached://HOST[:PORT]"),
            ("memcached://me@cache", "expected memcached://HOST[:PORT]"),
            ("memcached://cache:0", "expected memcached://HOST[:PORT]"),
            ("memcached://cache/3", "expected memcached://HOST[:PORT]"),
            ("cache:7,cache:8", "two servers have the name `cache`"),
            ("cache-0,null", "bad target `cache-0,null`: expected servers, or null for each"),
            ("http2://cache", "with grpc:// or grpcs:// in front if wanted"),
        ] {
            let message = text.parse::<Target>().unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_login_is_decoded_and_never_shown() {
        let Target::Redis(redis) = "redis://m%2Fe:s%3Ae%40c%25@cache".parse().unwrap() else {
            panic!("another target")
        };
        let login = redis.login.clone().unwrap();
        assert_eq!((login.user.as_deref(), login.password.as_str()), (Some("m/e"), "s:e@c%"));
        assert!(!format!("{redis:?}").contains("s:e@c%"), "{redis:?}");
    }
}

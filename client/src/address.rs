//! The address of a server, as people write it. Knows syntax only; resolves nothing.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use http::uri::Authority;
use thiserror::Error;

/// A server's host and port, and whether to use TLS.
///
/// ```
/// use tiny_cache_client::Address;
///
/// let address: Address = "cache.internal".parse()?;
/// assert_eq!(address.to_string(), "grpc://cache.internal:50051");
/// assert!("grpcs://[::1]:7".parse::<Address>()?.is_tls());
/// # Ok::<_, tiny_cache_client::InvalidAddress>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    tls: bool,
    host: String,
    port: u16,
}

impl Address {
    /// The port of an address that names none.
    pub const DEFAULT_PORT: u16 = 50051;

    /// The address of a socket.
    pub(crate) fn of_socket(socket: SocketAddr, tls: bool) -> Self {
        let host = match socket.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Self { tls, host, port: socket.port() }
    }

    /// Whether to use TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host: a name or an IP address, an IPv6 one in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host as certificates name it: IPv6 addresses have no brackets.
    pub(crate) fn server_name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether the host is an IP address.
    pub(crate) fn is_ip(&self) -> bool {
        self.server_name().parse::<IpAddr>().is_ok()
    }

    /// `host:port`, as requests have it.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    /// Parses `host`, `host:port` or `[v6]:port`. A prefix of `grpc://` or `http://` means plain,
    /// the default; `grpcs://` or `https://` means TLS.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason| InvalidAddress { text: text.to_owned(), reason };
        let (tls, rest) = scheme(text);
        let rest = rest.strip_suffix('/').unwrap_or(rest);

        let authority: Authority = rest.parse().map_err(|_| invalid(Reason::Syntax))?;
        let host = authority.host();
        let port = match authority.as_str().strip_prefix(host) {
            Some("") => Self::DEFAULT_PORT,
            Some(port) => port
                .strip_prefix(':')
                .and_then(|digits| digits.parse().ok())
                .filter(|port| *port != 0)
                .ok_or_else(|| invalid(Reason::Port))?,
            // User information before the host.
            None => return Err(invalid(Reason::Syntax)),
        };
        if host.is_empty() {
            return Err(invalid(Reason::Syntax));
        }
        Ok(Self { tls, host: host.to_owned(), port })
    }
}

fn scheme(text: &str) -> (bool, &str) {
    for (prefix, tls) in
        [("grpc://", false), ("grpcs://", true), ("http://", false), ("https://", true)]
    {
        if let Some(rest) = text.strip_prefix(prefix) {
            return (tls, rest);
        }
    }
    (false, text)
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "grpcs" } else { "grpc" };
        write!(out, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// The error of a malformed address.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("bad address `{text}`: {reason}")]
pub struct InvalidAddress {
    text: String,
    reason: Reason,
}

#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
enum Reason {
    #[error("expected HOST, HOST:PORT or [IPV6]:PORT, with grpc:// or grpcs:// in front if wanted")]
    Syntax,
    #[error("expected a port from 1 to 65535")]
    Port,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, address) in [
            ("127.0.0.1:50051", "grpc://127.0.0.1:50051"),
            ("cache:7", "grpc://cache:7"),
            ("cache", "grpc://cache:50051"),
            ("grpc://cache:7", "grpc://cache:7"),
            ("grpcs://cache", "grpcs://cache:50051"),
            ("http://cache:7/", "grpc://cache:7"),
            ("https://cache:7", "grpcs://cache:7"),
            ("[::1]:7", "grpc://[::1]:7"),
            ("[::1]", "grpc://[::1]:50051"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), address, "{text}");
        }
    }

    #[test]
    fn a_bad_address_is_refused_for_its_reason() {
        for (text, reason) in [
            ("", Reason::Syntax),
            (":7", Reason::Syntax),
            ("::1", Reason::Syntax),
            ("user@cache:7", Reason::Syntax),
            ("cache:7/path", Reason::Syntax),
            ("grpc://", Reason::Syntax),
            ("redis://cache:7", Reason::Syntax),
            ("cache:", Reason::Port),
            ("cache:0", Reason::Port),
            ("cache:65536", Reason::Port),
            ("cache:http", Reason::Port),
        ] {
            assert_eq!(text.parse::<Address>().unwrap_err().reason, reason, "{text}");
        }
    }

    #[test]
    fn a_certificate_names_an_ipv6_address_without_brackets() {
        assert_eq!("[::1]:7".parse::<Address>().unwrap().server_name(), "::1");
        assert_eq!("cache:7".parse::<Address>().unwrap().server_name(), "cache");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_reads_back(text in any::<String>()) {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
            }
        }
    }
}

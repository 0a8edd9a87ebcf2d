//! The address of a server, as people write it. Knows syntax only; nothing is
//! resolved here.

use std::{fmt, str::FromStr};

use http::uri::Authority;
use thiserror::Error;

/// Where a server listens: a host and a port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    host: String,
    port: u16,
}

impl Target {
    /// The port of a server that was not told another one.
    pub const DEFAULT_PORT: u16 = 50051;

    /// The address as a URI for a plain-text connection.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("http://{self}")
    }
}

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("https://") || text.starts_with("grpcs://") {
            return Err(BadTarget::Tls);
        }
        let address = ["http://", "grpc://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let address = address.map_or(text, |address| address.strip_suffix('/').unwrap_or(address));

        let authority: Authority = address.parse().map_err(|_| BadTarget::Syntax)?;
        let host = authority.host();
        let port = match authority.as_str().strip_prefix(host) {
            Some("") => Self::DEFAULT_PORT,
            Some(port) => port
                .strip_prefix(':')
                .and_then(|digits| digits.parse().ok())
                .ok_or(BadTarget::Port)?,
            // Something stands before the host: user information.
            None => return Err(BadTarget::Syntax),
        };
        if host.is_empty() {
            return Err(BadTarget::Syntax);
        }
        if port == 0 {
            return Err(BadTarget::Port);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.host, self.port)
    }
}

/// Why an address is refused.
#[derive(Debug, Error, Eq, PartialEq)]
pub enum BadTarget {
    /// It is no host with a port.
    #[error("expected HOST:PORT or [IPV6]:PORT, with http:// or grpc:// in front if wanted")]
    Syntax,
    /// The port is no port.
    #[error("expected a port from 1 to 65535")]
    Port,
    /// It asks for TLS.
    #[error("TLS is not spoken here; expected HOST:PORT, http:// or grpc://")]
    Tls,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, target) in [
            ("127.0.0.1:50051", "127.0.0.1:50051"),
            ("cache:7", "cache:7"),
            ("cache", "cache:50051"),
            ("http://cache:7/", "cache:7"),
            ("grpc://cache:7", "cache:7"),
            ("[::1]:7", "[::1]:7"),
            ("[::1]", "[::1]:50051"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), target, "{text}");
        }
    }

    #[test]
    fn a_bad_address_is_refused_for_its_reason() {
        for (text, error) in [
            ("", BadTarget::Syntax),
            (":7", BadTarget::Syntax),
            ("::1", BadTarget::Syntax),
            ("user@cache:7", BadTarget::Syntax),
            ("cache:7/path", BadTarget::Syntax),
            ("cache:", BadTarget::Port),
            ("cache:0", BadTarget::Port),
            ("cache:65536", BadTarget::Port),
            ("cache:http", BadTarget::Port),
            ("https://cache:7", BadTarget::Tls),
            ("grpcs://cache:7", BadTarget::Tls),
        ] {
            assert_eq!(text.parse::<Target>(), Err(error), "{text}");
        }
    }
}

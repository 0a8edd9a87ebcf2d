//! The servers that are compared, as data: name, protocol, and how each is started.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::{credential, protocol::Wire};

/// MiB that the caches may take: more than a million entries of 1 KiB need.
const ROOMY_MB: &str = "4096";

/// MiB that a million entries of 64 bytes do not fit into, in any cache.
const FULL_MB: &str = "64";

/// What a server is started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This repository's server, with a transport.
    Transport(&'static str),
    /// This repository's server, with access rules that know the load's token.
    Access,
    /// A server that was built from another state of this repository.
    Baseline,
    /// A program that was built with this one.
    Built(&'static str),
    /// A program that `prepare.sh` found, unpacked or built: `NAME/run` in its directory.
    Prepared,
}

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The name on the command line and in the output.
    pub name: &'static str,
    /// What it is, for readers.
    pub title: &'static str,
    /// Its protocol.
    pub wire: Wire,
    /// Where its program comes from.
    pub origin: Origin,
    /// Whether it keeps what is written, or answers each Get with the same value.
    pub stores: bool,
}

const fn grpc(name: &'static str, title: &'static str, origin: Origin) -> Peer {
    let stores = matches!(origin, Origin::Transport(_) | Origin::Baseline);
    Peer { name, title, wire: Wire::Grpc, origin, stores }
}

/// Run only when they are named: they answer what access and the second service cost, which is no
/// comparison of servers.
const ACCESS: &str = "access";
const SECOND: &str = "second";

const fn cache(name: &'static str, title: &'static str, wire: Wire) -> Peer {
    Peer { name, title, wire, origin: Origin::Prepared, stores: true }
}

/// Every server, in the order of the tables. Ratios are to the first that runs.
pub const PEERS: &[Peer] = &[
    grpc("engine", "tiny-cache", Origin::Transport("engine")),
    grpc("hyper", "tiny-cache on hyper", Origin::Transport("hyper")),
    Peer {
        name: ACCESS,
        title: "tiny-cache, with access rules",
        wire: Wire::GrpcWithToken,
        origin: Origin::Access,
        stores: true,
    },
    Peer {
        name: SECOND,
        title: "tiny-cache, Read of tinycache.v1",
        wire: Wire::GrpcSecond,
        origin: Origin::Transport("engine"),
        stores: true,
    },
    grpc("baseline", "tiny-cache, other build", Origin::Baseline),
    grpc("tonic", "tonic, echo", Origin::Built("peer-tonic")),
    grpc("grpc-cpp", "gRPC C++, echo", Origin::Prepared),
    grpc("pajamax", "pajamax, echo", Origin::Built("peer-pajamax")),
    cache("redis", "Redis", Wire::Redis),
    cache("valkey", "Valkey", Wire::Redis),
    cache("memcached", "memcached", Wire::Memcached),
];

impl Peer {
    /// Whether it is tiny-cache, in any form.
    pub fn is_ours(&self) -> bool {
        matches!(self.origin, Origin::Transport(_) | Origin::Access | Origin::Baseline)
    }

    /// Reads names. No name: all, but those with access rules and of
    /// the second service.
    ///
    /// # Errors
    ///
    /// A name is none of theirs.
    pub fn parse(names: &str) -> Result<Vec<Self>> {
        if names.trim().is_empty() {
            return Ok(PEERS
                .iter()
                .filter(|peer| ![ACCESS, SECOND].contains(&peer.name))
                .copied()
                .collect());
        }
        if let Some(unknown) =
            names.split_whitespace().find(|name| PEERS.iter().all(|peer| peer.name != *name))
        {
            let known: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
            bail!("no server is called {unknown:?}; there are {}", known.join(", "));
        }
        let wanted = |peer: &&Self| names.split_whitespace().any(|name| name == peer.name);
        Ok(PEERS.iter().filter(wanted).copied().collect())
    }

    /// Arguments and environment for a port. `directory` is one that it may write to.
    ///
    /// # Errors
    ///
    /// A file that it is to have cannot be written there.
    pub fn setup(&self, port: u16, wants: Wants<'_>, directory: &Path) -> Result<Setup> {
        let port = port.to_string();
        let memory_mb = if wants.full { FULL_MB } else { ROOMY_MB };
        Ok(match (self.origin, self.wire) {
            (Origin::Transport(_) | Origin::Baseline, _) => self.own(&port, memory_mb, wants.tls),
            (Origin::Access, _) => {
                let mut setup = self.own(&port, memory_mb, wants.tls);
                setup.env.extend(credential::write(directory)?);
                setup
            }
            (_, Wire::Grpc | Wire::GrpcWithToken | Wire::GrpcSecond) => {
                Setup::of_args(["--port", &port])
            }
            (_, Wire::Redis) => Setup::redis(&port, wants.full, directory),
            // One thread, for the one core, as all others have; and memcached refuses to be root
            // unless it is told to be.
            (_, Wire::Memcached) => Setup::of_args([
                "-l",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "0",
                "-t",
                "1",
                "-m",
                memory_mb,
                "-u",
                "root",
            ]),
        })
    }

    fn own(&self, port: &str, memory_mb: &str, tls: Option<&Files>) -> Setup {
        let mut setup = Setup::default();
        let mut set = |name: &str, value: &str| setup.env.push((name.into(), value.into()));
        set("CACHE_HOST", "127.0.0.1");
        set("CACHE_PORT", port);
        set("CACHE_HEALTH_HOST", "127.0.0.1");
        set("CACHE_HEALTH_PORT", "0");
        set("CACHE_WORKERS", "1");
        set("CACHE_MAX_MEMORY_MB", memory_mb);
        if let Origin::Transport(transport) = self.origin {
            set(TRANSPORT, transport);
        }
        if let Some(files) = tls {
            set("CACHE_TLS_ENABLED", "true");
            set("CACHE_TLS_CERT_PATH", &files.certificate.to_string_lossy());
            set("CACHE_TLS_KEY_PATH", &files.key.to_string_lossy());
        }
        setup
    }
}

/// The variable that chooses a transport.
pub const TRANSPORT: &str = "CACHE_TRANSPORT";

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Files {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

/// What a work wants of a server.
#[derive(Clone, Copy, Debug)]
pub struct Wants<'a> {
    /// Encryption.
    pub tls: Option<&'a Files>,
    /// Room for less than it is given.
    pub full: bool,
}

/// What a server is started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// Arguments.
    pub args: Vec<String>,
    /// Environment, beside that of this program.
    pub env: Vec<(String, String)>,
}

impl Setup {
    fn redis(port: &str, full: bool, directory: &Path) -> Self {
        let directory = directory.to_string_lossy();
        let common = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let mut setup = Self::of_args(common);
        let mut add = |name: &str, value: &str| setup.args.extend([name.into(), value.into()]);
        add("--dir", &directory);
        // Without a limit unless it is to be felt: Redis looks at it with every write.
        if full {
            add("--maxmemory", &format!("{FULL_MB}mb"));
            add("--maxmemory-policy", "allkeys-lru");
        }
        setup
    }

    fn of_args<const N: usize>(args: [&str; N]) -> Self {
        Self { args: args.map(str::to_owned).to_vec(), env: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_choose_servers_in_the_order_of_the_tables() {
        let names: Vec<_> =
            Peer::parse("redis tonic").unwrap().iter().map(|peer| peer.name).collect();
        assert_eq!(names, ["tonic", "redis"]);
        assert_eq!(Peer::parse("").unwrap().len(), PEERS.len() - 2);
        assert_eq!(Peer::parse("access engine").unwrap().len(), 2);
        assert!(Peer::parse("redis rediss").unwrap_err().to_string().contains("rediss"));
    }

    #[test]
    fn tls_is_asked_of_our_own_server_alone() {
        let files = Files { certificate: "c.pem".into(), key: "k.pem".into() };
        let wants = Wants { tls: Some(&files), full: true };
        let setup = PEERS[0].setup(1, wants, Path::new("/")).unwrap();
        assert!(setup.env.contains(&("CACHE_MAX_MEMORY_MB".into(), "64".into())));
        assert!(setup.env.contains(&("CACHE_TLS_CERT_PATH".into(), "c.pem".into())));
        assert!(setup.env.contains(&("CACHE_TRANSPORT".into(), "engine".into())));
    }
}

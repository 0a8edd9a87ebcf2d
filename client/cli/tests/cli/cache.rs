//! A server, and the binary run against it.

use std::{ffi::OsStr, process::Command};

use tiny_cache_client::{Client, testing::TestServer};
use tiny_cache_test_support::{
    nowhere::Nowhere,
    process::{Ended, Run, program},
};
use tokio::runtime::Runtime;

/// What the binary reads from its environment.
const VARIABLES: [&str; 10] = [
    "TINY_CACHE_TARGET",
    "TINY_CACHE_TOKEN",
    "TINY_CACHE_TOKEN_FILE",
    "TINY_CACHE_NAMESPACE",
    "TINY_CACHE_TLS",
    "TINY_CACHE_CA",
    "TINY_CACHE_CERT",
    "TINY_CACHE_KEY",
    "TINY_CACHE_SERVER_NAME",
    "NO_COLOR",
];

/// A running server; it ends with the value.
pub(crate) struct Cache {
    address: String,
    runtime: Runtime,
    server: TestServer,
}

impl Cache {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        let runtime = Runtime::new().unwrap();
        let settings = [&[("CACHE_WORKERS", "1")], settings].concat();
        let server = runtime.block_on(TestServer::start_with(settings)).unwrap();
        Self { address: server.address().to_owned(), runtime, server }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The address of its HTTP port.
    pub(crate) fn http_address(&self) -> String {
        self.server.http_address().to_string()
    }

    pub(crate) fn port(&self) -> &str {
        self.address.rsplit(':').next().unwrap()
    }

    /// Runs code with a client of the library.
    pub(crate) fn with_client<T>(&self, run: impl AsyncFnOnce(Client) -> T) -> T {
        self.runtime.block_on(async { run(Client::connect(&self.address).await.unwrap()).await })
    }

    /// The binary, set to talk to this server.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = command(args);
        command.env("TINY_CACHE_TARGET", &self.address);
        command
    }

    pub(crate) fn run<const N: usize>(&self, args: [&str; N]) -> Ended {
        self.command(args).run()
    }

    pub(crate) fn run_with_stdin<const N: usize>(&self, args: [&str; N], stdin: &[u8]) -> Ended {
        self.command(args).run_with_stdin(stdin)
    }
}

/// The binary with nothing in its environment that matters to it.
pub(crate) fn command<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = program(env!("CARGO_BIN_EXE_tiny-cache"));
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command.args(args);
    command
}

/// Runs the binary without a server that it would know of.
pub(crate) fn run<const N: usize>(args: [&str; N]) -> Ended {
    command(args).run()
}

/// An address where nothing listens.
pub(crate) fn nowhere() -> Nowhere {
    Nowhere::find().unwrap()
}

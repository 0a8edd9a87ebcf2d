//! A server, and the binary run against it.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    net::{TcpListener, TcpStream},
    time::Duration,
};

use assert_cmd::Command;
use serde_json::Value;
use tiny_cache_client::{Client, testing::TestServer};
use tokio::runtime::Runtime;

/// Longest that anything here may take, on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What the binary reads from its environment.
pub(crate) const VARIABLES: [&str; 8] = [
    "TINY_CACHE_TARGET",
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
    _server: TestServer,
}

/// What a run of the binary left behind.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Cache {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        let runtime = Runtime::new().unwrap();
        let settings = [&[("CACHE_WORKERS", "1")], settings].concat();
        let server = runtime.block_on(TestServer::start_with(settings)).unwrap();
        Self { address: server.address().to_owned(), runtime, _server: server }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
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

    pub(crate) fn run<const N: usize>(&self, args: [&str; N]) -> Run {
        Run::of(&mut self.command(args))
    }

    pub(crate) fn run_with_stdin<const N: usize>(&self, args: [&str; N], stdin: &[u8]) -> Run {
        Run::of(self.command(args).write_stdin(stdin))
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, stdout, stderr } = self;
        write!(out, "exit code {code}, stdout:\n{}\nstderr:\n{stderr}", stdout.escape_ascii())
    }
}

impl Run {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts that it ended so, and said nothing on stderr.
    #[track_caller]
    pub(crate) fn ended(&self, code: i32, stdout: impl AsRef<[u8]>) {
        let expected = String::from_utf8_lossy(stdout.as_ref());
        assert_eq!(String::from_utf8_lossy(&self.stdout), expected, "{self:?}");
        assert_eq!((self.code, self.stderr.as_str()), (code, ""));
    }

    /// Asserts that it was an error, told in one line, which is given back without its head.
    #[track_caller]
    pub(crate) fn refused(&self) -> &str {
        assert_eq!(self.code, 2, "{self:?}");
        let line = self.stderr.strip_prefix("error: ").expect("an error line");
        let line = line.strip_suffix('\n').expect("a whole line");
        assert!(!line.contains('\n'), "more than one line: {line}");
        line
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.stdout).unwrap()
    }

    /// The one object in one line that it wrote.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let line = self.text().strip_suffix('\n').expect("a whole line");
        assert!(!line.contains('\n'), "more than one line: {line}");
        serde_json::from_str(line).unwrap()
    }
}

/// The binary with nothing in its environment that matters to it.
pub(crate) fn command<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-cache"));
    command.timeout(PATIENCE);
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command.args(args.into_iter().map(|arg| OsString::from(arg.as_ref())));
    command
}

/// Runs the binary without a server that it would know of.
pub(crate) fn run<const N: usize>(args: [&str; N]) -> Run {
    Run::of(&mut command(args))
}

/// An address where nothing listens, and nothing can begin to while this is kept: its port is
/// that of the other side of a connection.
pub(crate) struct Nowhere {
    address: String,
    _held: (TcpListener, TcpStream),
}

impl Nowhere {
    pub(crate) fn find() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        Self { address: stream.local_addr().unwrap().to_string(), _held: (listener, stream) }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

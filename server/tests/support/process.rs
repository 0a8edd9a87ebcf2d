//! The real binary as a child process: its addresses from its log, its memory
//! from `/proc`, its signals and its end.

use std::{
    collections::VecDeque,
    env,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};

use super::{
    deployment::{Cache, loopback},
    wire::{self, Wire},
};

/// How long a start may take before a test gives up on it.
const START: Duration = Duration::from_secs(30);

/// The binary with an environment of nothing but `vars` and the transport.
pub(crate) fn command<V: AsRef<OsStr>>(vars: impl IntoIterator<Item = (V, V)>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-cache-server"));
    command.env_clear().envs(transport()).envs(vars).stdin(Stdio::null());
    command
}

/// The transport that `make test-hyper` runs the suites on. Otherwise it is the server's default.
fn transport() -> Option<(&'static str, String)> {
    env::var("TINY_CACHE_TEST_TRANSPORT").ok().map(|name| ("CACHE_TRANSPORT", name))
}

/// Runs the binary to its end, which must come by itself.
pub(crate) fn output<V: AsRef<OsStr>>(vars: impl IntoIterator<Item = (V, V)>) -> Output {
    let mut child = command(vars).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let give_up = Instant::now() + START;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > give_up {
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            panic!("the server did not end by itself: {output:?}");
        }
        thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().unwrap()
}

/// A running server process. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    log: mpsc::Receiver<Value>,
    seen: VecDeque<Value>,
    grpc: SocketAddr,
    http: SocketAddr,
}

impl Process {
    /// Starts the binary on free loopback ports and waits until it listens.
    pub(crate) fn start(vars: &[(&str, &str)]) -> Self {
        let mut all = loopback();
        all.push(("CACHE_LOG_FORMAT".to_owned(), "json".to_owned()));
        all.extend(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self::start_exactly(all)
    }

    /// Starts the binary with these variables and no others. They must ask for
    /// JSON logs, from which the addresses are taken.
    pub(crate) fn start_exactly(vars: Vec<(String, String)>) -> Self {
        Self::run(command(vars))
    }

    /// Starts the binary from a shell that first limits itself, such as by
    /// `ulimit -Sn 256`.
    pub(crate) fn start_after(limits: &str, vars: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(format!("{limits} && exec \"$0\""));
        shell.arg(env!("CARGO_BIN_EXE_tiny-cache-server")).env_clear().stdin(Stdio::null());
        shell.envs(transport()).envs(loopback()).env("CACHE_LOG_FORMAT", "json");
        shell.envs(vars.iter().copied());
        Self::run(shell)
    }

    fn run(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, log) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(line).is_err() {
                    break;
                }
            }
        });

        let mut seen = VecDeque::new();
        let give_up = Instant::now() + START;
        let fields = loop {
            let left = give_up.saturating_duration_since(Instant::now());
            let Ok(line) = log.recv_timeout(left) else {
                let _ = child.kill();
                panic!("the server never listened; it logged {seen:#?}");
            };
            let listening = line["fields"]["message"] == "listening";
            seen.push_back(line);
            if listening {
                break &seen.back().unwrap()["fields"];
            }
        };
        let addr = |name: &str| fields[name].as_str().unwrap().parse().unwrap();
        let (grpc, http) = (addr("grpc"), addr("http"));
        Self { child, log, seen, grpc, http }
    }

    pub(crate) fn grpc_addr(&self) -> SocketAddr {
        self.grpc
    }

    pub(crate) fn http_addr(&self) -> SocketAddr {
        self.http
    }

    /// A client on a connection of its own, without limits of its own.
    pub(crate) async fn connect(&self) -> Cache {
        Cache::new(self.channel().await)
    }

    /// A channel with one connection of its own.
    pub(crate) async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.grpc)).unwrap().connect().await.unwrap()
    }

    /// A connection one level below gRPC.
    pub(crate) async fn wire(&self) -> Wire {
        Wire::open(wire::stream(self.grpc, false).await).await
    }

    /// Every line logged up to now.
    pub(crate) fn logged(&mut self) -> Vec<Value> {
        self.seen.extend(self.log.try_iter());
        self.seen.iter().cloned().collect()
    }

    /// Waits for a line with this message, which may have been logged before.
    pub(crate) fn await_logged(&mut self, message: &str) {
        if !self.logged().iter().any(|line| line["fields"]["message"] == message) {
            self.logged_until(message);
        }
    }

    /// The lines logged since the last call, or the start, up to and with the first with this
    /// message, which is waited for.
    pub(crate) fn logged_until(&mut self, message: &str) -> Vec<Value> {
        let give_up = Instant::now() + START;
        let mut lines = Vec::new();
        loop {
            let left = give_up.saturating_duration_since(Instant::now());
            let Ok(line) = self.log.recv_timeout(left) else {
                panic!("{message:?} was never logged; {lines:#?} was");
            };
            let last = line["fields"]["message"] == message;
            self.seen.push_back(line.clone());
            lines.push(line);
            if last {
                return lines;
            }
        }
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        self.status("VmRSS:") << 10
    }

    /// The highest resident memory so far, in bytes, as the kernel counted it.
    pub(crate) fn peak_resident(&self) -> u64 {
        self.status("VmHWM:") << 10
    }

    /// Processor time that it has taken so far.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name, which may hold spaces, ends at the last parenthesis.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        // Linux counts in hundredths of a second, whatever its own tick is.
        Duration::from_millis(10 * ticks)
    }

    /// Open file descriptors.
    pub(crate) fn descriptors(&self) -> u64 {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count() as u64
    }

    pub(crate) fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Whether the process has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the end, at most until `deadline`.
    pub(crate) async fn end_by(&mut self, deadline: Instant) -> Option<ExitStatus> {
        loop {
            let ended = self.ended();
            if ended.is_some() || Instant::now() > deadline {
                return ended;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// A number of the process's status; sizes are in KiB.
    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Starting, reading and ending a process.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    time::{ClockId, clock_getcpuclockid},
    unistd::Pid,
};

use super::Program;
use crate::peer::{Peer, Wants};

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(20);
/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(10);

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts a server on a core and waits until it listens. What it prints goes to a file in
    /// `directory`.
    ///
    /// # Errors
    ///
    /// It cannot be started, ends, or does not listen.
    pub fn start(
        peer: &Peer,
        program: &Program,
        core: usize,
        wants: Wants<'_>,
        directory: &Path,
    ) -> Result<Self> {
        let port = free_port()?;
        let setup = peer.setup(port, wants, directory)?;
        let kind = match (wants.tls, wants.full) {
            (Some(_), _) => "-tls",
            (None, true) => "-full",
            (None, false) => "",
        };
        let log = directory.join(format!("{}{kind}.log", peer.name));
        // The kernel ends it with this program, however that ends; both tools replace
        // themselves by what they start, so that the process stays the same.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "taskset", "--cpu-list", &core.to_string()]);
        command.arg(&program.path).args(&setup.args).envs(setup.env);
        let output = File::create(&log).context("opening the log of a server")?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().context("starting setpriv, of Debian's util-linux")?;
        let mut server = Self { child, port };
        server.wait(&log)?;
        Ok(server)
    }

    fn wait(&mut self, log: &Path) -> Result<()> {
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}: {}", last_line(log));
            }
            if start.elapsed() > START {
                bail!("it does not listen after {} s: {}", START.as_secs(), last_line(log));
            }
            sleep(LOOK);
        }
        Ok(())
    }

    /// Its port on the loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// CPU time of all its threads so far, of those that have ended too, user's and system's.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn cpu(&self) -> Result<Duration> {
        // The same figure as utime and stime of `/proc/PID/stat`, which have steps of 10 ms.
        let process = Pid::from_raw(i32::try_from(self.child.id())?);
        let clock = clock_getcpuclockid(process).context("the server has ended")?;
        Ok(clock.now()?.into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of this program.
///
/// # Errors
///
/// The system has no such clock.
pub fn own_cpu() -> Result<Duration> {
    Ok(ClockId::CLOCK_PROCESS_CPUTIME_ID.now()?.into())
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}

fn last_line(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().last().unwrap_or("it said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PEERS;

    #[test]
    fn the_cpu_time_of_a_process_is_that_of_its_stat() {
        let child = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let server = Server { child, port: 0 };
        sleep(Duration::from_millis(300));
        let stat = fs::read_to_string(format!("/proc/{}/stat", server.child.id())).unwrap();
        let cpu = server.cpu().unwrap();
        let figures: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks: u64 = figures[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        let difference = cpu.abs_diff(Duration::from_millis(10 * ticks));
        assert!(cpu > Duration::ZERO && difference < Duration::from_millis(40), "{difference:?}");
    }

    #[test]
    fn a_server_that_ends_is_not_waited_for() {
        let directory = std::env::temp_dir();
        let program = Program { path: "/bin/false".into(), version: String::new() };
        let tonic = PEERS.iter().find(|peer| peer.name == "tonic").unwrap();
        let core = super::super::Cores::choose().unwrap().server;
        let wants = Wants { tls: None, full: false };
        let error = Server::start(tonic, &program, core, wants, &directory).unwrap_err();
        assert!(error.to_string().contains("ended with"), "{error:#}");
    }
}

//! Finds the process behind a port, and reads its figures from `/proc`.
//!
//! A port that a container publishes is held by the container engine's proxy, if by
//! anyone, and it is the proxy that is found then: the name in the report tells.

use std::{collections::HashSet, fmt, net::SocketAddr, time::Duration};

use procfs::{
    ProcError,
    process::{FDTarget, Process, all_processes},
    ticks_per_second,
};

use super::listener::{is_here, listeners};
use crate::usage::{CallTimes, Usage, UsageError};

/// The process that listens on an address of this machine; several where they share the
/// socket or the port, as those of a server that forks do.
#[derive(Debug)]
pub struct ServerProcess(Vec<Holder>);

impl ServerProcess {
    /// Finds it. Looks through the descriptors of all processes, once.
    ///
    /// # Errors
    ///
    /// The address is not of this machine, nobody listens on it, or whoever does is out of
    /// sight.
    pub fn find(address: SocketAddr) -> Result<Self, UsageError> {
        if !is_here(address) {
            return Err(UsageError::Elsewhere(address));
        }
        let sockets = listeners(address).map_err(unreadable)?;
        let socket = sockets.first().ok_or(UsageError::NobodyListens(address))?;
        let inodes = sockets.iter().map(|socket| socket.inode).collect();
        // A process that ends meanwhile, or is another user's, is passed over.
        let processes = all_processes().map_err(unreadable)?.flatten();
        let holders: Vec<_> =
            processes.filter(|process| holds(process, &inodes)).filter_map(Holder::of).collect();
        if holders.is_empty() {
            return Err(UsageError::OutOfSight { address, uid: socket.uid });
        }
        Ok(Self(holders))
    }

    /// Reads the figures of now. CPU time comes in the kernel's ticks, of 10 ms as a rule.
    ///
    /// # Errors
    ///
    /// The process, or one of several, has ended.
    pub fn sample(&self) -> Result<Usage, UsageError> {
        let mut total = Usage {
            cpu: Duration::ZERO,
            resident_bytes: 0,
            peak_resident_bytes: Some(0),
            pids: Vec::with_capacity(self.0.len()),
            calls: CallTimes::default(),
        };
        for holder in &self.0 {
            let usage = holder.sample()?;
            total.cpu += usage.cpu;
            total.resident_bytes += usage.resident_bytes;
            let peaks = total.peak_resident_bytes.zip(usage.peak_resident_bytes);
            total.peak_resident_bytes = peaks.map(|(one, other)| one + other);
            total.pids.extend(usage.pids);
        }
        Ok(total)
    }
}

impl fmt::Display for ServerProcess {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.len() == 1 { "process " } else { "processes " })?;
        for (at, Holder { process, name }) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(out, "{separator}{} ({name})", process.pid)?;
        }
        Ok(())
    }
}

/// One process that has the socket.
#[derive(Debug)]
struct Holder {
    /// Bound to the process, not to its number: another of the same number is not read.
    process: Process,
    name: String,
}

impl Holder {
    fn of(process: Process) -> Option<Self> {
        let name = process.stat().ok()?.comm;
        Some(Self { process, name })
    }

    fn sample(&self) -> Result<Usage, UsageError> {
        let failed = |error| match error {
            ProcError::NotFound(_) => self.ended(),
            error => unreadable(error),
        };
        let stat = self.process.stat().map_err(failed)?;
        let status = self.process.status().map_err(failed)?;
        // One that has ended and was not waited for has no memory any more.
        let resident = status.vmrss.ok_or_else(|| self.ended())?;
        let ticks = (stat.utime + stat.stime) as f64;
        Ok(Usage {
            cpu: Duration::from_secs_f64(ticks / ticks_per_second() as f64),
            resident_bytes: kibibytes(resident),
            peak_resident_bytes: status.vmhwm.map(kibibytes),
            pids: vec![self.pid()],
            calls: CallTimes::default(),
        })
    }

    fn ended(&self) -> UsageError {
        UsageError::Ended { pid: self.pid(), name: self.name.clone() }
    }

    fn pid(&self) -> u32 {
        self.process.pid.unsigned_abs()
    }
}

fn holds(process: &Process, inodes: &HashSet<u64>) -> bool {
    let Ok(descriptors) = process.fd() else { return false };
    descriptors.flatten().any(
        |descriptor| matches!(descriptor.target, FDTarget::Socket(inode) if inodes.contains(&inode)),
    )
}

fn kibibytes(count: u64) -> u64 {
    count * 1024
}

fn unreadable(error: ProcError) -> UsageError {
    UsageError::Unreadable(error.to_string())
}

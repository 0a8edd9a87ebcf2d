//! How many files and sockets the process may open. The soft limit, 1024 on many systems, is
//! for programs that use `select`; this one raises it to the hard limit when it starts.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;

/// Descriptors beside connections: outputs, and some for each thread's event loop.
const OTHERS: usize = 64;
const OF_A_THREAD: usize = 8;

/// The limit is below what the connections need.
#[derive(Debug, Error)]
#[error(
    "--connections {connections} needs {needed} open files, and the hard limit is {limit}; raise \
     it (ulimit -Hn, or LimitNOFILE of a systemd unit), or open fewer"
)]
pub struct TooFewDescriptors {
    connections: usize,
    needed: usize,
    limit: u64,
}

/// Raises the soft limit, and refuses what even the hard one does not allow.
///
/// # Errors
///
/// The connections would not find room.
pub(crate) fn raise(connections: usize, threads: usize) -> Result<(), TooFewDescriptors> {
    let needed = connections + OTHERS + threads * OF_A_THREAD;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    // macOS refuses what is above a limit of its own.
    let limit = if raised.is_ok() { maximum } else { current };
    match limit {
        Some(limit) if limit < needed as u64 => {
            Err(TooFewDescriptors { connections, needed, limit })
        }
        _ => Ok(()),
    }
}

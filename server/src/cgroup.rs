//! The memory that the kernel leaves to this process's control group. Linux only; elsewhere no
//! limit is known.

#[cfg(target_os = "linux")]
mod linux;

use std::{fmt, path::PathBuf};

/// A bound on memory, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    /// The bound.
    pub bytes: u64,
    /// The file that has it, which the operator may have to change; `None`: it is the caller's.
    pub source: Option<PathBuf>,
}

impl From<u64> for MemoryLimit {
    fn from(bytes: u64) -> Self {
        Self { bytes, source: None }
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(file) => write!(f, "{}: {}", file.display(), self.bytes),
            None => write!(f, "{}", self.bytes),
        }
    }
}

/// The memory that the process can use without being killed or throttled: the least hard limit
/// or throttle (`memory.high`) of its group and of the groups around it that can be seen from
/// here, and never more than the machine has. `None`: no group has either.
pub(crate) fn memory_limit() -> Option<MemoryLimit> {
    #[cfg(target_os = "linux")]
    let limit = linux::memory_limit(std::path::Path::new("/"));
    #[cfg(not(target_os = "linux"))]
    let limit = None;
    limit
}

/// The least soft limit of the groups, which only version 1 has. It is shown and not counted:
/// the kernel takes memory above it back only when the machine runs short.
pub(crate) fn soft_limit() -> Option<MemoryLimit> {
    #[cfg(target_os = "linux")]
    let limit = linux::soft_limit(std::path::Path::new("/"));
    #[cfg(not(target_os = "linux"))]
    let limit = None;
    limit
}

//! The memory that the kernel leaves to this process's control group. Linux only; elsewhere no
//! limit is known.

#[cfg(target_os = "linux")]
mod linux;

/// The bytes above which the kernel kills the process: the least limit of its group and of
/// the groups around it that can be seen from here, and never more than the machine has.
pub(crate) fn memory_limit() -> Option<u64> {
    #[cfg(target_os = "linux")]
    let limit = linux::memory_limit(std::path::Path::new("/"));
    #[cfg(not(target_os = "linux"))]
    let limit = None;
    limit
}

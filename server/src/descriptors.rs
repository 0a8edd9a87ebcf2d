//! File descriptors: each connection takes one.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::warn;

/// Raises the soft limit to the hard one. Container runtimes leave it at 1024 since they follow
/// systemd's default, which programs that use select(2) need and this one does not; the
/// default of `CACHE_MAX_CONNECTIONS` is ten times that.
/// (<https://0pointer.net/blog/file-descriptor-limits.html>)
pub(crate) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(problem) = setrlimit(Resource::Nofile, limit) {
        warn!(%problem, "the limit of file descriptors stays as it is");
    }
}

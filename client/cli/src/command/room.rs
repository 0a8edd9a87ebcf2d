//! Adds the server's limit to the error of a refused value: the server does not report it.

use std::time::Duration;

use bytesize::ByteSize;
use tiny_cache_client::{Error as CacheError, ErrorKind, Stats};

use super::{Error, Session};
use crate::error::is_of_quota;

/// Time for the server to report its limits, by which an error may be delayed.
const DEADLINE: Duration = Duration::from_secs(1);

/// The library's own remark.
const UNKNOWN: &str = "; stats has max_value_bytes)";

impl Session {
    /// The reply to a write. If the server had no room for the value, the error has the limit.
    pub(crate) async fn written<T>(&self, reply: Result<T, CacheError>) -> Result<T, Error> {
        let error = match reply {
            Ok(reply) => return Ok(reply),
            Err(error) => error,
        };
        Err(self.no_room(&error).await.map_or_else(|| error.into(), Error::NoRoom))
    }

    /// The text for a value that the server has no room for. None for other errors, and if the
    /// server does not report its limits at once.
    pub(super) async fn no_room(&self, error: &CacheError) -> Option<String> {
        if error.kind() != ErrorKind::ResourceExhausted || is_of_quota(error) {
            return None;
        }
        let limits = self.client.stats().total_deadline(DEADLINE).retries(0).await.ok()?;
        let text = error.to_string().replace(UNKNOWN, ")");
        Some(format!("{text}; {}", room(&limits, &text)))
    }
}

/// The limit that a refusal met.
fn room(limits: &Stats, refusal: &str) -> String {
    let memory = ByteSize::b(limits.max_memory_bytes).display().iec();
    // The contract's text for a server that is full.
    if refusal.contains("capacity exhausted") {
        let used = ByteSize::b(limits.memory_usage_bytes).display().iec();
        return format!("entries use {used} of {memory}, their overhead included");
    }
    format!("the server takes values of up to {} bytes", limits.max_value_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_given_the_limit_that_it_met() {
        let mut limits = Stats::default();
        limits.max_value_bytes = 1000;
        limits.max_memory_bytes = 16 << 20;
        limits.memory_usage_bytes = 15 << 20;
        let full = "Cache capacity exhausted and cannot accommodate new entry";
        let text = room(&limits, full);
        assert_eq!(text, "entries use 15.0 MiB of 16.0 MiB, their overhead included");
        let text = room(&limits, "Value exceeds maximum allowed cache entry size");
        assert_eq!(text, "the server takes values of up to 1000 bytes");
    }
}

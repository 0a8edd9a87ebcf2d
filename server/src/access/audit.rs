//! Counts what is refused, and logs it, a few lines a second: who is refused most may be somebody
//! who wants the log to fill.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::warn;

use super::{reason::Reason, refusal::Denied, right::Right};
use crate::sync::{AtomicU64, Mutex, Ordering, PoisonError};

/// Lines of the log in each [`PERIOD`]. What goes beyond is counted, and the next line says so.
const LINES: u32 = 10;
const PERIOD: Duration = Duration::from_secs(1);

/// What was refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    pub(crate) peer: Option<SocketAddr>,
    /// The RPC or the path.
    pub(crate) method: &'a str,
    pub(crate) request_id: &'a str,
}

/// The counts of a server, and when it last logged. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audit(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    refused: [AtomicU64; Reason::ALL.len()],
    pace: Mutex<Pace>,
}

/// How many lines the log takes.
#[derive(Debug, Default)]
struct Pace {
    period: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl Pace {
    /// Whether one more line may be written, with the number of those before it that were not.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.period.is_none_or(|began| now.saturating_duration_since(began) >= PERIOD) {
            self.period = Some(now);
            self.lines = 0;
        }
        if self.lines == LINES {
            self.suppressed += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

impl Audit {
    /// So many were refused for this reason.
    pub(crate) fn refused(&self, reason: Reason) -> u64 {
        self.0.refused[reason as usize].load(Ordering::Relaxed)
    }

    /// Counts and logs a call.
    pub(crate) fn call(&self, denied: &Denied, event: Event<'_>) {
        let Denied { reason, why, identity, right, namespace } = denied;
        let Some(suppressed) = self.count(*reason) else { return };
        let Event { peer, method, request_id } = event;
        warn!(
            reason = reason.name(),
            peer = peer.map(display),
            identity = identity.as_ref().map(display),
            right = right.map(Right::name),
            namespace,
            method,
            request_id,
            suppressed,
            "access refused: {why}"
        );
    }

    /// Counts and logs a request to the HTTP port.
    pub(crate) fn http(&self, why: &str, event: Event<'_>) {
        let Some(suppressed) = self.count(Reason::Http) else { return };
        let Event { peer, method, request_id } = event;
        warn!(
            reason = Reason::Http.name(),
            peer = peer.map(display),
            method,
            request_id,
            suppressed,
            "access refused: {why}"
        );
    }

    /// Counts one, and returns how many were not logged before it, if it may be logged.
    fn count(&self, reason: Reason) -> Option<u64> {
        self.0.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
        self.0.pace.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_takes_a_few_lines_a_second_and_says_what_it_left_out() {
        let mut pace = Pace::default();
        let start = Instant::now();
        for _ in 0..LINES {
            assert_eq!(pace.admit(start), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(pace.admit(start + PERIOD / 2), None);
        }
        assert_eq!(pace.admit(start + PERIOD), Some(7));
        assert_eq!(pace.admit(start + PERIOD), Some(0));
    }
}

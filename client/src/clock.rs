//! Instants that do not overflow.

use std::time::Duration;

use tokio::time::Instant;

/// Longer than any call lasts.
const THIRTY_YEARS: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// `begin` plus `time`, or thirty years from now where the clock does not reach that far.
pub(crate) fn after(begin: Instant, time: Duration) -> Instant {
    begin.checked_add(time).unwrap_or_else(|| Instant::now() + THIRTY_YEARS)
}

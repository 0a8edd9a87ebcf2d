//! Durations on the wire: milliseconds, each within its bounds.

use std::{ops::RangeInclusive, time::Duration};

use crate::{rejection::Rejection, store::Ttl};

/// Reads a field with a time to live.
///
/// # Errors
/// It is negative.
pub(super) fn ttl(field: &str, milliseconds: i64) -> Result<Ttl, Rejection> {
    match u64::try_from(milliseconds) {
        Ok(0) => Ok(Ttl::Forever),
        Ok(milliseconds) => Ok(Ttl::For(Duration::from_millis(milliseconds))),
        Err(_) => Err(Rejection::Invalid(format!(
            "{field} is {milliseconds}: it is positive, or 0 for an entry that never expires"
        ))),
    }
}

/// Reads a field with a span of time, of so many milliseconds at least and at most.
///
/// # Errors
/// It has fewer or more.
pub(super) fn span(
    field: &str,
    milliseconds: i64,
    allowed: RangeInclusive<i64>,
) -> Result<Duration, Rejection> {
    match u64::try_from(milliseconds) {
        Ok(span) if allowed.contains(&milliseconds) => Ok(Duration::from_millis(span)),
        _ => Err(Rejection::Invalid(format!(
            "{field} is {milliseconds}: it is {} to {} milliseconds",
            allowed.start(),
            allowed.end()
        ))),
    }
}

/// Milliseconds until an entry expires: a part of one counts as one, so that 0 stays free for an
/// entry that never does.
pub(super) fn ms_left(left: Duration) -> i64 {
    let part = u64::from(left.subsec_nanos()).div_ceil(1_000_000);
    ((left.as_secs() * 1000 + part) as i64).max(1)
}

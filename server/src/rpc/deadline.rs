//! A call's deadline: `grpc-timeout`, counted from the moment that the request came.
//!
//! A call that is not complete at its deadline is answered then. Its caller has given up, and may
//! have sent the same call again: carried out late, the first would overwrite the second.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::HeaderName;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

pub(super) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The answer to a call that is late.
pub(super) fn exceeded() -> Status {
    Status::deadline_exceeded("The deadline passed before the call was carried out")
}

/// The deadline of one call.
#[derive(Debug)]
pub(super) struct Deadline {
    at: Instant,
    /// The time when the request came. Spares a look at the clock where all of it is there.
    came: Option<Instant>,
    /// Set when the call first waits.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// The deadline of a request that came at `came`.
    pub(super) fn after(timeout: Duration, came: std::time::Instant) -> Option<Self> {
        let came = Instant::from_std(came);
        // A deadline beyond the clock's range is none.
        Some(Self { at: came.checked_add(timeout)?, came: Some(came), timer: None })
    }

    pub(super) fn at(&self) -> Instant {
        self.at
    }

    /// Whether it has passed.
    pub(super) fn is_over(&mut self) -> bool {
        self.came.take().unwrap_or_else(Instant::now) >= self.at
    }

    /// Waits for it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let at = self.at;
        ready!(self.timer.get_or_insert_with(|| Box::pin(sleep_until(at))).as_mut().poll(cx));
        Poll::Ready(())
    }
}

/// Reads `grpc-timeout`: one to eight digits and a unit
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
pub(super) fn parse(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_one_to_eight_digits_and_a_unit() {
        for (text, seconds) in [
            ("2H", 7200.0),
            ("3M", 180.0),
            ("1S", 1.0),
            ("250m", 0.25),
            ("5000u", 0.005),
            ("99999999n", 0.099_999_999),
            ("0S", 0.0),
            ("00000001S", 1.0),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in [
            "",
            "S",
            "1",
            "1s",
            "1h",
            "-1S",
            "+1S",
            "1.5S",
            " 1S",
            "1 S",
            "123456789n",
            "1SS",
            "٣S",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn the_longest_timeout_there_is_does_no_harm() {
        let timeout = parse(b"99999999H").unwrap();
        let deadline = Deadline::after(timeout, std::time::Instant::now());
        assert!(deadline.is_none_or(|mut deadline| !deadline.is_over()));
    }

    #[test]
    fn a_deadline_counts_from_the_moment_that_the_request_came() {
        let came = std::time::Instant::now();
        let second = Duration::from_secs(1);
        let deadline = Deadline::after(second, came).unwrap();
        assert_eq!(deadline.at(), Instant::from_std(came) + second);
    }
}

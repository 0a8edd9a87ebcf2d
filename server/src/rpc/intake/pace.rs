//! Decides how long a large message may take to arrive. Knows bytes and instants; it reads no
//! clock and owns no timer.
//!
//! A message may be slow while nobody waits for its memory. While somebody does, it has to
//! come at [`RATE`]. Time in which the server itself does not read does not count.

use std::time::Duration;

use tokio::time::Instant;
use tonic::Status;

/// How long a message may pause, whether others wait or not. A sender that stops half-way
/// would keep what it holds for ever.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Bytes a second that a message has to make while others wait. A third of what a slow mobile
/// uplink makes; the largest message of the defaults then takes two and a half minutes.
pub(super) const RATE: usize = 64 << 10;

/// How far a message may fall behind [`RATE`]: pauses of this length happen on honest links.
pub(super) const GRACE: Duration = Duration::from_secs(3);

/// How often a message that does not come is looked at: others may have begun to wait.
const LOOK: Duration = Duration::from_secs(1);

/// The time account of one message.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes since the last look.
    arrived: usize,
    /// When the last of them was seen.
    moved: Instant,
    /// When the message is too slow, if others wait then.
    due: Instant,
}

/// What follows from a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Look again at this time, if nothing comes before.
    Wait(Instant),
    /// It paused for too long.
    Stopped,
    /// It is too slow while others wait.
    Slow,
}

/// The status of a message that was too slow. Nothing of it was carried out, and the same call
/// may do better later: that is what UNAVAILABLE says to callers and to their retry policies.
pub(super) fn slow() -> Status {
    let rate = RATE >> 10;
    Status::unavailable(format!(
        "The message came slower than {rate} KiB/s while others waited for memory; try again"
    ))
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { arrived: 0, moved: now, due: now + GRACE }
    }

    pub(super) fn arrived(&mut self, bytes: usize) {
        self.arrived += bytes;
    }

    /// Judges a message of which nothing more is there to read.
    pub(super) fn look(&mut self, now: Instant, others_wait: bool) -> Verdict {
        let arrived = std::mem::take(&mut self.arrived);
        if arrived > 0 {
            self.moved = now;
            self.due += Duration::from_secs_f64(arrived as f64 / RATE as f64);
        }
        let latest = now + GRACE;
        self.due = if others_wait { self.due.min(latest) } else { latest };
        let stopped = self.moved + LONGEST_PAUSE;
        if now >= stopped {
            Verdict::Stopped
        } else if now >= self.due {
            Verdict::Slow
        } else {
            Verdict::Wait(stopped.min(self.due).min(now + LOOK))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every `step` at a message of which `bytes` come in each, until a verdict.
    fn judged(bytes: usize, step: Duration, others_wait: bool) -> Option<(Verdict, Duration)> {
        let started = Instant::now();
        let mut pace = Pace::new(started);
        let mut now = started;
        while now < started + Duration::from_secs(100) {
            now += step;
            pace.arrived(bytes);
            match pace.look(now, others_wait) {
                Verdict::Wait(_) => {}
                verdict => return Some((verdict, now - started)),
            }
        }
        None
    }

    const TENTH: Duration = Duration::from_millis(100);

    #[test]
    fn a_message_may_be_slow_while_nobody_waits_and_not_while_somebody_does() {
        assert_eq!(judged(100, TENTH, false), None);
        let (verdict, after) = judged(100, TENTH, true).unwrap();
        assert_eq!(verdict, Verdict::Slow);
        assert!((GRACE..GRACE + Duration::from_secs(1)).contains(&after), "{after:?}");
    }

    #[test]
    fn an_honest_slow_upload_keeps_the_rate() {
        assert_eq!(judged(200 * 1024 / 10, TENTH, true), None);
        // The same in bursts of half a megabyte, with pauses of two seconds and a half.
        assert_eq!(judged(512 << 10, Duration::from_millis(2500), true), None);
    }

    #[test]
    fn half_the_rate_is_too_slow_within_twice_the_grace() {
        let (verdict, after) = judged(RATE / 20, TENTH, true).unwrap();
        assert_eq!(verdict, Verdict::Slow);
        assert!((GRACE * 2..GRACE * 2 + TENTH * 2).contains(&after), "{after:?}");
    }

    #[test]
    fn a_message_that_stops_is_given_up_even_if_nobody_waits() {
        let (verdict, after) = judged(0, TENTH, false).unwrap();
        assert_eq!((verdict, after), (Verdict::Stopped, LONGEST_PAUSE));
    }

    #[test]
    fn what_came_before_others_waited_is_no_blame_and_no_credit() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        pace.arrived(10 << 20);
        let quiet = start + Duration::from_secs(15);
        assert!(matches!(pace.look(quiet, false), Verdict::Wait(_)));
        let short = quiet + Duration::from_secs(2);
        assert!(matches!(pace.look(short, true), Verdict::Wait(_)));
        assert_eq!(pace.look(quiet + GRACE, true), Verdict::Slow);
    }
}

//! Frames that cost more than they bring, and how many of them a peer may send.
//!
//! Each kind has a budget. It starts full, is used up by frames of the kind, and grows with
//! time and with useful work: a peer that calls a lot may ping a lot. Clients that measure the
//! bandwidth ping, and others announce a window, for every reply.

use std::time::{Duration, Instant};

use crate::error::ConnectionError;

/// A kind of frame that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Nuisance {
    /// PING: each is answered.
    Ping,
    /// SETTINGS: each walks over all streams, or is answered.
    Settings,
    /// PRIORITY, GOAWAY and frames of unknown types: each is looked at for nothing.
    Ignored,
    /// DATA without a byte that does not end its stream.
    EmptyData,
    /// WINDOW_UPDATE.
    WindowUpdate,
    /// RST_STREAM: a stream that was opened for nothing (CVE-2023-44487). So are requests that
    /// are ignored at the end of a connection.
    Reset,
    /// Frames that make this side reset a stream, with the same effect (CVE-2025-8671).
    Fault,
}

/// What one kind may cost.
struct Rule {
    /// Frames at once.
    burst: u16,
    /// Frames in addition for each second.
    per_second: u16,
    /// Frames in addition for each reply, and for each DATA frame that is sent.
    per_reply: u16,
    per_data: u16,
    reason: &'static str,
}

const KINDS: usize = 7;

/// By the number of a [`Nuisance`]. The bursts are far above what clients of gRPC were seen to
/// send, and far below what takes a noticeable part of a core: the most expensive frame costs
/// less than a call does.
const RULES: [Rule; KINDS] = [
    // grpc-core and grpc-go ping once for each round trip in which data came.
    Rule { burst: 256, per_second: 16, per_reply: 1, per_data: 1, reason: "too many PING frames" },
    // grpc-go and Envoy change their windows now and then.
    Rule {
        burst: 64,
        per_second: 4,
        per_reply: 0,
        per_data: 0,
        reason: "too many SETTINGS frames",
    },
    // nghttp2 and browsers of old send one for each request.
    Rule {
        burst: 256,
        per_second: 16,
        per_reply: 2,
        per_data: 0,
        reason: "too many frames that are ignored",
    },
    Rule {
        burst: 256,
        per_second: 16,
        per_reply: 1,
        per_data: 0,
        reason: "too many empty DATA frames",
    },
    // python-h2 sends two for each DATA frame, nghttp2 for each half of a window.
    Rule {
        burst: 2048,
        per_second: 256,
        per_reply: 4,
        per_data: 4,
        reason: "too many WINDOW_UPDATE frames",
    },
    // A caller that drops a fan-out of calls resets them together.
    Rule {
        burst: 2048,
        per_second: 128,
        per_reply: 1,
        per_data: 0,
        reason: "too many streams were reset",
    },
    Rule {
        burst: 512,
        per_second: 16,
        per_reply: 0,
        per_data: 0,
        reason: "too many streams had to be reset",
    },
];

/// How often time is added: seldom, since each look costs more than a frame.
const REFILL: Duration = Duration::from_millis(250);

/// What a peer may send yet.
#[derive(Debug)]
pub(crate) struct Budgets {
    left: [u16; KINDS],
    refilled: Instant,
}

impl Budgets {
    pub(crate) fn new(now: Instant) -> Self {
        let mut left = [0; KINDS];
        for (left, rule) in left.iter_mut().zip(&RULES) {
            *left = rule.burst;
        }
        Self { left, refilled: now }
    }

    /// Counts a frame.
    pub(crate) fn spend(&mut self, kind: Nuisance) -> Result<(), ConnectionError> {
        let left = &mut self.left[kind as usize];
        match left.checked_sub(1) {
            Some(rest) => {
                *left = rest;
                Ok(())
            }
            None => Err(ConnectionError::flood(RULES[kind as usize].reason)),
        }
    }

    /// Time has passed.
    #[inline]
    pub(crate) fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.refilled);
        if passed < REFILL {
            return;
        }
        let quarters = u32::try_from(passed.as_millis() / 250).unwrap_or(u32::MAX);
        self.add(|rule| u32::from(rule.per_second).saturating_mul(quarters) / 4);
        self.refilled = now;
    }

    /// A request was answered.
    #[inline]
    pub(crate) fn replied(&mut self) {
        self.add(|rule| u32::from(rule.per_reply));
    }

    /// A DATA frame of a longer reply was sent.
    pub(crate) fn sent_data(&mut self) {
        self.add(|rule| u32::from(rule.per_data));
    }

    #[inline]
    fn add(&mut self, of: impl Fn(&Rule) -> u32) {
        for (left, rule) in self.left.iter_mut().zip(&RULES) {
            let more = u32::from(*left).saturating_add(of(rule)).min(u32::from(rule.burst));
            *left = more as u16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spend_all(budgets: &mut Budgets, kind: Nuisance) -> u32 {
        (0..u32::MAX).take_while(|_| budgets.spend(kind).is_ok()).count() as u32
    }

    const ALL: [Nuisance; KINDS] = [
        Nuisance::Ping,
        Nuisance::Settings,
        Nuisance::Ignored,
        Nuisance::EmptyData,
        Nuisance::WindowUpdate,
        Nuisance::Reset,
        Nuisance::Fault,
    ];

    #[test]
    fn each_kind_has_its_burst_and_its_rate() {
        let start = Instant::now();
        let mut budgets = Budgets::new(start);
        for (number, kind) in ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
            let rule = &RULES[number];
            assert_eq!(spend_all(&mut budgets, kind), u32::from(rule.burst));
            assert_eq!(budgets.spend(kind), Err(ConnectionError::flood(rule.reason)));
        }
        budgets.refill(start + Duration::from_millis(249));
        assert_eq!(spend_all(&mut budgets, Nuisance::Ping), 0);
        budgets.refill(start + Duration::from_secs(2));
        for kind in ALL {
            assert_eq!(
                spend_all(&mut budgets, kind),
                2 * u32::from(RULES[kind as usize].per_second)
            );
        }
    }

    #[test]
    fn useful_work_pays_for_more_up_to_the_burst() {
        let mut budgets = Budgets::new(Instant::now());
        spend_all(&mut budgets, Nuisance::WindowUpdate);
        spend_all(&mut budgets, Nuisance::Fault);
        budgets.replied();
        budgets.sent_data();
        assert_eq!(spend_all(&mut budgets, Nuisance::WindowUpdate), 8);
        assert_eq!(spend_all(&mut budgets, Nuisance::Fault), 0, "work does not excuse faults");
        (0..10_000).for_each(|_| budgets.replied());
        assert_eq!(spend_all(&mut budgets, Nuisance::WindowUpdate), 2048);
    }
}

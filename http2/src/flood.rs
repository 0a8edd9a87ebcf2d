//! Frames that cost more than they bring, and how many of them a peer may send.
//!
//! Each kind has a budget. It starts full, is used up by frames of the kind, and grows with
//! time and with useful work: a peer that calls a lot may ping a lot. Clients that measure the
//! bandwidth ping, and others announce a window, for every reply.

use std::time::{Duration, Instant};

use crate::{
    error::ConnectionError,
    frame::{END_STREAM, Kind},
};

/// A kind of frame that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Nuisance {
    /// PING: each is answered.
    Ping,
    /// SETTINGS: each walks over all streams, or is answered. So does each parameter of a long
    /// one.
    Settings,
    /// PRIORITY, GOAWAY and frames of unknown types: each is looked at for nothing.
    Ignored,
    /// DATA without a byte that does not end its stream.
    EmptyData,
    /// DATA of a few bytes that does not end its stream.
    SmallData,
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

const KINDS: usize = 8;

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
    // A client may send gRPC's prefix of five bytes by itself.
    Rule {
        burst: 2048,
        per_second: 128,
        per_reply: 4,
        per_data: 0,
        reason: "too many DATA frames of a few bytes",
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

/// Bytes of a DATA frame from which it brings something.
const SMALL_BYTES: usize = 16;

/// Bytes of a DATA frame with which it pays for frames of the peer's. Below, the peer's own windows
/// have cut it so small, and a window of a byte would pay for the next.
const PAYING_BYTES: usize = 1 << 10;

/// Frames of a few bytes that a DATA frame of [`PAYING_BYTES`] from the peer pays for.
const SMALL_PAID: u16 = 2;

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
        self.spend_many(kind, 1)
    }

    /// Counts a frame that costs as much as so many.
    pub(crate) fn spend_many(
        &mut self,
        kind: Nuisance,
        frames: u16,
    ) -> Result<(), ConnectionError> {
        let left = &mut self.left[kind as usize];
        match left.checked_sub(frames) {
            Some(rest) => {
                *left = rest;
                Ok(())
            }
            None => Err(ConnectionError::flood(RULES[kind as usize].reason)),
        }
    }

    /// Counts a DATA frame with so many bytes, if they are few and there is no end. One with many
    /// pays for some with few: haproxy 2.6 sends the nine bytes that its buffer has left behind
    /// each frame of 16 KiB.
    #[inline]
    pub(crate) fn spend_data(&mut self, bytes: usize, end: bool) -> Result<(), ConnectionError> {
        match bytes {
            PAYING_BYTES.. => {
                let kind = Nuisance::SmallData as usize;
                self.left[kind] = (self.left[kind] + SMALL_PAID).min(RULES[kind].burst);
                Ok(())
            }
            _ if end || bytes >= SMALL_BYTES => Ok(()),
            0 => self.spend(Nuisance::EmptyData),
            _ => self.spend(Nuisance::SmallData),
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

    /// A DATA frame of a longer reply was sent, with so many bytes.
    pub(crate) fn sent_data(&mut self, bytes: usize) {
        if bytes >= PAYING_BYTES {
            self.add(|rule| u32::from(rule.per_data));
        }
    }

    #[inline]
    fn add(&mut self, of: impl Fn(&Rule) -> u32) {
        for (left, rule) in self.left.iter_mut().zip(&RULES) {
            let more = u32::from(*left).saturating_add(of(rule)).min(u32::from(rule.burst));
            *left = more as u16;
        }
    }
}

/// Parameters of SETTINGS beyond which each costs as much as a frame: no client sends as many.
const PARAMETERS: usize = 16;

/// What SETTINGS with a payload of so many bytes cost.
pub(crate) fn settings_cost(bytes: usize) -> u16 {
    u16::try_from(1 + bytes / (6 * PARAMETERS)).unwrap_or(u16::MAX)
}

/// The budgets for a connection that another library serves, by the frames that pass.
#[derive(Debug)]
pub struct Floods(Budgets);

impl Floods {
    /// Full budgets.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self(Budgets::new(now))
    }

    /// Time has passed.
    pub fn refill(&mut self, now: Instant) {
        self.0.refill(now);
    }

    /// A frame came from the peer, of the type with this number, with a payload of so many bytes.
    ///
    /// # Errors
    /// [`ConnectionError`] when its kind's budget is used up.
    pub fn received(&mut self, kind: u8, flags: u8, bytes: usize) -> Result<(), ConnectionError> {
        match Kind::of(kind) {
            Kind::Ping => self.0.spend(Nuisance::Ping),
            Kind::Settings => self.0.spend_many(Nuisance::Settings, settings_cost(bytes)),
            Kind::Priority | Kind::GoAway | Kind::Unknown => self.0.spend(Nuisance::Ignored),
            Kind::Data => self.0.spend_data(bytes, flags & END_STREAM != 0),
            Kind::WindowUpdate => self.0.spend(Nuisance::WindowUpdate),
            Kind::RstStream => self.0.spend(Nuisance::Reset),
            Kind::Headers | Kind::Continuation | Kind::PushPromise => Ok(()),
        }
    }

    /// A frame went to the peer.
    pub fn sent(&mut self, kind: u8, flags: u8, bytes: usize) {
        match Kind::of(kind) {
            Kind::Headers | Kind::Data if flags & END_STREAM != 0 => self.0.replied(),
            Kind::Data => self.0.sent_data(bytes),
            _ => {}
        }
    }

    /// A stream was reset for something that the peer did.
    ///
    /// # Errors
    /// [`ConnectionError`] when the budget for that is used up.
    pub fn faulted(&mut self) -> Result<(), ConnectionError> {
        self.0.spend(Nuisance::Fault)
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
        Nuisance::SmallData,
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
    fn frames_that_pass_by_are_counted_by_their_numbers() {
        let until = |kind, flags, bytes| {
            let mut floods = Floods::new(Instant::now());
            (0..5000).take_while(|_| floods.received(kind, flags, bytes).is_ok()).count()
        };
        let of_kinds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xbe].map(|kind| until(kind, 0, 0));
        assert_eq!(of_kinds, [256, 5000, 256, 2048, 64, 5000, 256, 256, 2048, 5000, 256]);
        assert_eq!((until(0, END_STREAM, 0), until(0, 0, 5), until(0, 0, 16)), (5000, 2048, 5000));
        assert_eq!(until(4, 0, 6 * 2730), 0);
        let mut floods = Floods::new(Instant::now());
        assert_eq!((0..5000).take_while(|_| floods.faulted().is_ok()).count(), 512);
        while floods.received(6, 0, 8).is_ok() {}
        floods.sent(1, END_STREAM, 9);
        assert!(floods.received(6, 0, 8).is_ok() && floods.received(6, 0, 8).is_err());
    }

    /// An upload of 100 MiB through haproxy 2.6 was taken for a flood.
    #[test]
    fn an_upload_whose_proxy_cuts_it_into_large_and_small_frames_is_no_flood() {
        let mut budgets = Budgets::new(Instant::now());
        for _ in 0..100_000 {
            budgets.spend_data(16_384, false).unwrap();
            budgets.spend_data(9, false).unwrap();
        }
        spend_all(&mut budgets, Nuisance::SmallData);
        budgets.spend_data(PAYING_BYTES - 1, false).unwrap();
        budgets.spend_data(9, false).unwrap_err();
    }

    #[test]
    fn useful_work_pays_for_more_up_to_the_burst() {
        let mut budgets = Budgets::new(Instant::now());
        spend_all(&mut budgets, Nuisance::WindowUpdate);
        spend_all(&mut budgets, Nuisance::Fault);
        budgets.replied();
        budgets.sent_data(PAYING_BYTES);
        budgets.sent_data(PAYING_BYTES - 1);
        assert_eq!(spend_all(&mut budgets, Nuisance::WindowUpdate), 8);
        assert_eq!(spend_all(&mut budgets, Nuisance::Fault), 0, "work does not excuse faults");
        (0..10_000).for_each(|_| budgets.replied());
        assert_eq!(spend_all(&mut budgets, Nuisance::WindowUpdate), 2048);
    }
}

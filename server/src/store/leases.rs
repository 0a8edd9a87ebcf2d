//! Leases: of the callers that miss a key, one fills it, and the others may wait until it has.
//!
//! They stand in the stripe of their key, so that a write or a removal ends a lease in the same step
//! in which it happens. A stripe without leases has a pointer for them, and a write looks at it.
//! Whoever waits holds one end of a channel. Of a value that was written it learns by the loss of the
//! other end, which is dropped when the stripe is free again; a lease that is handed on is sent.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use ahash::RandomState;
use tokio::sync::oneshot::{self, Receiver, Sender};

use super::{
    clock::{Deadline, Moment},
    ttl::Ttl,
};

/// Most leases of a stripe. Whoever misses beyond that gets none, and fills without one.
const MOST: usize = 1024;

/// The leases of one stripe. Most stripes have none, and room for a pointer.
#[derive(Debug, Default)]
pub(super) struct Leases(Option<Box<ByHash>>);

/// Leases by the hashes of their keys.
type ByHash = HashMap<u64, Lease, RandomState>;

/// The right to fill a key, until it ends or is ended.
#[derive(Debug)]
pub(super) struct Lease {
    token: Token,
    ends: Deadline,
    waiters: VecDeque<Waiter>,
}

/// What a lease is known by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// What its holder shows.
    pub(super) number: u64,
    /// The number of the last invalidation before it was given.
    pub(super) given: u64,
}

/// A caller that waits.
#[derive(Debug)]
struct Waiter {
    /// How long its own lease is to be, if it gets one.
    span: Duration,
    lease: Sender<u64>,
}

/// What becomes of a caller that missed.
#[derive(Debug)]
pub(super) enum Claim {
    /// It has a lease, with this token.
    Granted(u64),
    /// Another has one, at the latest until then. Whoever waits gets the lease after it, or loses
    /// the channel when there is a value.
    Waits(Receiver<u64>, Deadline),
    /// Another has one.
    Taken,
    /// There are too many.
    Full,
}

/// What a caller wants that missed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// How long its lease is to be.
    pub(super) span: Duration,
    /// Whether it waits if another has the lease.
    pub(super) waits: bool,
}

impl Leases {
    /// Gives a lease with this token, if nobody has one that lasts.
    pub(super) fn claim(&mut self, hash: u64, asked: Asked, now: Moment, token: Token) -> Claim {
        let leases = self.0.get_or_insert_default();
        let Some(lease) = leases.get_mut(&hash) else {
            if leases.len() >= MOST {
                return Claim::Full;
            }
            leases.insert(hash, Lease::new(token, asked.span, now));
            return Claim::Granted(token.number);
        };
        // Whoever has waited for it comes first.
        if lease.ends.passed(now) && !lease.hand_on(now, token) {
            lease.renew(token, asked.span, now);
            return Claim::Granted(token.number);
        }
        if asked.waits { lease.wait(asked.span) } else { Claim::Taken }
    }

    /// Whether a lease with this token lasts.
    pub(super) fn holds(&self, hash: u64, token: u64, now: Moment) -> bool {
        self.given(hash, token, now).is_some()
    }

    /// The number of the last invalidation before the lease with this token was given, if it lasts.
    pub(super) fn given(&self, hash: u64, token: u64, now: Moment) -> Option<u64> {
        let lease = self.0.as_ref().and_then(|leases| leases.get(&hash))?;
        let lasts = lease.token.number == token && !lease.ends.passed(now);
        lasts.then_some(lease.token.given)
    }

    /// Ends the lease of a key that was written. Returns it with all that wait: they look again when
    /// it is dropped.
    pub(super) fn written(&mut self, hash: u64) -> Option<Lease> {
        let leases = self.0.as_mut()?;
        let ended = leases.remove(&hash);
        if leases.is_empty() {
            self.0 = None;
        }
        ended
    }

    /// Ends the lease of a key, and hands it to the next that waits, with this token.
    pub(super) fn pass_on(&mut self, hash: u64, now: Moment, token: Token) {
        let Some(lease) = self.0.as_mut().and_then(|leases| leases.get_mut(&hash)) else { return };
        if !lease.hand_on(now, token) {
            drop(self.written(hash));
        }
    }

    /// Hands a lease on, with this token, that has ended by its time. Returns when the lease ends
    /// that the key has then.
    pub(super) fn pass_on_ended(
        &mut self,
        hash: u64,
        now: Moment,
        token: Token,
    ) -> Option<Deadline> {
        let lease = self.0.as_mut()?.get_mut(&hash)?;
        if lease.ends.passed(now) {
            lease.hand_on(now, token);
        }
        Some(lease.ends)
    }

    /// Forgets leases that have ended and for which nobody waits. Who waits has them passed on.
    pub(super) fn purge(&mut self, now: Moment) {
        let Some(leases) = &mut self.0 else { return };
        leases.retain(|_, lease| !lease.ends.passed(now) || !lease.waiters.is_empty());
        if leases.is_empty() {
            self.0 = None;
        }
    }

    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Lease {
    fn new(token: Token, span: Duration, now: Moment) -> Self {
        Self { token, ends: Deadline::after(now, Ttl::For(span)), waiters: VecDeque::new() }
    }

    /// Another caller has it now.
    fn renew(&mut self, token: Token, span: Duration, now: Moment) {
        (self.token, self.ends) = (token, Deadline::after(now, Ttl::For(span)));
    }

    /// Hands it to the next that waits, with this token. Returns whether there was one.
    fn hand_on(&mut self, now: Moment, token: Token) -> bool {
        while let Some(Waiter { span, lease: next }) = self.waiters.pop_front() {
            if next.send(token.number).is_ok() {
                let before = self.ends;
                self.renew(token, span, now);
                if self.ends < before {
                    // The others would look too late: they look now.
                    self.waiters.clear();
                }
                return true;
            }
        }
        false
    }

    fn wait(&mut self, span: Duration) -> Claim {
        // Those that have given up leave their ends here; no more of them than of the others.
        if self.waiters.len() == self.waiters.capacity() {
            self.waiters.retain(|waiter| !waiter.lease.is_closed());
        }
        let (lease, granted) = oneshot::channel();
        self.waiters.push_back(Waiter { span, lease });
        Claim::Waits(granted, self.ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: u64 = 7;
    const SPAN: Duration = Duration::from_nanos(100);

    fn at(nanoseconds: u64) -> Moment {
        Moment::at(nanoseconds)
    }

    fn asked(waits: bool) -> Asked {
        Asked { span: SPAN, waits }
    }

    fn token(number: u64) -> Token {
        Token { number, given: 0 }
    }

    fn granted(claim: Claim) -> u64 {
        let Claim::Granted(token) = claim else { panic!("{claim:?}") };
        token
    }

    fn waits(claim: Claim) -> Receiver<u64> {
        let Claim::Waits(receiver, _) = claim else { panic!("{claim:?}") };
        receiver
    }

    #[test]
    fn one_caller_gets_the_lease_and_the_next_when_it_ends() {
        let mut leases = Leases::default();
        assert_eq!(granted(leases.claim(HASH, asked(true), at(0), token(1))), 1);
        assert!(matches!(leases.claim(HASH, asked(false), at(99), token(2)), Claim::Taken));
        assert!(leases.holds(HASH, 1, at(99)) && !leases.holds(HASH, 2, at(99)));
        assert!(!leases.holds(HASH, 1, at(100)));
        assert_eq!(granted(leases.claim(HASH, asked(true), at(100), token(3))), 3);
        assert!(leases.holds(HASH, 3, at(199)) && !leases.holds(HASH, 1, at(150)));
    }

    #[test]
    fn a_lease_is_passed_on_in_the_order_of_waiting() {
        let mut leases = Leases::default();
        leases.claim(HASH, asked(true), at(0), token(1));
        let mut waiting: Vec<_> = (2..5)
            .map(|number| waits(leases.claim(HASH, asked(true), at(0), token(number))))
            .collect();
        drop(waiting.remove(0));
        leases.pass_on(HASH, at(50), token(5));
        assert_eq!(waiting[0].try_recv(), Ok(5));
        assert!(leases.holds(HASH, 5, at(149)));
        leases.pass_on(HASH, at(60), token(6));
        assert_eq!(waiting[1].try_recv(), Ok(6));
        leases.pass_on(HASH, at(70), token(7));
        assert!(leases.is_empty());
    }

    /// Whoever looked first got it, a newcomer even before those that waited.
    #[test]
    fn a_lease_that_ends_by_its_time_goes_to_the_first_that_waits() {
        let mut leases = Leases::default();
        leases.claim(HASH, asked(true), at(0), token(1));
        let mut first = waits(leases.claim(HASH, asked(true), at(10), token(2)));
        let mut second = waits(leases.claim(HASH, asked(true), at(20), token(2)));
        assert!(leases.pass_on_ended(HASH, at(99), token(2)).is_some());
        assert!(first.try_recv().is_err());
        assert!(matches!(leases.claim(HASH, asked(false), at(100), token(3)), Claim::Taken));
        assert_eq!(first.try_recv(), Ok(3));
        assert!(second.try_recv().is_err());
        leases.pass_on_ended(HASH, at(200), token(4));
        assert_eq!(second.try_recv(), Ok(4));
    }

    /// They slept until the longer one would have ended.
    #[test]
    fn those_that_wait_look_again_when_the_next_lease_ends_earlier() {
        let mut leases = Leases::default();
        leases.claim(HASH, asked(true), at(0), token(1));
        let short = Asked { span: Duration::from_nanos(10), waits: true };
        let mut first = waits(leases.claim(HASH, short, at(0), token(2)));
        let mut second = waits(leases.claim(HASH, short, at(0), token(2)));
        leases.pass_on(HASH, at(5), token(3));
        assert_eq!(first.try_recv(), Ok(3));
        assert!(matches!(second.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
    }

    #[test]
    fn a_write_ends_the_lease_and_wakes_all() {
        let mut leases = Leases::default();
        leases.claim(HASH, asked(true), at(0), token(1));
        let mut first = waits(leases.claim(HASH, asked(true), at(0), token(2)));
        drop(leases.written(HASH));
        assert!(matches!(first.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert!(!leases.holds(HASH, 1, at(1)) && leases.is_empty());
    }

    #[test]
    fn callers_that_gave_up_leave_little_behind() {
        let mut leases = Leases::default();
        leases.claim(HASH, asked(true), at(0), token(1));
        for _ in 0..10_000 {
            drop(leases.claim(HASH, asked(true), at(0), token(2)));
        }
        let lease = leases.written(HASH).unwrap();
        assert!(lease.waiters.capacity() <= 16, "{}", lease.waiters.capacity());
    }

    #[test]
    fn leases_are_bounded_and_forgotten_when_they_have_ended() {
        let mut leases = Leases::default();
        for hash in 0..MOST as u64 {
            granted(leases.claim(hash, asked(false), at(0), token(1)));
        }
        assert!(matches!(leases.claim(u64::MAX, asked(true), at(0), token(1)), Claim::Full));
        leases.purge(at(99));
        assert!(!leases.is_empty());
        leases.purge(at(100));
        assert!(leases.is_empty());
    }
}

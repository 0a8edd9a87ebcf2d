//! Decides whether a history of one register is linearizable: whether its
//! operations can be put in one order, each between its invocation and its
//! return, in which a register would have answered as the server did.
//!
//! The search is that of Wing and Gong ("Testing and Verifying Concurrent
//! Objects", 1993): try as the next operation each one that was invoked before
//! the first outstanding return. Lowe's addition ("Testing for Linearizability",
//! 2017) keeps it short: a set of operations done together with the value they
//! left is looked at once. Keys are checked apart, since a history is
//! linearizable when it is so for each object alone (Herlihy and Wing, 1990).

use std::collections::HashSet;

use tiny_cache_proto::cache::ConditionalCacheStatus::{self, Exists, Mismatch, NotFound, Stored};

/// What a client asked of the register.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Set(u64),
    SetIfAbsent(u64),
    /// The expected value, and the new one.
    CompareAndSet(u64, u64),
    Delete,
    Get,
}

/// What it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Decided(ConditionalCacheStatus),
    Found(Option<u64>),
}

/// One operation, with the ticks of a clock that all clients share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) invoked: u64,
    pub(super) returned: u64,
    pub(super) action: Action,
    pub(super) outcome: Outcome,
}

/// Whether a register that starts empty can have answered so.
///
/// # Panics
///
/// Panics on more than 128 operations; the set of those done is a bit mask.
pub(super) fn explains(history: &[Event]) -> bool {
    assert!(history.len() <= 128, "{} operations", history.len());
    let mut seen = HashSet::new();
    // Each entry: the operations done, and the value that they left.
    let mut open: Vec<(u128, Option<u64>)> = vec![(0, None)];
    while let Some((done, value)) = open.pop() {
        if done.count_ones() as usize == history.len() {
            return true;
        }
        let left = || {
            let numbered = history.iter().enumerate();
            numbered.filter(move |(number, _)| done & (1 << number) == 0)
        };
        let first_return = left().map(|(_, event)| event.returned).min();
        for (number, event) in left() {
            if Some(event.invoked) > first_return {
                continue;
            }
            let (outcome, after) = apply(event.action, value);
            let next = (done | (1 << number), after);
            if outcome == event.outcome && seen.insert(next) {
                open.push(next);
            }
        }
    }
    false
}

/// What a register with `value` answers, and what it holds then.
fn apply(action: Action, value: Option<u64>) -> (Outcome, Option<u64>) {
    match (action, value) {
        (Action::Set(new), _) => (Outcome::Done, Some(new)),
        (Action::SetIfAbsent(new), None) => (Outcome::Decided(Stored), Some(new)),
        (Action::SetIfAbsent(_), Some(_)) => (Outcome::Decided(Exists), value),
        (Action::CompareAndSet(..), None) => (Outcome::Decided(NotFound), None),
        (Action::CompareAndSet(expected, new), Some(held)) if held == expected => {
            (Outcome::Decided(Stored), Some(new))
        }
        (Action::CompareAndSet(..), Some(_)) => (Outcome::Decided(Mismatch), value),
        (Action::Delete, _) => (Outcome::Done, None),
        (Action::Get, _) => (Outcome::Found(value), value),
    }
}

mod tests {
    use super::{
        Action::{self, CompareAndSet, Delete, Get, Set, SetIfAbsent},
        ConditionalCacheStatus::{NotFound, Stored},
        Event,
        Outcome::{self, Decided, Done, Found},
        explains,
    };

    fn event(invoked: u64, returned: u64, action: Action, outcome: Outcome) -> Event {
        Event { invoked, returned, action, outcome }
    }

    #[test]
    fn an_order_is_found_among_overlapping_operations() {
        // The read returns the later write, so the writes went 1, 2; the
        // conditional write came before both.
        assert!(explains(&[
            event(0, 9, Set(1), Done),
            event(1, 4, Set(2), Done),
            event(2, 8, SetIfAbsent(3), Decided(Stored)),
            event(5, 6, Get, Found(Some(2))),
            event(10, 11, Get, Found(Some(2))),
        ]));
        assert!(explains(&[]));
    }

    #[test]
    fn a_stale_read_is_rejected() {
        assert!(!explains(&[
            event(0, 1, Set(1), Done),
            event(2, 3, Set(2), Done),
            event(4, 5, Get, Found(Some(1))),
        ]));
        // Two readers that disagree about the order of two writes.
        assert!(!explains(&[
            event(0, 20, Set(1), Done),
            event(1, 20, Set(2), Done),
            event(2, 3, Get, Found(Some(1))),
            event(4, 5, Get, Found(Some(2))),
            event(6, 7, Get, Found(Some(1))),
        ]));
    }

    #[test]
    fn a_lost_write_is_rejected() {
        // Both swaps say they replaced the same value.
        assert!(!explains(&[
            event(0, 1, Set(1), Done),
            event(2, 9, CompareAndSet(1, 2), Decided(Stored)),
            event(3, 8, CompareAndSet(1, 3), Decided(Stored)),
        ]));
        // Two winners for one absence.
        assert!(!explains(&[
            event(0, 9, SetIfAbsent(1), Decided(Stored)),
            event(1, 8, SetIfAbsent(2), Decided(Stored)),
        ]));
        // A swap that misses what was there, though nothing removed it in time.
        assert!(!explains(&[
            event(0, 1, Set(1), Done),
            event(2, 3, CompareAndSet(1, 2), Decided(NotFound)),
            event(4, 5, Delete, Done),
        ]));
    }
}

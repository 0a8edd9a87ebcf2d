//! Decides whether a history of one key is linearizable: whether its operations can be put in one
//! order, each between its invocation and its return, in which a register would have answered as
//! the server did.
//!
//! The search is that of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993): try as
//! the next operation each one that was invoked before the first outstanding return. Lowe's
//! addition ("Testing for Linearizability", 2017) keeps it short: a set of operations done together
//! with what they left is looked at once. Keys are checked apart, since a history is linearizable
//! when it is so for each object alone (Herlihy and Wing, 1990).
//!
//! What a cache may do by itself is no operation of anybody's, so the search tries both: an entry
//! may be gone once its deadline can have passed, and must be when it has passed for certain. On a
//! full cache it may be gone at any time. What is gone does not come back.

use std::{collections::HashSet, time::Duration};

use tiny_cache_proto::cache::ConditionalCacheStatus::{self, Exists, Mismatch, NotFound, Stored};

/// A value, and the time that it is to be kept; for ever without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) value: u64,
    pub(crate) ttl: Option<Duration>,
}

/// What a client asked of the register.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Set(Write),
    SetIfAbsent(Write),
    /// The expected value, and the new one.
    CompareAndSet(u64, Write),
    Delete,
    Get,
}

/// What it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Decided(ConditionalCacheStatus),
    Found(Option<u64>),
}

/// One operation, on a clock that all clients share and that runs at the server's pace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) invoked: Duration,
    pub(crate) returned: Duration,
    pub(crate) action: Action,
    pub(crate) outcome: Outcome,
}

/// When an entry that nobody deleted may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// From its deadline on: there is room for all.
    AtDeadline,
    /// At any time: the cache is full.
    AnyTime,
}

/// The event that wrote what the register holds.
type Held = Option<usize>;

/// Whether a register that starts empty can have answered so.
///
/// # Panics
///
/// Panics on more than 128 operations; the set of those done is a bit mask.
pub(crate) fn explains(history: &[Event], departure: Departure) -> bool {
    assert!(history.len() <= 128, "{} operations", history.len());
    let mut seen = HashSet::new();
    // Each entry: the operations done, and what they left.
    let mut open: Vec<(u128, Held)> = vec![(0, None)];
    while let Some((done, held)) = open.pop() {
        if done.count_ones() as usize == history.len() {
            return true;
        }
        let left = || (0..history.len()).filter(move |number| done & (1 << number) == 0);
        let first_return = left().map(|number| history[number].returned).min();
        for number in left().filter(|&number| Some(history[number].invoked) <= first_return) {
            for found in found(history, number, held, departure).into_iter().flatten() {
                let next = after(history, number, found).map(|held| (done | (1 << number), held));
                if let Some(next) = next.filter(|next| seen.insert(*next)) {
                    open.push(next);
                }
            }
        }
    }
    false
}

/// What an operation may find, where those before it left `held`.
fn found(history: &[Event], number: usize, held: Held, departure: Departure) -> [Option<Held>; 2] {
    let event = &history[number];
    let (mut may_stay, mut may_go) = (held.is_some(), held.is_none());
    if let Some(writer) = held.map(|writer| &history[writer]) {
        let ttl = writer.action.write().and_then(|write| write.ttl);
        may_stay = ttl.is_none_or(|ttl| event.invoked < writer.returned + ttl);
        may_go = departure == Departure::AnyTime
            || ttl.is_some_and(|ttl| event.returned >= writer.invoked + ttl);
    }
    [may_go.then_some(None), may_stay.then_some(held)]
}

/// What the register holds after an operation that found `held`, if it was answered as it would be.
fn after(history: &[Event], number: usize, held: Held) -> Option<Held> {
    let event = &history[number];
    let written = Some(number);
    let writer = held.and_then(|writer| history[writer].action.write());
    let value = writer.map(|write| write.value);
    let (outcome, after) = match (event.action, value) {
        (Action::Set(_), _) => (Outcome::Done, written),
        (Action::SetIfAbsent(_), None) => (Outcome::Decided(Stored), written),
        (Action::SetIfAbsent(_), Some(_)) => (Outcome::Decided(Exists), held),
        (Action::CompareAndSet(..), None) => (Outcome::Decided(NotFound), None),
        (Action::CompareAndSet(expected, _), Some(value)) if value == expected => {
            (Outcome::Decided(Stored), written)
        }
        (Action::CompareAndSet(..), Some(_)) => (Outcome::Decided(Mismatch), held),
        (Action::Delete, _) => (Outcome::Done, None),
        (Action::Get, _) => (Outcome::Found(value), held),
    };
    (outcome == event.outcome).then_some(after)
}

impl Action {
    /// What it writes, if it does.
    fn write(&self) -> Option<Write> {
        match self {
            Self::Set(write) | Self::SetIfAbsent(write) | Self::CompareAndSet(_, write) => {
                Some(*write)
            }
            Self::Delete | Self::Get => None,
        }
    }
}

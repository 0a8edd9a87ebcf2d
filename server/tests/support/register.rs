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
//! full cache it may be gone at any time. What is gone does not come back. One that is kept beyond
//! its deadline is gone for all but those that take a stale one.

use std::{collections::HashSet, time::Duration};

use tiny_cache_proto::cache::ConditionalCacheStatus::{self, Exists, Mismatch, NotFound, Stored};

/// A value, and the time that it is to be kept; for ever without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) value: u64,
    pub(crate) ttl: Option<Duration>,
    /// How long it is kept beyond that, for those that take a stale one.
    pub(crate) stale: Duration,
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
    /// Takes a stale value, too.
    GetStale,
    /// A step of a counter, which begins at 0 and lives so long from each step on.
    Add(u64, Option<Duration>),
}

/// What it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Decided(ConditionalCacheStatus),
    Found(Option<u64>),
    FoundStale(u64),
    /// What the counter is now.
    Counted(u64),
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

/// What a register holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Held {
    /// The event that wrote it.
    writer: usize,
    /// Whether it was seen to have passed its deadline.
    has_expired: bool,
}

/// What the register holds, if anything.
type Holding = Option<Held>;

/// What an operation may find.
#[derive(Clone, Copy)]
enum Met {
    Nothing,
    Stale(Held),
    Live(Held),
}

/// Whether a register that starts empty can have answered so.
///
/// # Panics
///
/// Panics on more than 128 operations; the set of those done is a bit mask.
pub(crate) fn explains(history: &[Event], departure: Departure) -> bool {
    assert!(history.len() <= 128, "{} operations", history.len());
    let mut seen = HashSet::new();
    // Each entry: the operations done, and what they left.
    let mut open: Vec<(u128, Holding)> = vec![(0, None)];
    while let Some((done, held)) = open.pop() {
        if done.count_ones() as usize == history.len() {
            return true;
        }
        let left = || (0..history.len()).filter(move |number| done & (1 << number) == 0);
        let first_return = left().map(|number| history[number].returned).min();
        for number in left().filter(|&number| Some(history[number].invoked) <= first_return) {
            for met in met(history, number, held, departure).into_iter().flatten() {
                let next = after(history, number, met).map(|held| (done | (1 << number), held));
                if let Some(next) = next.filter(|next| seen.insert(*next)) {
                    open.push(next);
                }
            }
        }
    }
    false
}

/// What an operation may find, where those before it left `held`.
fn met(history: &[Event], number: usize, held: Holding, departure: Departure) -> [Option<Met>; 3] {
    let Some(held) = held else { return [Some(Met::Nothing), None, None] };
    let (event, writer) = (&history[number], &history[held.writer]);
    let Write { ttl, stale, .. } = writer.written().expect("it wrote what is held");
    let may_end = |time| event.returned >= writer.invoked + time;
    let may_last = |time| event.invoked < writer.returned + time;
    let may_live = !held.has_expired && ttl.is_none_or(may_last);
    let may_be_stale = ttl.is_some_and(|ttl| may_end(ttl) && may_last(ttl + stale));
    let may_go = departure == Departure::AnyTime || ttl.is_some_and(|ttl| may_end(ttl + stale));
    [
        may_go.then_some(Met::Nothing),
        may_live.then_some(Met::Live(held)),
        (may_be_stale && !stale.is_zero())
            .then_some(Met::Stale(Held { has_expired: true, ..held })),
    ]
}

/// What the register holds after an operation that met this, if it was answered as it would be.
fn after(history: &[Event], number: usize, met: Met) -> Option<Holding> {
    let event = &history[number];
    let written = Some(Held { writer: number, has_expired: false });
    let value_of = |held: Held| history[held.writer].written().map(|write| write.value);
    let (value, held) = match met {
        Met::Nothing => (None, None),
        Met::Stale(held) => (None, Some(held)),
        Met::Live(held) => (value_of(held), Some(held)),
    };
    let (outcome, after) = match (event.action, value) {
        (Action::Set(_), _) => (Outcome::Done, written),
        (Action::SetIfAbsent(_), None) => (Outcome::Decided(Stored), written),
        (Action::SetIfAbsent(_), Some(_)) => (Outcome::Decided(Exists), held),
        (Action::CompareAndSet(..), None) => (Outcome::Decided(NotFound), held),
        (Action::CompareAndSet(expected, _), Some(value)) if value == expected => {
            (Outcome::Decided(Stored), written)
        }
        (Action::CompareAndSet(..), Some(_)) => (Outcome::Decided(Mismatch), held),
        (Action::Delete, _) => (Outcome::Done, None),
        (Action::Get, _) => (Outcome::Found(value), held),
        (Action::GetStale, _) => match (met, held.and_then(value_of)) {
            (Met::Stale(_), Some(stale)) => (Outcome::FoundStale(stale), held),
            _ => (Outcome::Found(value), held),
        },
        (Action::Add(step, _), _) => (Outcome::Counted(value.unwrap_or(0) + step), written),
    };
    (outcome == event.outcome).then_some(after)
}

impl Event {
    /// What it wrote, if it did.
    fn written(&self) -> Option<Write> {
        match (self.action, self.outcome) {
            (
                Action::Set(write) | Action::SetIfAbsent(write) | Action::CompareAndSet(_, write),
                _,
            ) => Some(write),
            (Action::Add(_, ttl), Outcome::Counted(value)) => {
                Some(Write { value, ttl, stale: Duration::ZERO })
            }
            _ => None,
        }
    }
}

//! Whether what a server returns is what was written: values say whose they are, a ledger
//! knows what became of each write, and a read that no linearizable cache could have
//! answered is a [`Violation`].
//!
//! One [`Ledger`] serves all threads of a process. A lane calls it twice for each key of an
//! operation, before the request is sent and after the reply is there, and keeps [`Findings`]
//! of its own, which are merged at the end:
//!
//! ```
//! use std::time::Instant;
//! use tiny_cache_loadtest::verify::{Begun, Fate, Findings, Ledger, Name};
//!
//! let (ledger, start) = (Ledger::new(0x5eed), Instant::now());
//! let mut findings = Findings::default();
//! let name = Name::new("team", "key-1");
//!
//! // A set, a set-if-absent, an item of a multi-set: send `pending.value`.
//! let pending = ledger.begin_write(name, 512, 60, start.elapsed());
//! let sent = pending.value.clone();
//! findings.wrote(ledger.end_write(pending, Fate::Done, start.elapsed()));
//!
//! // A get, an item of a multi-get: hand over what came back.
//! let begun = Begun::new(name, start.elapsed());
//! findings.read(ledger.judge(begun, Some(&sent[..]), start.elapsed()));
//! assert!(findings.is_clean());
//! ```
//!
//! | operation | before | after |
//! |---|---|---|
//! | get, each key of a multi-get | [`Begun::new`] | [`Ledger::judge`]; nothing if the call failed |
//! | set, set-if-absent, each item of a multi-set | [`Ledger::begin_write`] | [`Ledger::end_write`], always |
//! | compare-and-set | [`Ledger::expected`], [`Ledger::begin_swap`] | [`Ledger::end_write`], always |
//! | delete, each key of a multi-delete | [`Begun::new`] | [`Ledger::end_delete`], always |
//! | whatever sees or makes a version of the server's | [`Begun::new`] | [`Ledger::saw`] besides |
//! | a counter's step | [`Ledger::begin_step`] | [`Ledger::end_step`], if it was made |
//!
//! What the caller promises, for the proof in [`history`] to hold:
//!
//! - All instants are of one monotonic clock, read before the request is sent and after its
//!   reply is there.
//! - A value from [`PendingWrite::value`] is sent once and never again, whatever came of it.
//! - Nobody else writes to the keys during the run. Two processes need namespaces or key
//!   prefixes of their own, and each run a number of its own, drawn at random.
//! - A fate is [`Fate::Done`] or [`Fate::NotDone`] only if the server said so. A
//!   timeout, a broken connection, an error that leaves it open are [`Fate::Unknown`].

pub mod history; // what is known of one key, and the rule that judges a read of it
mod numbers; // what is known of its versions at the server, and of its counter
mod ledger; // all keys, for all threads
mod stamp; // the value that says whose it is
mod name; // a key in its namespace
mod nanos; // an instant of the run
mod violation; // what a server must not do
mod findings; // and how often it did

pub use self::{
    findings::{Findings, KindTally},
    ledger::{Allowed, Begun, Expected, Fate, Judged, Ledger, PendingStep, PendingWrite},
    name::Name,
    nanos::Nanos,
    stamp::{Damage, MIN_SIZE, Stamp},
    violation::{Event, Kind, Reason, Violation, Witness},
};

#[cfg(test)]
mod tests;

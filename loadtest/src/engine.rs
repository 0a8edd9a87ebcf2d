//! Sends requests and counts what becomes of them. A crew of threads, or of processes with
//! threads, plays one course after the other; each thread has a runtime, connections,
//! operations and a tally of its own, and shares the brake alone.
//!
//! `plan → pace → lane → outlet`, and tallies the other way. What a second brought is told
//! while the course goes on.

mod course; // how long, and how requests follow each other
mod plan; // when they are sent
mod alarm; // waking up in time
mod feed; // the accesses of a trace
mod source; // what is sent next
mod pace; // sending at the planned instants, or whenever a slot is free
mod lane; // the way of one request
mod tally; // what became of it
mod second; // and in which second
mod control; // stopping all threads
mod live; // what can be seen meanwhile
mod worker; // the thread around all that
mod process; // or a process, with threads of its own
mod crew; // all of them

pub(crate) use self::{
    control::Control,
    crew::{Crew, LEAD, Parts, Played},
    live::Live,
    process::from_unix,
};
pub use self::{
    control::Stopped,
    course::{Course, Length, Pace},
    feed::{Feed, Reader, Reading},
    live::Seen,
    plan::{Arrivals, HIGHEST_RATE, Plan},
    process::{Said, Share, Told},
    second::Second,
    source::{Job, Supply},
    tally::{CallTally, ErrorTally, Tally, Times, histogram},
    worker::StartError,
};

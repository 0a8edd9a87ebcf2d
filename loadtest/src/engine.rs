//! Sends requests and counts their outcomes. A crew of threads plays one course after the
//! other; each thread owns a runtime, connections, operations and a tally, and shares only
//! the brake.
//!
//! `arrivals → pace → lane → peer`, and tallies the other way. Each second is reported as soon as
//! it is over.

mod course; // how long, and how requests follow each other
mod rate; // how many in a second
mod arrivals; // when they are sent
mod alarm; // waking up in time
mod feed; // the accesses of a trace
mod source; // what is sent next
mod fill; // before and after, whether the cache has the keys
mod pace; // sending at the planned instants, or whenever a slot is free
mod lane; // the way of one request
mod tally; // what became of it
mod second; // and in which second
mod control; // stopping all threads
mod live; // what can be seen meanwhile
mod written; // and which keys are left behind
mod parts; // what all threads go by
mod worker; // the thread around all that
mod crew; // all of them

pub use self::{
    arrivals::{ArrivalKind, Arrivals},
    control::Stopped,
    course::{Course, Length, Pace},
    feed::{Feed, Reader},
    live::Seen,
    rate::{HIGHEST_RATE, InvalidRate, Rate},
    second::Second,
    source::{Job, Supply},
    tally::{CallTally, ErrorTally, Tally, Times},
    worker::StartError,
};
pub(crate) use self::{
    control::Control,
    crew::{Crew, LEAD, Played},
    live::Live,
    parts::CrewParts,
    written::Written,
};

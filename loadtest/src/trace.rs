//! A trace as a stream of accesses, in the order of its rows and in constant memory.
//! Knows which content an access gets; nothing of how accesses are issued.

mod accesses;
mod arc;
mod cache2k;
mod cells;
mod clock;
mod columns;
mod compression;
mod detect;
mod error;
mod findings;
mod format;
mod head;
mod header;
mod input;
mod keys;
mod lines;
mod lirs;
mod made;
mod oracle;
mod reading;
mod records;
mod row;
mod rows;
mod source;
mod spread;
mod state;
mod table;
mod time;
mod twitter;

pub use self::{
    accesses::Trace,
    columns::Columns,
    error::{Excerpt, Problem, TraceError},
    findings::{Odd, Oddity, TraceFindings},
    format::Format,
    input::Meter,
    keys::Keys,
    made::{Make, Style},
    reading::Reading,
    spread::Spread,
    time::TimeUnit,
};
#[cfg(test)]
mod tests;

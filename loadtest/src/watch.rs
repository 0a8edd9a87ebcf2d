//! Shows and writes the figures of a run while it lasts: a view in the terminal or plain lines,
//! files with a row for each second, and a port to scrape. A watcher that fails does not stop the
//! run; the failure is reported at its end.

mod wanted; // what was asked for
mod phase; // what is about to happen
mod passed; // a second that is whole
mod lines; // progress as plain lines
mod screen; // the terminal, and giving it back
mod history; // what the view remembers
mod heat; // its latencies, second by second
mod view; // and what is drawn of that
mod files; // writing while the run goes on
mod csv; // a row for each second
mod hdr_log; // a histogram for each second
mod prometheus; // figures to scrape
mod watchers; // all of these

pub use self::wanted::{Progress, Wanted};
pub(crate) use self::{
    phase::{Goal, Phase},
    screen::give_back,
    watchers::{PERIOD, Watchers},
};

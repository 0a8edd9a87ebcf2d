//! How a trace is to be read.

use std::time::Duration;

use super::{columns::Columns, format::Format, keys::Keys, time::TimeUnit};
use crate::access::Content;

/// How rows become accesses.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The format, or none to find it out.
    pub format: Option<Format>,
    /// Which column of a table is which, or none to ask its header.
    pub columns: Option<Columns>,
    /// What stands between the columns of a table, or none to find it out.
    pub delimiter: Option<u8>,
    /// What times count, or none for seconds and for what a header says.
    pub time_unit: Option<TimeUnit>,
    /// The longest time between two rows; beyond, the trace's time breaks off.
    pub max_gap: Duration,
    /// Whether rows that are broken are left out.
    pub skip_broken: bool,
    /// How keys are made.
    pub keys: Keys,
    /// What a read writes on a miss where the row does not say.
    pub fallback: Content,
}

impl Reading {
    /// The default of the longest time between two rows.
    pub const MAX_GAP: Duration = Duration::from_secs(3600);

    /// Finds everything out by the file, and refuses what is broken.
    pub fn new(keys: Keys, fallback: Content) -> Self {
        Self {
            format: None,
            columns: None,
            delimiter: None,
            time_unit: None,
            max_gap: Self::MAX_GAP,
            skip_broken: false,
            keys,
            fallback,
        }
    }
}

//! Connections that the server ended by itself, by the reason.

use std::sync::Arc;

use crate::sync::{AtomicU64, Ordering};

/// Why a connection was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Retirement {
    /// It had its age.
    Age,
    /// No call was open for the time that is set.
    Idle,
    /// Calls were open when the grace was over, and were cut off.
    Grace,
}

/// How many connections were ended, by all workers together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retirements(Arc<[AtomicU64; 3]>);

impl Retirements {
    pub(super) fn count(&self, why: Retirement) {
        self.0[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many, by the reason's name.
    pub(crate) fn by_reason(&self) -> [(&'static str, u64); 3] {
        [(Retirement::Age, "age"), (Retirement::Idle, "idle"), (Retirement::Grace, "grace")]
            .map(|(why, name)| (name, self.0[why as usize].load(Ordering::Relaxed)))
    }
}

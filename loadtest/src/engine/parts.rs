//! What the threads of a crew share, and none of them changes.

use std::{sync::Arc, time::Duration};

use super::{source::Supply, written::Written};
use crate::peers::Backend;

/// What a crew is made of, and what each of its threads goes by.
pub(crate) struct CrewParts {
    /// How many threads.
    pub threads: usize,
    /// Connections, over all threads.
    pub connections: usize,
    /// What is driven.
    pub backend: Backend,
    /// What to send.
    pub supply: Supply,
    /// Records the keys that may be there, if the run removes them at its end.
    pub written: Option<Arc<Written>>,
    /// How long the origin takes after a miss.
    pub origin: Duration,
    /// The keyspaces, if values are verified.
    pub verify: Option<Vec<String>>,
}

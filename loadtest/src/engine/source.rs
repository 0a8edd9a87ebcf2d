//! What is sent next: an operation that is made up, or the next access of a trace.

use std::{cell::RefCell, sync::Arc, time::Duration};

use super::feed::Feed;
use crate::{
    access::{Access, Action, Content},
    lanes::LaneId,
    workload::{Operation, Workload, WorkloadSpec, Write},
};

/// Where all threads get their operations from.
#[derive(Clone)]
pub enum Supply {
    /// Each makes its own up.
    Made(Box<WorkloadSpec>),
    /// All take from one trace.
    Traced(Arc<Feed>),
}

/// One operation, and where it is from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Job {
    /// What to do.
    pub operation: Operation,
    /// In which of the keyspaces, counted from 0.
    pub space: usize,
    /// The line of the trace that asked for it.
    pub line: Option<u64>,
    /// When the trace has it, since its first access.
    pub at: Option<Duration>,
}

/// Where one thread gets its operations from.
pub(super) enum Source {
    Made(Box<RefCell<Workload>>),
    Traced(Arc<Feed>),
}

impl Source {
    pub(super) fn new(supply: &Supply, lane: LaneId) -> Self {
        match supply {
            Supply::Made(spec) => {
                Self::Made(Box::new(RefCell::new(Workload::new((**spec).clone(), lane))))
            }
            Supply::Traced(feed) => Self::Traced(Arc::clone(feed)),
        }
    }

    /// The next one; none when there are no more.
    pub(super) async fn next(&self) -> Option<Job> {
        match self {
            Self::Made(workload) => {
                let mut workload = workload.borrow_mut();
                let (operation, space) = (workload.next_operation(), workload.next_space());
                Some(Job { operation, space, line: None, at: None })
            }
            Self::Traced(feed) => feed.next().await.map(Job::from),
        }
    }
}

impl From<Access> for Job {
    fn from(access: Access) -> Self {
        let Access { line, at, key, action } = access;
        let write =
            |key, content: Content| Write { key, size: content.size.bytes(), ttl: content.ttl };
        let operation = match action {
            Action::Read(content) => Operation::Fetch(write(key, content)),
            Action::Write(content) => Operation::Set(write(key, content)),
            Action::Delete => Operation::Delete(key),
        };
        Self { operation, space: 0, line: Some(line), at }
    }
}

//! The servers of a ring at one time, and the ring that they make. Never changes; a change of the
//! servers makes another.

use std::sync::Arc;

use super::member::Member;
use crate::ring::{Ring, RingSize};

/// The servers of a ring.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// In the order of their names.
    all: Vec<Arc<Member>>,
    ring: Ring,
}

impl Members {
    /// Servers with distinct names.
    pub(super) fn new(mut all: Vec<Arc<Member>>, size: RingSize) -> Self {
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let named: Vec<_> = all.iter().map(|member| (&*member.name, member.weight)).collect();
        let ring = if named.is_empty() { Ring::default() } else { Ring::new(&named, size) };
        Self { all, ring }
    }

    pub(crate) fn all(&self) -> &[Arc<Member>] {
        &self.all
    }

    /// The server with this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Member>> {
        self.all.iter().find(|member| &*member.name == name)
    }

    /// Whether this very server is one of them.
    pub(super) fn has(&self, member: &Arc<Member>) -> bool {
        self.all.iter().any(|known| Arc::ptr_eq(known, member))
    }

    /// The owner of a hash.
    pub(crate) fn owner(&self, hash: u64) -> Option<&Arc<Member>> {
        self.ring.owner(hash).map(|place| &self.all[place])
    }

    /// The servers in the order in which they inherit a hash, its owner first.
    pub(super) fn heirs(&self, hash: u64) -> impl Iterator<Item = &Arc<Member>> {
        self.ring.heirs(hash).map(|place| &self.all[place])
    }
}

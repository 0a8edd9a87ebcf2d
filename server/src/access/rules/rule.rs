//! One rule: who may do what where.

use super::pattern::Pattern;
use crate::access::{identity::Identity, right::Rights};

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The line on which it begins.
    pub(crate) line: usize,
    pub(crate) identity: Identity,
    pub(super) patterns: Vec<Pattern>,
    pub(crate) rights: Rights,
}

impl Rule {
    /// Its namespaces as a list.
    pub(crate) fn patterns(&self) -> String {
        let all: Vec<_> = self.patterns.iter().map(Pattern::to_string).collect();
        all.join(", ")
    }
}

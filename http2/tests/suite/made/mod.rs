//! Connections that are made from seeds, and what servers make of them.

pub(crate) mod random;
pub(crate) mod blocks;
pub(crate) mod frames;
pub(crate) mod outcome;
pub(crate) mod ours;
pub(crate) mod theirs;
pub(crate) mod explained;

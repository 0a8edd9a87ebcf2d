//! Where the server is in its life, and how a drain ends what would go on for ever.

mod streams;

pub(crate) use self::streams::EndsAtDrain;

/// The phases, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Bound, but not every part is up.
    Starting,
    /// Every part is up.
    Serving,
    /// Told to end: answers what it has, takes nothing new.
    Draining,
}

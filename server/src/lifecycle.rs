//! Where the server is in its life. Whoever answers for its readiness reads it here.

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

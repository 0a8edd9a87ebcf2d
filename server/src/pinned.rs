//! Memory that replies hold beside the store, in the whole process: copies that wait for their
//! readers, and large values that the store no longer has and a reply still holds. What a reply
//! holds of a value that is stored costs nothing more, so a thousand slow readers of one value are
//! no burden. Knows bytes alone; the store, the connections and the replies each say what is theirs.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Of this process and not of one server, as memory is.
static HELD: AtomicUsize = AtomicUsize::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// Bytes from which a value is lent to replies and not copied, and counted here when its store lets
/// go of it.
pub(crate) const LENT_BYTES: usize = 16 << 10;

/// Bytes that are held.
pub(crate) fn held() -> usize {
    HELD.load(Relaxed)
}

/// Calls that were refused because too much was held.
pub(crate) fn refused() -> u64 {
    REFUSED.load(Relaxed)
}

pub(crate) fn count_refused() {
    REFUSED.fetch_add(1, Relaxed);
}

/// Some more are held.
pub(crate) fn add(bytes: usize) {
    HELD.fetch_add(bytes, Relaxed);
}

/// Some are held no more.
pub(crate) fn take_off(bytes: usize) {
    HELD.fetch_sub(bytes, Relaxed);
}

/// How far the bytes that are held may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PinnedLimit(pub(crate) usize);

/// How short the room is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pressure {
    None,
    /// More is held than the limit.
    Over,
    /// More than twice the limit.
    FarOver,
}

impl PinnedLimit {
    pub(crate) fn pressure(self) -> Pressure {
        match held() {
            held if held <= self.0 => Pressure::None,
            held if held / 2 <= self.0 => Pressure::Over,
            _ => Pressure::FarOver,
        }
    }
}

/// What one connection holds, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Share(usize);

impl Share {
    /// It holds so many now.
    #[inline]
    pub(crate) fn set(&mut self, bytes: usize) {
        if bytes != self.0 {
            add(bytes);
            take_off(std::mem::replace(&mut self.0, bytes));
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// A large copy that is handed on by reference, and counted until the last is gone.
#[derive(Debug)]
pub(crate) struct Copied(Vec<u8>);

impl Copied {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        add(bytes.capacity());
        Self(bytes)
    }
}

impl AsRef<[u8]> for Copied {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        take_off(self.0.capacity());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Other tests of this process hold some, too: only what is far above theirs is told apart.
    const MUCH: usize = 1 << 40;

    #[test]
    fn what_a_connection_holds_goes_with_it() {
        let mut share = Share::default();
        share.set(MUCH);
        share.set(2 * MUCH);
        assert_eq!(PinnedLimit(3 * MUCH).pressure(), Pressure::None);
        assert_eq!(PinnedLimit(MUCH + MUCH / 2).pressure(), Pressure::Over);
        assert_eq!(PinnedLimit(MUCH / 2).pressure(), Pressure::FarOver);
        drop(share);
        assert!(held() < MUCH);
    }
}

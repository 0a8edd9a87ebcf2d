//! Flow control (RFC 9113, 5.2 and 6.9): what may be sent, and what may be received. Knows
//! numbers of bytes alone.

/// The largest window.
pub(crate) const MAX_WINDOW: u32 = (1 << 31) - 1;

/// A window before the first SETTINGS.
pub(crate) const DEFAULT_WINDOW: u32 = (1 << 16) - 1;

/// A window grew beyond [`MAX_WINDOW`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// What may be sent before the peer allows more. It is negative where the peer has reduced the
/// initial size while bytes were under way (RFC 9113, 6.9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SendWindow(i32);

impl SendWindow {
    pub(crate) fn new(bytes: u32) -> Self {
        debug_assert!(bytes <= MAX_WINDOW);
        Self(bytes as i32)
    }

    /// Bytes that may be sent.
    #[inline]
    pub(crate) fn available(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    /// Takes bytes that were available.
    #[inline]
    pub(crate) fn take(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.available());
        self.0 -= bytes as i32;
    }

    /// Adds what the peer allows, or the difference of two initial sizes.
    pub(crate) fn shift(&mut self, difference: i64) -> Result<(), Overflow> {
        self.0 = i32::try_from(i64::from(self.0) + difference).map_err(|_| Overflow)?;
        Ok(())
    }
}

/// What the peer may send, and what the owner has taken of it that is not announced yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReceiveWindow {
    /// What the peer may send yet.
    left: i32,
    /// What was taken and is not announced.
    unannounced: u32,
}

impl ReceiveWindow {
    pub(crate) fn new(bytes: u32) -> Self {
        debug_assert!(bytes <= MAX_WINDOW);
        Self { left: bytes as i32, unannounced: 0 }
    }

    /// Counts bytes that came. Fails if they are more than was allowed.
    #[inline]
    pub(crate) fn receive(&mut self, bytes: usize) -> Result<(), Overflow> {
        match i32::try_from(bytes).ok().and_then(|bytes| self.left.checked_sub(bytes)) {
            Some(left) if left >= 0 || bytes == 0 => {
                self.left = left;
                Ok(())
            }
            _ => Err(Overflow),
        }
    }

    /// Whether so little is left that the peer may be waiting for more.
    pub(crate) fn is_low(self, size: u32) -> bool {
        self.left < (size / 4) as i32
    }

    /// Takes bytes back from the owner. Returns the increment to announce, once it is half of
    /// `size`: one frame for each message would cost more than the message.
    #[inline]
    pub(crate) fn release(&mut self, bytes: u32, size: u32) -> Option<u32> {
        self.unannounced += bytes;
        if self.unannounced < size.div_ceil(2).max(1) {
            return None;
        }
        self.left += self.unannounced as i32;
        Some(std::mem::take(&mut self.unannounced))
    }

    /// Adds the difference of two sizes, when the peer has acknowledged the second.
    pub(crate) fn shift(&mut self, difference: i32) {
        self.left += difference;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_send_window_may_be_negative_and_may_not_overflow() {
        let mut window = SendWindow::new(100);
        window.take(60);
        window.shift(-100).unwrap();
        assert_eq!((window, window.available()), (SendWindow(-60), 0));
        window.shift(i64::from(MAX_WINDOW)).unwrap();
        window.shift(60).unwrap();
        assert_eq!(window.shift(1), Err(Overflow));
        assert_eq!(window.available(), MAX_WINDOW as usize);
    }

    #[test]
    fn what_exceeds_a_receive_window_is_refused() {
        let mut window = ReceiveWindow::new(10);
        assert_eq!(window.receive(10), Ok(()));
        assert_eq!(window.receive(0), Ok(()));
        assert_eq!(window.receive(1), Err(Overflow));
        assert_eq!(window.receive(usize::MAX), Err(Overflow));
        assert_eq!(window.release(4, 10), None);
        assert_eq!(window.release(1, 10), Some(5));
        assert_eq!(window.receive(5), Ok(()));
    }

    proptest! {
        /// Whatever is received and released, what the peer may send and what is not announced
        /// add up to the size, less what the owner holds.
        #[test]
        fn no_byte_of_a_window_is_lost(
            size in 1..100_000u32,
            steps in proptest::collection::vec((any::<bool>(), 0..100_000u32), 0..100),
        ) {
            let mut window = ReceiveWindow::new(size);
            let (mut held, mut peer) = (0, size);
            for (receives, bytes) in steps {
                if receives {
                    let bytes = bytes.min(peer);
                    prop_assert_eq!(window.receive(bytes as usize), Ok(()));
                    (held, peer) = (held + bytes, peer - bytes);
                } else {
                    let bytes = bytes.min(held);
                    held -= bytes;
                    peer += window.release(bytes, size).unwrap_or(0);
                }
                prop_assert_eq!(window.left as u32, peer);
                prop_assert_eq!(peer + held + window.unannounced, size);
                // A peer that has nothing left can count on an announcement.
                prop_assert!(peer > 0 || held > 0);
            }
        }
    }
}

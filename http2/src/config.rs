//! What an owner decides about its connections. Made once and shared by all of them.

use std::time::Duration;

use crate::{
    flow::{DEFAULT_WINDOW, MAX_WINDOW},
    head::{Head, Lane, MAX_LIST_BYTES},
    names::Names,
};

/// What connections read of a request, and how far they go.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) names: Names,
    pub(crate) lane: fn(&Head) -> Lane,
    pub(crate) limits: Limits,
}

impl Config {
    /// A configuration that reads the fields called `names`, in lower case, and asks `lane` for
    /// each request how its body is to come. When it is asked, the pseudo-header fields are
    /// there, and no others.
    ///
    /// # Panics
    /// If there are more than [`MAX_KEPT`](crate::MAX_KEPT) names.
    #[must_use]
    pub fn new(names: &[&str], lane: fn(&Head) -> Lane, limits: Limits) -> Self {
        Self { names: Names::new(names), lane, limits: limits.clamped() }
    }

    /// Refuses values with white space around them, as RFC 9113 wants (8.2.1). gRPC allows its
    /// clients to send them and its servers to trim them, so they are taken otherwise.
    #[must_use]
    pub fn strict(self) -> Self {
        Self { names: self.names.strict(), ..self }
    }
}

/// Bounds of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests at a time. More are refused, and may be repeated.
    pub streams: u32,
    /// Bytes of a request's fields (RFC 9113, 6.5.2); 65,535 at most. A larger request becomes
    /// an [`Event::TooLarge`](crate::Event::TooLarge).
    pub header_list_bytes: u32,
    /// What a peer may send on one stream before its owner has taken it.
    pub stream_window: u32,
    /// What a peer may send on all streams before their owners have taken it; 65,535 at least.
    pub connection_window: u32,
    /// Bytes of a body that is delivered whole. With more it is delivered as a stream.
    pub gather_bytes: usize,
    /// Time for such a body to arrive. With less speed it is delivered as a stream.
    pub gather_time: Duration,
    /// Bytes of replies that wait for the peer, beyond which no further request is delivered.
    pub pinned_bytes: usize,
    /// From the first look at the connection until preface and SETTINGS have come.
    pub handshake_time: Duration,
    /// Silence after which the peer is pinged.
    pub ping_interval: Duration,
    /// Silence after that ping with which the peer is taken for gone.
    pub ping_timeout: Duration,
    /// From the beginning of a header block, or of a frame that is not DATA, until the rest of it
    /// has come.
    pub block_time: Duration,
    /// Time in which the peer must take 16 KiB of what waits for it, or all, and in which the rest
    /// of a DATA frame that has begun must come.
    pub stall_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 256,
            header_list_bytes: MAX_LIST_BYTES,
            stream_window: 64 << 10,
            connection_window: 1 << 20,
            gather_bytes: 64 << 10,
            gather_time: Duration::from_millis(100),
            pinned_bytes: 8 << 20,
            handshake_time: Duration::from_secs(10),
            ping_interval: Duration::from_secs(60),
            ping_timeout: Duration::from_secs(20),
            block_time: Duration::from_secs(10),
            stall_time: Duration::from_secs(60),
        }
    }
}

impl Limits {
    fn clamped(self) -> Self {
        Self {
            header_list_bytes: self.header_list_bytes.min(MAX_LIST_BYTES),
            stream_window: self.stream_window.min(MAX_WINDOW),
            connection_window: self.connection_window.clamp(DEFAULT_WINDOW, MAX_WINDOW),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_lists_stay_within_what_http2_and_a_head_can_hold() {
        let limits = Limits {
            header_list_bytes: u32::MAX,
            stream_window: u32::MAX,
            connection_window: 0,
            ..Limits::default()
        };
        let Limits { header_list_bytes, stream_window, connection_window, .. } =
            Config::new(&[], |_| Lane::Whole, limits).strict().limits;
        assert_eq!(
            (header_list_bytes, stream_window, connection_window),
            (MAX_LIST_BYTES, MAX_WINDOW, DEFAULT_WINDOW)
        );
    }
}

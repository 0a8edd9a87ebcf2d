//! What a connection may take, and for how long, whichever engine speaks HTTP/2 on it.

use std::{net::SocketAddr, time::Duration};

use tiny_cache_http2::Patience;

use super::{fault::Faults, retirement::Retirements};
use crate::pinned::{PinnedLimit, Pressure};

/// What a peer may send on one stream before we have read it.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 64 << 10;

/// HTTP/2's largest window.
const LARGEST_WINDOW_BYTES: u32 = (1 << 31) - 1;

/// Metadata that a request may carry, in bytes as HPACK counts them. The services refuse more,
/// with a status that gRPC's clients can read.
pub(crate) const HEADER_LIST_BYTES: usize = 16 << 10;

/// After this long without a word from the peer it is pinged, and after
/// [`PING_TIMEOUT`] without an answer it is gone.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(60);
pub(super) const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a drained connection stays half open for the peer to close it. Closed while
/// something of the peer's lies unread, it would be reset, and a peer that is just writing
/// gives up on replies that it has not read yet.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// How long a drain waits for a moment without an open call before it says GOAWAY.
pub(crate) const QUIET_TIMEOUT: Duration = Duration::from_millis(100);

/// Whom a connection is with, and where what goes wrong with it is counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    /// The other end, where the socket knows it.
    pub(crate) addr: Option<SocketAddr>,
    /// The counts of this worker's server.
    pub(crate) faults: Faults,
    pub(crate) retirements: Retirements,
}

/// What may be set about a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Requests at a time.
    pub(crate) max_concurrent_streams: u32,
    /// From accept until the preface has come.
    pub(crate) handshake_timeout: Duration,
    /// From the beginning of a drain until GOAWAY, while requests are in flight.
    pub(crate) quiet_timeout: Duration,
    /// What replies may hold in all before peers are granted less.
    pub(crate) pinned: PinnedLimit,
    /// After which a connection is ended; none: never.
    pub(crate) max_age: Option<Duration>,
    /// Without a call, likewise.
    pub(crate) max_idle: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 256,
            handshake_timeout: Duration::from_secs(10),
            quiet_timeout: QUIET_TIMEOUT,
            pinned: PinnedLimit(usize::MAX),
            max_age: None,
            max_idle: None,
        }
    }
}

impl Limits {
    /// What peers that do not take their replies are granted now. A peer whose stream has a window
    /// of a mebibyte and that reads 64 KiB a second says so every eight seconds.
    pub(super) fn patience(pressure: Pressure) -> Patience {
        let (seconds, pinned_bytes) = match pressure {
            Pressure::None => (60, 8 << 20),
            Pressure::Over => (10, 16 << 10),
            Pressure::FarOver => (2, 4 << 10),
        };
        Patience { stall_time: Duration::from_secs(seconds), pinned_bytes }
    }
}

/// What a peer may send on all streams together before we have read it: a window for each
/// stream, and one more. With less, streams that wait for their turn to be read could hold
/// all of it, and the stream whose turn it is could not send its rest.
pub(super) fn connection_window(streams: u32) -> u32 {
    STREAM_WINDOW_BYTES.saturating_mul(streams.saturating_add(1)).min(LARGEST_WINDOW_BYTES)
}

//! What the connections of a worker share.

use std::{
    cell::RefCell,
    sync::Arc,
    time::{Duration, Instant},
};

use tiny_cache_http2::{self as http2, Config, Connection, Head, Lane, Workspace};

use super::answers::Answers;
use crate::pinned::Pressure;
use crate::transport::limits::{
    Limits, PING_INTERVAL, PING_TIMEOUT, STREAM_WINDOW_BYTES, connection_window,
};

/// Bytes that are read at a time. A turn answers no more than what they hold, which for the
/// smallest requests takes about a millisecond.
const READ_BYTES: usize = 32 << 10;

/// How long the body of a small request may follow its head before the request is taken for one
/// that comes slowly. Clients that write both apart have sent the second by then; and from then on
/// the request counts as under way.
const GATHER_TIME: Duration = Duration::from_millis(2);

/// What the connections of a worker share.
pub(crate) struct Engine {
    config: Arc<Config>,
    pub(super) limits: Limits,
    pub(super) buffers: RefCell<Buffers>,
}

pub(super) struct Buffers {
    pub(super) input: Box<[u8]>,
    pub(super) work: Workspace,
}

impl Engine {
    /// The engine of a worker whose requests `A` answers and come on the lane that `lane` chooses,
    /// such as [`Answers::lane`].
    pub(crate) fn new<A: Answers>(lane: fn(&Head) -> Lane, limits: Limits) -> Self {
        let patience = Limits::patience(Pressure::None);
        let bounds = http2::Limits {
            streams: limits.max_concurrent_streams,
            stream_window: STREAM_WINDOW_BYTES,
            connection_window: connection_window(limits.max_concurrent_streams),
            gather_bytes: STREAM_WINDOW_BYTES as usize,
            gather_time: GATHER_TIME,
            handshake_time: limits.handshake_timeout,
            block_time: limits.handshake_timeout,
            stall_time: patience.stall_time,
            pinned_bytes: patience.pinned_bytes,
            ping_interval: PING_INTERVAL,
            ping_timeout: PING_TIMEOUT,
            ..http2::Limits::default()
        };
        let config = Arc::new(Config::new(A::NAMES, lane, bounds));
        let input = vec![0; READ_BYTES].into_boxed_slice();
        Self {
            config,
            limits,
            buffers: RefCell::new(Buffers { input, work: Workspace::default() }),
        }
    }

    /// A connection that was accepted at `opened`.
    pub(super) fn accept(&self, opened: Instant) -> Connection {
        Connection::server(self.config.clone(), opened)
    }
}

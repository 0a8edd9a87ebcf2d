//! What a connection knows, and what its owner can ask of it.

use std::{collections::VecDeque, io::IoSlice, sync::Arc, time::Instant};

use super::{block::OpenBlock, clock::Clock};
use crate::{
    config::Config,
    error::{Code, ConnectionError},
    event::Workspace,
    flood::Budgets,
    flow::{DEFAULT_WINDOW, ReceiveWindow, SendWindow},
    frame::{self, MAX_PAYLOAD_BYTES, setting},
    hpack::Decoder,
    names::Class,
    output::Output,
    patience::Patience,
    preface::Preface,
    stream::Streams,
};

/// Output at which no more is read, and no more replies are cut into frames: a peer that does
/// not read what it asked for must stop asking.
pub(super) const OUTPUT_BYTES: usize = 256 << 10;

/// How far a connection is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    Preface(Preface),
    /// The first frame must be SETTINGS.
    Settings,
    Open,
    Failed(ConnectionError),
}

/// How far a drain is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Drain {
    None,
    /// The first GOAWAY was sent, at this time.
    Announced(Instant),
    /// This stream was named as the last. Those beyond are ignored.
    Final(u32),
}

/// What the peer has set.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerSettings {
    pub(super) initial_window: u32,
    pub(super) max_payload: usize,
    /// Whether the peer has restricted the encoder's table, which this side does not use, and
    /// is to hear of it in the next header block.
    pub(super) owes_table_size: bool,
}

/// One connection, from its first byte to its last, in the server's role.
///
/// Bytes that came go into [`receive`](Self::receive), until it returns no event. What is
/// to be sent is in [`output`](Self::output), and [`consumed`](Self::consumed) reports how much
/// of it was written. By [`deadline`](Self::deadline) at the latest `receive` is called again,
/// without bytes if none came.
#[derive(Debug)]
pub struct Connection {
    pub(super) config: Arc<Config>,
    pub(super) phase: Phase,
    /// The beginning of a frame whose rest is to come.
    pub(super) held: Vec<u8>,
    /// A header block whose rest is to come.
    pub(super) block: Option<Box<OpenBlock>>,
    pub(super) decoder: Decoder<Class>,
    pub(super) streams: Streams,
    /// Streams that are gathered and can be delivered, in that order.
    pub(super) ready: VecDeque<u32>,
    pub(super) receive_window: ReceiveWindow,
    pub(super) send_window: SendWindow,
    pub(super) peer: PeerSettings,
    /// Whether the peer has acknowledged our SETTINGS.
    pub(super) acknowledged: bool,
    pub(super) output: Output,
    /// Streams that have something to send, and how many bytes.
    pub(super) senders: usize,
    pub(super) queued: usize,
    /// Bytes of these that were copied; all of a stream's until the last of them is sent.
    pub(super) copied: usize,
    pub(super) patience: Patience,
    /// Streams that were given up because their replies were not taken, of which the owner is to
    /// hear.
    pub(super) stalled: Vec<u32>,
    pub(super) budgets: Budgets,
    pub(super) clock: Clock,
    pub(super) drain: Drain,
}

impl Connection {
    /// A connection that a client has opened at `now`. The output holds this side's SETTINGS.
    #[must_use]
    pub fn server(config: Arc<Config>, now: Instant) -> Self {
        let limits = &config.limits;
        let mut output = Output::default();
        let parameters = [
            (setting::MAX_CONCURRENT_STREAMS, limits.streams),
            (setting::INITIAL_WINDOW_SIZE, limits.stream_window),
            (setting::MAX_HEADER_LIST_SIZE, limits.header_list_bytes),
        ];
        frame::put_settings(output.buffer(), &parameters);
        if limits.connection_window > DEFAULT_WINDOW {
            let more = limits.connection_window - DEFAULT_WINDOW;
            frame::put_window_update(output.buffer(), 0, more);
        }
        Self {
            phase: Phase::Preface(Preface::default()),
            held: Vec::new(),
            block: None,
            decoder: Decoder::new(),
            streams: Streams::new(),
            ready: VecDeque::new(),
            receive_window: ReceiveWindow::new(limits.connection_window),
            send_window: SendWindow::new(DEFAULT_WINDOW),
            peer: PeerSettings {
                initial_window: DEFAULT_WINDOW,
                max_payload: MAX_PAYLOAD_BYTES,
                owes_table_size: false,
            },
            acknowledged: false,
            output,
            senders: 0,
            queued: 0,
            copied: 0,
            patience: Patience { stall_time: limits.stall_time, pinned_bytes: limits.pinned_bytes },
            stalled: Vec::new(),
            budgets: Budgets::new(now),
            clock: Clock::new(now),
            drain: Drain::None,
            config,
        }
    }

    /// Puts what is to be written into `slices`, as far as they go, and returns how many were
    /// used. None means that there is nothing to write now.
    pub fn output<'a>(&'a mut self, slices: &mut [IoSlice<'a>]) -> usize {
        self.pump();
        self.output.slices(slices)
    }

    /// Whether there is something to write.
    #[must_use]
    pub fn has_output(&mut self) -> bool {
        self.pump();
        self.output.len() > 0
    }

    /// The first `bytes` of the output were written.
    pub fn consumed(&mut self, bytes: usize, now: Instant, work: &mut Workspace) {
        self.output.consume(bytes);
        self.output.give_back(&mut work.output);
        self.clock.wrote(bytes, self.is_stuck(), now);
    }

    /// Whether [`receive`](Self::receive) takes more bytes. It does not while the peer leaves
    /// too much of the output unread, and after the end.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        !matches!(self.phase, Phase::Failed(_)) && self.output.len() < OUTPUT_BYTES
    }

    /// Whether preface and SETTINGS have come.
    #[must_use]
    pub fn is_established(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Streams that are open: requests that are arriving, in work or being answered.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// The last stream that the peer has opened, or 0.
    #[must_use]
    pub fn last_stream(&self) -> u32 {
        self.streams.last()
    }

    /// Bytes of replies that wait for the peer: lent to the output, or held back by a window.
    #[must_use]
    pub fn pinned_bytes(&self) -> usize {
        self.output.lent_bytes() + self.queued
    }

    /// Ends the connection now, with a GOAWAY that says why. Streams that are open are lost.
    pub fn close(&mut self, code: Code, reason: &'static str) {
        self.fail(ConnectionError::coded(code, reason));
    }

    pub(super) fn fail(&mut self, error: ConnectionError) {
        // Whatever does not speak HTTP/2 would not understand it.
        if !matches!(self.phase, Phase::Preface(_) | Phase::Failed(_)) {
            let last = self.streams.last();
            frame::put_goaway(self.output.buffer(), last, error.code, error.reason);
        }
        self.phase = Phase::Failed(error);
        self.drop_all();
    }

    /// Forgets all streams: nothing that waits for a window will be sent.
    fn drop_all(&mut self) {
        self.streams = Streams::after(&self.streams);
        self.ready = VecDeque::new();
        (self.senders, self.queued, self.copied) = (0, 0, 0);
        self.stalled = Vec::new();
        self.held = Vec::new();
        self.block = None;
    }

    pub(super) fn is_sending(&self) -> bool {
        self.output.len() > 0 || self.senders > 0
    }
}

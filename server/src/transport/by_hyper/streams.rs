//! Which streams of a connection are open, by the frames that pass, and which the HTTP/2
//! library has refused. The library exposes neither.

use std::time::Instant;

use tiny_cache_http2::{ConnectionError, Floods};

use super::frames::{DATA, END_STREAM, HEADERS, Head, RST_STREAM};
use crate::transport::farewell::Calls;

/// Open streams that are followed. No peer may open as many; one that tries to is refused
/// stream by stream.
const MOST: usize = 1 << 14;

/// A stream that the library reset because of what the peer had sent. No service saw it, or
/// the service saw its request break off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) stream: u32,
    /// HTTP/2's error code.
    pub(super) code: u32,
}

/// The streams of one connection, as the peer sees them.
#[derive(Debug)]
pub(super) struct Streams {
    open: Vec<Open>,
    last: u32,
    /// Frames that came so far.
    frames: u64,
    floods: Floods,
    /// Set when the peer has sent too much of something.
    flood: Option<ConnectionError>,
    pongs: u32,
    refused: Vec<Refused>,
}

/// A stream that is open.
#[derive(Debug)]
struct Open {
    id: u32,
    /// Whether its reply has begun.
    begun: bool,
    /// Bytes of the reply that were sent.
    sent: usize,
}

/// Bytes from which a reply may be a large one, and not a stream on which little is said at a time.
const LARGE: usize = 16 << 10;

impl Default for Streams {
    fn default() -> Self {
        Self {
            open: Vec::new(),
            last: 0,
            frames: 0,
            floods: Floods::new(now()),
            flood: None,
            pongs: 0,
            refused: Vec::new(),
        }
    }
}

/// The time on the clock that timers go by.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Streams {
    /// Something is read, some time after the last.
    pub(super) fn refill(&mut self) {
        self.floods.refill(now());
    }

    /// Why the connection is to end, if the peer floods.
    pub(super) fn flood(&self) -> Option<ConnectionError> {
        self.flood
    }

    /// Frames that came so far.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether a reply has begun that may be large.
    pub(super) fn is_replying(&self) -> bool {
        self.open.iter().any(|open| open.begun && (open.sent == 0 || open.sent >= LARGE))
    }

    fn counted(&mut self, counted: Result<(), ConnectionError>) {
        if let Err(flood) = counted {
            self.flood.get_or_insert(flood);
        }
    }

    /// A frame came from the peer.
    pub(super) fn received(&mut self, head: Head) {
        self.frames += 1;
        let counted = self.floods.received(head.kind, head.flags, head.length);
        self.counted(counted);
        match head.kind {
            // Not the trailers of one that is open.
            HEADERS if head.stream > self.last => {
                self.last = head.stream;
                if self.open.len() < MOST {
                    self.open.push(Open { id: head.stream, begun: false, sent: 0 });
                }
            }
            RST_STREAM => self.close(head.stream),
            _ => {}
        }
    }

    /// A frame went to the peer, with its error code where it is RST_STREAM.
    pub(super) fn sent(&mut self, head: Head, code: u32) {
        self.floods.sent(head.kind, head.flags, head.length);
        match head.kind {
            DATA | HEADERS if head.has(END_STREAM) => self.close(head.stream),
            RST_STREAM => {
                self.close(head.stream);
                if is_refusal(code) {
                    let counted = self.floods.faulted();
                    self.counted(counted);
                    self.refused.push(Refused { stream: head.stream, code });
                }
            }
            DATA | HEADERS => {
                if let Some(open) = self.open.iter_mut().find(|open| open.id == head.stream) {
                    open.begun = true;
                    open.sent += if head.kind == DATA { head.length } else { 0 };
                }
            }
            _ => {}
        }
    }

    /// The peer has answered the PING of the farewell.
    pub(super) fn pong(&mut self) {
        self.pongs += 1;
    }

    /// How often it did so.
    pub(super) fn pongs(&self) -> u32 {
        self.pongs
    }

    /// Whether every request that came has been answered, and which was the last.
    pub(super) fn calls(&self) -> Calls {
        Calls { none_open: self.open.is_empty(), last: self.last }
    }

    /// The streams that were refused since this was last asked.
    pub(super) fn take_refused(&mut self) -> Vec<Refused> {
        std::mem::take(&mut self.refused)
    }

    fn close(&mut self, stream: u32) {
        // Few are open, and the oldest are mostly answered first.
        if let Some(place) = self.open.iter().position(|open| open.id == stream) {
            self.open.swap_remove(place);
        }
    }
}

/// Whether an error code says that the peer's request was refused. Not among them are the codes
/// that hyper sends for us (NO_ERROR, INTERNAL_ERROR, CANCEL), and STREAM_CLOSED, which answers
/// a frame that crossed the end of its stream.
fn is_refusal(code: u32) -> bool {
    !matches!(code, 0 | 2 | 5 | 8)
}

/// The name of an error code (RFC 9113, 7).
pub(super) fn code_name(code: u32) -> &'static str {
    match code {
        1 => "PROTOCOL_ERROR",
        3 => "FLOW_CONTROL_ERROR",
        6 => "FRAME_SIZE_ERROR",
        7 => "REFUSED_STREAM",
        9 => "COMPRESSION_ERROR",
        11 => "ENHANCE_YOUR_CALM",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(kind: u8, flags: u8, stream: u32) -> Head {
        Head { length: 0, kind, flags, stream }
    }

    #[test]
    fn a_stream_is_open_until_either_side_ends_it() {
        let mut streams = Streams::default();
        for stream in [1, 3, 5, 7] {
            streams.received(head(HEADERS, 0, stream));
        }
        // The end of a request is not the end of its stream, and trailers open none.
        streams.received(head(HEADERS, END_STREAM, 1));
        streams.sent(head(HEADERS, 0, 1), 0);
        streams.sent(head(DATA, END_STREAM, 1), 0);
        streams.sent(head(HEADERS, END_STREAM, 3), 0);
        streams.received(head(RST_STREAM, 0, 5));
        assert!(!streams.calls().none_open);
        streams.sent(head(RST_STREAM, 0, 7), 8);
        assert!(streams.calls().none_open);
        assert_eq!(streams.take_refused(), []);
    }

    #[test]
    fn a_reset_for_the_peers_fault_is_a_refusal() {
        let mut streams = Streams::default();
        for code in 0..=13 {
            streams.sent(head(RST_STREAM, 0, 1), code);
        }
        let codes: Vec<_> = streams.take_refused().iter().map(|refused| refused.code).collect();
        assert_eq!(codes, [1, 3, 4, 6, 7, 9, 10, 11, 12, 13]);
        assert_eq!(streams.take_refused(), []);
    }
}

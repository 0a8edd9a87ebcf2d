//! The end of a connection by agreement (RFC 9113, 6.8), and pings.
//!
//! The first GOAWAY allows every stream and asks for no more of them; what was under way then
//! has come when a PING behind it is answered, and the second GOAWAY names the last stream. No
//! request is lost so.

use std::time::Instant;

use super::{
    clock::ALIVE,
    state::{Connection, Drain, Phase},
};
use crate::{error::Code, flow::MAX_WINDOW, frame};

/// What the PING behind the first GOAWAY carries.
const DRAINED: [u8; 8] = *b"\0drained";

/// The largest number of a stream.
const ANY_STREAM: u32 = MAX_WINDOW;

impl Connection {
    /// Ends the connection when the requests that are open, or under way, are answered.
    pub fn drain(&mut self, now: Instant) {
        if !matches!((self.drain, self.phase), (Drain::None, Phase::Settings | Phase::Open)) {
            return;
        }
        self.drain = Drain::Announced(now);
        frame::put_goaway(self.output.buffer(), ANY_STREAM, Code::NO_ERROR, "");
        frame::put_ping(self.output.buffer(), 0, DRAINED);
    }

    /// Whether the connection is over and everything is written, so that it can be closed: after
    /// a drain, or after an error.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let is_over = match (self.phase, self.drain) {
            (Phase::Failed(_), _) => true,
            (_, Drain::Final(_)) => self.streams.len() == 0,
            (_, Drain::None | Drain::Announced(_)) => false,
        };
        is_over && self.output.len() == 0
    }

    /// Sends a PING, whose answer is an [`Event::Pong`](crate::Event::Pong).
    pub fn ping(&mut self, payload: [u8; 8]) {
        frame::put_ping(self.output.buffer(), 0, payload);
    }

    /// A PING was answered. Returns whether it was the owner's.
    pub(super) fn on_pong(&mut self, payload: [u8; 8]) -> bool {
        if payload == DRAINED && matches!(self.drain, Drain::Announced(_)) {
            self.finish_drain();
        }
        payload != DRAINED && payload != ALIVE
    }

    /// Whether a stream is beyond the last that will be served.
    #[inline]
    pub(super) fn is_beyond_end(&self, id: u32) -> bool {
        matches!(self.drain, Drain::Final(last) if id > last)
    }

    pub(super) fn finish_drain(&mut self) {
        let last = self.streams.last();
        self.drain = Drain::Final(last);
        frame::put_goaway(self.output.buffer(), last, Code::NO_ERROR, "");
    }
}

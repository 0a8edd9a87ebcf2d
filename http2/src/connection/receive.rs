//! Bytes to frames to events. A frame is handled when it is complete; what comes before that is
//! held, and nothing else is copied.

use std::time::Instant;

use super::state::{Connection, OUTPUT_BYTES, Phase};
use crate::{
    error::{Code, ConnectionError, ErrorKind},
    event::{Event, Found, Place, Workspace},
    frame::{self, ACK, HEAD_BYTES, Head, Kind, MAX_PAYLOAD_BYTES},
    head::Lane,
    stream::Intake,
};

/// Memory that a connection keeps for the beginnings of frames. Small ones are cut off at the
/// end of nearly every read, and cost no allocation then.
const KEPT_HELD: usize = 256;

/// What the handlers of one turn share.
pub(super) struct Turn<'t, 'i> {
    /// What follows the frame at hand.
    pub(super) input: &'t mut &'i [u8],
    pub(super) now: Instant,
    pub(super) work: &'t mut Workspace,
}

/// A frame and, where it lies whole in the input, its payload.
type Framed<'i> = (Head, Option<&'i [u8]>);

impl Connection {
    /// Takes bytes from the beginning of `input`, and returns the first event that they bring.
    ///
    /// To be called until it returns none: then all of `input` was taken, unless
    /// [`wants_input`](Self::wants_input) is false. `now` may be the same for all calls of a
    /// turn.
    ///
    /// # Errors
    /// [`ConnectionError`] when the connection has ended. What is in the output then should
    /// still be written.
    pub fn receive<'a, 'i: 'a>(
        &mut self,
        input: &mut &'i [u8],
        now: Instant,
        work: &'a mut Workspace,
    ) -> Result<Option<Event<'a>>, ConnectionError> {
        self.output.borrow(&mut work.output);
        let found = self.advance(Turn { input: &mut *input, now, work: &mut *work });
        match found {
            Ok(None) => {
                self.output.give_back(&mut work.output);
                Ok(None)
            }
            Ok(Some(found)) => Ok(Some(found.event(work))),
            Err(error) => {
                self.fail(error);
                *input = &[];
                Err(error)
            }
        }
    }

    fn advance<'i>(
        &mut self,
        mut turn: Turn<'_, 'i>,
    ) -> Result<Option<Found<'i>>, ConnectionError> {
        let now = turn.now;
        if let Phase::Failed(error) = self.phase {
            return Err(error);
        }
        self.tick(now)?;
        if !turn.input.is_empty() {
            self.clock.heard(now);
        }
        if let Phase::Preface(preface) = &mut self.phase {
            let complete = preface.take(turn.input).map_err(|_| ConnectionError {
                kind: ErrorKind::Handshake,
                code: Code::PROTOCOL_ERROR,
                reason: "the peer does not speak HTTP/2",
            })?;
            if !complete {
                return Ok(None);
            }
            self.phase = Phase::Settings;
        }
        loop {
            if let Some(stream) = self.stalled.pop() {
                return Ok(Some(Found::Stalled { stream }));
            }
            if let Some(found) = self.next_ready(turn.work) {
                return Ok(Some(found));
            }
            if self.output.len() >= OUTPUT_BYTES {
                return Ok(None);
            }
            let Some((head, payload)) = self.next_frame(turn.input, &mut turn.work.frame)? else {
                let is_partial = !self.held.is_empty() || self.block.is_some();
                self.clock.is_reading(is_partial, now);
                return Ok(None);
            };
            if let Some(found) = self.take_frame((head, payload), &mut turn)? {
                return Ok(Some(found));
            }
        }
    }

    /// The next frame that is complete. One that came in pieces is left in `frame`.
    #[inline]
    fn next_frame<'i>(
        &mut self,
        input: &mut &'i [u8],
        frame: &mut Vec<u8>,
    ) -> Result<Option<Framed<'i>>, ConnectionError> {
        if self.held.is_empty() {
            if let Some((head, payload, rest)) = frame::whole(input) {
                check_size(head)?;
                *input = rest;
                return Ok(Some((head, Some(payload))));
            }
            if let Some(head) = Head::parse(input) {
                check_size(head)?;
            }
            self.held.extend_from_slice(input);
            *input = &[];
            return Ok(None);
        }
        fill(&mut self.held, input, HEAD_BYTES);
        let Some(head) = Head::parse(&self.held) else { return Ok(None) };
        check_size(head)?;
        let size = HEAD_BYTES + head.length;
        fill(&mut self.held, input, size);
        if self.held.len() < size {
            return Ok(None);
        }
        if self.block.is_none() {
            self.clock.completed();
        }
        std::mem::swap(frame, &mut self.held);
        self.held.clear();
        if self.held.capacity() > KEPT_HELD {
            self.held = Vec::new();
        }
        Ok(Some((head, None)))
    }

    /// Handles a frame, whose payload is in the workspace unless it is given.
    fn take_frame<'i>(
        &mut self,
        (head, payload): Framed<'i>,
        turn: &mut Turn<'_, 'i>,
    ) -> Result<Option<Found<'i>>, ConnectionError> {
        let Some(whole) = payload else {
            let frame = std::mem::take(&mut turn.work.frame);
            let found = self.dispatch(head, &frame[HEAD_BYTES..], turn);
            turn.work.frame = frame;
            return Ok(found?.map(|found| found.resolve(None, HEAD_BYTES)));
        };
        let found = self.dispatch(head, whole, turn)?;
        Ok(found.map(|found| found.resolve(payload, 0)))
    }

    #[inline]
    fn dispatch<'i>(
        &mut self,
        head: Head,
        payload: &[u8],
        turn: &mut Turn<'_, 'i>,
    ) -> Result<Option<Found<'i>>, ConnectionError> {
        if !matches!(self.phase, Phase::Open) {
            if head.kind != Kind::Settings || head.has(ACK) {
                return Err(ConnectionError::protocol("the first frame is not SETTINGS"));
            }
            self.phase = Phase::Open;
        }
        if self.block.is_some() && head.kind != Kind::Continuation {
            return Err(ConnectionError::protocol("a frame within a header block"));
        }
        match head.kind {
            Kind::Headers => self.on_headers(head, payload, turn),
            Kind::Data => self.on_data(head, payload),
            Kind::Continuation => self.on_continuation(head, payload, turn),
            Kind::Settings => self.on_settings(head, payload).map(|()| None),
            Kind::WindowUpdate => self.on_window_update(head, payload),
            Kind::RstStream => self.on_reset(head, payload, turn.work),
            Kind::Ping => self.on_ping(head, payload),
            Kind::GoAway => self.on_goaway(head, payload),
            Kind::Priority => self.on_priority(head, payload),
            Kind::PushPromise => Err(ConnectionError::protocol("a client does not push")),
            Kind::Unknown => self.on_unknown(),
        }
    }

    /// Whether replies wait for the peer to such an extent that no more requests are delivered.
    /// Frames are still handled: they may be what lets the replies go.
    #[inline]
    pub(super) fn is_saturated(&self) -> bool {
        self.pinned_bytes() > self.patience.pinned_bytes
    }

    /// Delivers what is due of the streams that were gathered.
    fn next_ready<'i>(&mut self, work: &mut Workspace) -> Option<Found<'i>> {
        while let Some(&id) = self.ready.front() {
            let saturated = self.is_saturated();
            let Some(stream) = self.streams.find(id) else {
                self.ready.pop_front();
                continue;
            };
            let Intake::Gathering(gather) = &mut stream.intake else {
                self.ready.pop_front();
                continue;
            };
            let (ended, size, came) = (gather.ended, gather.body.len(), gather.since);
            if gather.is_known {
                std::mem::swap(&mut work.body, &mut gather.body);
                stream.intake = if ended { Intake::Ended } else { Intake::Streaming };
                self.ready.pop_front();
                return Some(Found::Data { stream: id, bytes: Place::Gathered, end: ended });
            }
            if saturated {
                return None;
            }
            gather.is_known = true;
            std::mem::swap(&mut work.head, &mut gather.head);
            if gather.lane == Lane::Whole && ended && size <= self.config.limits.gather_bytes {
                std::mem::swap(&mut work.body, &mut gather.body);
                if let Intake::Gathering(gather) =
                    std::mem::replace(&mut stream.intake, Intake::Ended)
                {
                    work.gather = Some(gather);
                }
                let held = std::mem::take(&mut stream.held);
                self.release_connection(held);
                self.ready.pop_front();
                return Some(Found::Request { stream: id, came, body: Place::Gathered });
            }
            if size == 0 {
                stream.intake = if ended { Intake::Ended } else { Intake::Streaming };
                self.ready.pop_front();
            }
            return Some(Found::Head { stream: id, came, end: ended && size == 0 });
        }
        None
    }
}

fn check_size(head: Head) -> Result<(), ConnectionError> {
    if head.length > MAX_PAYLOAD_BYTES {
        return Err(ConnectionError::coded(Code::FRAME_SIZE_ERROR, "a frame is too large"));
    }
    Ok(())
}

/// Moves bytes from the beginning of `input` until `held` has `size`.
fn fill(held: &mut Vec<u8>, input: &mut &[u8], size: usize) {
    let missing = size.saturating_sub(held.len()).min(input.len());
    let (taken, rest) = input.split_at(missing);
    held.extend_from_slice(taken);
    *input = rest;
}

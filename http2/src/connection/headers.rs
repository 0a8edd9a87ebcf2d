//! HEADERS and CONTINUATION: requests and trailers (RFC 9113, 6.2, 6.10 and 8.1).

use std::time::Instant;

use super::{
    block::{OpenBlock, Opening, WRONG_LENGTH},
    receive::Turn,
    state::Connection,
};
use crate::{
    error::{Code, ConnectionError},
    event::{Found, Place, Workspace},
    flood::Nuisance,
    flow::{ReceiveWindow, SendWindow},
    frame::{self, END_HEADERS, END_STREAM, Head, Kind, PADDED},
    head::{Collector, Lane, Section, Verdict},
    stream::{Ending, Expected, Gather, Intake, Stream},
};

/// Bytes of a header block, as it is encoded. A block of more would be refused for its fields
/// in any case, and must be held until it is complete.
const MAX_BLOCK_BYTES: usize = 96 << 10;

/// Frames of a header block. Clients with long metadata send a dozen; frames without a byte
/// would let a block go on for ever (CVE-2024-27316).
const MAX_BLOCK_FRAMES: u16 = 256;

/// What a request with too many fields costs, as faults: a block of 16 KiB may refer to one long
/// field 16,000 times.
fn list_cost(bytes: usize) -> u16 {
    u16::try_from(1 + (bytes >> 20)).unwrap_or(u16::MAX)
}

/// What a block on a stream means.
enum Meaning {
    Request,
    Trailers,
    /// It is decoded, for the table's sake, and dropped.
    Ignored,
    Refused(Code, &'static str),
}

type Handled<'i> = Result<Option<Found<'i>>, ConnectionError>;

impl Connection {
    #[inline]
    pub(super) fn on_headers<'i>(
        &mut self,
        head: Head,
        payload: &[u8],
        turn: &mut Turn<'_, 'i>,
    ) -> Handled<'i> {
        if head.stream == 0 || head.stream.is_multiple_of(2) {
            return Err(ConnectionError::protocol("HEADERS on a stream that no client has"));
        }
        let (fragment, parent) = frame::fragment(head, payload)
            .map_err(|code| ConnectionError::coded(code, "HEADERS with too much padding"))?;
        let opening = Opening {
            stream: head.stream,
            end: head.has(END_STREAM),
            is_own_parent: parent == Some(head.stream),
        };
        if head.has(END_HEADERS) {
            return self.on_block(opening, fragment, turn);
        }
        self.block = Some(Box::new(OpenBlock { opening, bytes: fragment.to_vec(), frames: 1 }));
        Ok(None)
    }

    pub(super) fn on_continuation<'i>(
        &mut self,
        head: Head,
        payload: &[u8],
        turn: &mut Turn<'_, 'i>,
    ) -> Handled<'i> {
        let Some(block) = self.block.as_mut().filter(|block| block.opening.stream == head.stream)
        else {
            return Err(ConnectionError::protocol("CONTINUATION without a header block"));
        };
        block.frames += 1;
        if block.frames > MAX_BLOCK_FRAMES {
            return Err(ConnectionError::flood("a header block in too many frames"));
        }
        if block.bytes.len() + payload.len() > MAX_BLOCK_BYTES {
            return Err(ConnectionError::flood("a header block with too many bytes"));
        }
        block.bytes.extend_from_slice(payload);
        if !head.has(END_HEADERS) {
            return Ok(None);
        }
        let opening = block.opening;
        let bytes = std::mem::take(&mut block.bytes);
        self.block = None;
        self.clock.completed();
        self.on_block(opening, &bytes, turn)
    }

    /// A header block is complete. It is decoded whatever becomes of it: the next one builds
    /// on its table.
    fn on_block<'i>(
        &mut self,
        opening: Opening,
        block: &[u8],
        turn: &mut Turn<'_, 'i>,
    ) -> Handled<'i> {
        let stream = opening.stream;
        let meaning = self.meaning(stream)?;
        let section = match meaning {
            Meaning::Trailers => Section::Trailers,
            _ => Section::Request,
        };
        let config = &self.config;
        let limit = config.limits.header_list_bytes;
        let mut collector = Collector::new(&mut turn.work.head, section, config.lane, limit);
        self.decoder
            .decode(block, &config.names, &mut turn.work.scratch, &mut collector)
            .map_err(|error| ConnectionError::coded(Code::COMPRESSION_ERROR, error.0))?;
        let verdict = collector.finish();
        match (meaning, verdict) {
            (Meaning::Ignored, _) => {
                self.budgets.spend(Nuisance::Reset)?;
                Ok(None)
            }
            (Meaning::Refused(code, reason), _) => self.stream_error(stream, code, reason),
            _ if opening.is_own_parent => {
                self.stream_error(stream, Code::PROTOCOL_ERROR, "a stream depends on itself")
            }
            (_, Verdict::Malformed(reason)) => {
                self.stream_error(stream, Code::PROTOCOL_ERROR, reason)
            }
            (Meaning::Trailers, Verdict::TooLarge) => {
                let reason = "trailers with too many fields";
                self.stream_error(stream, Code::ENHANCE_YOUR_CALM, reason)
            }
            (Meaning::Trailers, Verdict::Fields(_)) => self.on_trailers(opening),
            (Meaning::Request, Verdict::TooLarge) => {
                self.budgets.spend_many(Nuisance::Fault, list_cost(turn.work.head.list_bytes()))?;
                let intake = if opening.end { Intake::Ended } else { Intake::Unwanted };
                self.open(stream, None, intake);
                Ok(Some(Found::TooLarge { stream }))
            }
            (Meaning::Request, Verdict::Fields(lane)) => self.on_request(opening, lane, turn),
        }
    }

    /// Decides by a stream's number what a header block on it is.
    #[inline]
    fn meaning(&mut self, id: u32) -> Result<Meaning, ConnectionError> {
        if self.is_beyond_end(id) {
            return Ok(Meaning::Ignored);
        }
        if self.streams.is_idle(id) {
            self.streams.used(id);
            if self.streams.len() >= self.config.limits.streams as usize {
                return Ok(Meaning::Refused(Code::REFUSED_STREAM, "too many streams are open"));
            }
            return Ok(Meaning::Request);
        }
        if let Some(stream) = self.streams.find(id) {
            if stream.intake.has_ended() {
                let reason = "HEADERS after the end of a request";
                return Ok(Meaning::Refused(Code::STREAM_CLOSED, reason));
            }
            return Ok(Meaning::Trailers);
        }
        match self.streams.ending(id) {
            Some(Ending::ResetByUs) => Ok(Meaning::Ignored),
            Some(Ending::ResetByPeer) => {
                Ok(Meaning::Refused(Code::STREAM_CLOSED, "HEADERS after RST_STREAM"))
            }
            Some(Ending::Regular) => {
                Err(ConnectionError::coded(Code::STREAM_CLOSED, "HEADERS on a closed stream"))
            }
            None => Err(ConnectionError::protocol("the numbers of streams must grow")),
        }
    }

    #[inline]
    fn on_request<'i>(
        &mut self,
        opening: Opening,
        lane: Lane,
        turn: &mut Turn<'_, 'i>,
    ) -> Handled<'i> {
        let Opening { stream, end, .. } = opening;
        let length = turn.work.head.content_length();
        if end && length.is_some_and(|length| length > 0) {
            return self.stream_error(stream, Code::PROTOCOL_ERROR, WRONG_LENGTH);
        }
        let busy = self.is_saturated() || !self.ready.is_empty();
        if busy || (lane == Lane::Whole && !end) {
            if !busy && let Some(body) = self.whole_body(stream, length, turn.input)? {
                self.open(stream, None, Intake::Ended);
                let body = Place::Input(body);
                return Ok(Some(Found::Request { stream, came: turn.now, body }));
            }
            self.gather(opening, lane, turn.now, turn.work);
            return Ok(None);
        }
        self.open(stream, length, if end { Intake::Ended } else { Intake::Streaming });
        Ok(Some(match lane {
            Lane::Whole => Found::Request { stream, came: turn.now, body: Place::Input(&[]) },
            Lane::Stream => Found::Head { stream, came: turn.now, end },
        }))
    }

    /// Keeps a request until its body has come, or until its owner has room for it.
    fn gather(&mut self, opening: Opening, lane: Lane, now: Instant, work: &mut Workspace) {
        let is_ready = opening.end || lane == Lane::Stream;
        let length = work.head.content_length();
        let mut gather = work.gather.take().unwrap_or_else(|| Box::new(Gather::new(now)));
        gather.head.copy_from(&work.head);
        gather.begin(lane, opening.end, is_ready, now);
        self.open(opening.stream, length, Intake::Gathering(gather));
        if is_ready {
            self.ready.push_back(opening.stream);
        } else {
            self.clock.gathering(now + self.config.limits.gather_time);
        }
    }

    /// The body of a request, where all of it lies at the beginning of the input: in one DATA
    /// frame, behind which some clients send an empty one. Anything unusual is left to
    /// [`on_data`](Self::on_data).
    fn whole_body<'i>(
        &mut self,
        stream: u32,
        length: Option<u64>,
        input: &mut &'i [u8],
    ) -> Result<Option<&'i [u8]>, ConnectionError> {
        let is_data =
            |head: &Head| head.kind == Kind::Data && head.stream == stream && !head.has(PADDED);
        let Some((head, body, mut rest)) = frame::whole(input) else { return Ok(None) };
        let window = self.stream_window() as usize;
        if !is_data(&head)
            || body.len() > self.config.limits.gather_bytes.min(window)
            || body.len() > frame::MAX_PAYLOAD_BYTES
            || length.is_some_and(|length| length != body.len() as u64)
        {
            return Ok(None);
        }
        if !head.has(END_STREAM) {
            match frame::whole(rest) {
                Some((last, [], after)) if is_data(&last) && last.has(END_STREAM) => rest = after,
                _ => return Ok(None),
            }
        }
        self.receive_connection(body.len())?;
        self.release_connection(body.len() as u32);
        *input = rest;
        Ok(Some(body))
    }

    /// The trailers of a request that is delivered whole are checked and dropped.
    fn on_trailers<'i>(&mut self, opening: Opening) -> Handled<'i> {
        let id = opening.stream;
        if !opening.end {
            let reason = "trailers that do not end their stream";
            return self.stream_error(id, Code::PROTOCOL_ERROR, reason);
        }
        let Some(stream) = self.streams.find(id) else { return Ok(None) };
        if !stream.expected.take(0, true) {
            return self.stream_error(id, Code::PROTOCOL_ERROR, WRONG_LENGTH);
        }
        match &mut stream.intake {
            Intake::Gathering(gather) => {
                gather.ended = true;
                if !std::mem::replace(&mut gather.is_ready, true) {
                    self.ready.push_back(id);
                }
                Ok(None)
            }
            Intake::Unwanted => {
                stream.intake = Intake::Ended;
                Ok(None)
            }
            Intake::Streaming | Intake::Ended => {
                stream.intake = Intake::Ended;
                Ok(Some(Found::Trailers { stream: id }))
            }
        }
    }

    #[inline]
    fn open(&mut self, id: u32, content_length: Option<u64>, intake: Intake) {
        let window = self.stream_window();
        self.streams.open(Stream {
            id,
            begun: false,
            send_window: SendWindow::new(self.peer.initial_window),
            receive_window: ReceiveWindow::new(window),
            held: 0,
            expected: Expected::of(content_length),
            intake,
            sending: None,
        });
    }
}

//! Replies to frames. A small reply is written in one piece; a larger one waits on its stream,
//! and is cut into frames as the peer's windows and the output have room.

use std::collections::VecDeque;

use bytes::Bytes;

use super::state::{Connection, OUTPUT_BYTES};
use crate::{
    error::Code,
    event::StreamId,
    fields::{Block, FieldName},
    frame::{self, END_HEADERS, END_STREAM, HEAD_BYTES, Kind},
    hpack::encoder,
    stream::{Ending, Intake, Sending},
};

/// Bytes of a piece from which it is lent to the output and not copied into it: below, a copy
/// costs less than a slice of its own does in the kernel.
const LEND_BYTES: usize = 4 << 10;

/// Bytes of a DATA frame at most, however large the peer allows them: between two frames other
/// streams have their turn.
const FRAME_BYTES: usize = 64 << 10;

/// A stream that has no reply to take: the peer has reset it, or it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// A field with its value.
pub type FieldValue<'a> = (&'a FieldName, &'a [u8]);

/// The body of a reply.
#[derive(Debug)]
pub enum Body<'a> {
    /// It is copied.
    Copied(&'a [u8]),
    /// Its parts are kept until they are written.
    Lent(VecDeque<Bytes>),
}

/// A whole reply: header block, body and trailers.
#[derive(Debug)]
pub struct Reply<'a> {
    /// The beginning of the header block.
    pub head: &'a Block,
    /// Fields that it has in addition.
    pub fields: &'a [FieldValue<'a>],
    /// The body.
    pub body: Body<'a>,
    /// The beginning of the trailers.
    pub trailers: &'a Block,
    /// Fields that they have in addition.
    pub trailer_fields: &'a [FieldValue<'a>],
}

impl Connection {
    /// Sends a whole reply.
    ///
    /// # Errors
    /// [`Gone`] if the stream takes no reply.
    pub fn reply(&mut self, stream: StreamId, reply: Reply<'_>) -> Result<(), Gone> {
        let place = self.unanswered(stream)?;
        self.put_block(stream.0, reply.head, reply.fields, 0);
        let sending = match reply.body {
            Body::Copied(body) if self.fits(place, body.len()) => {
                if !body.is_empty() {
                    self.put_data(place, body);
                }
                self.put_block(stream.0, reply.trailers, reply.trailer_fields, END_STREAM);
                self.finish(place);
                return Ok(());
            }
            Body::Copied(body) => {
                let parts = VecDeque::from([Bytes::copy_from_slice(body)]);
                Sending { copied: body.len(), ..Sending::of(parts) }
            }
            Body::Lent(parts) => Sending::of(parts),
        };
        let trailers = Some(reply.trailers.with(reply.trailer_fields));
        self.queue(place, Sending { end: true, trailers, ..sending });
        Ok(())
    }

    /// Sends a header block, with which the reply ends or begins.
    ///
    /// # Errors
    /// [`Gone`] if the stream takes no reply.
    pub fn begin(
        &mut self,
        stream: StreamId,
        head: &Block,
        fields: &[FieldValue<'_>],
        end: bool,
    ) -> Result<(), Gone> {
        let place = self.unanswered(stream)?;
        self.put_block(stream.0, head, fields, if end { END_STREAM } else { 0 });
        self.streams.at(place).begun = true;
        if end {
            self.finish(place);
        }
        Ok(())
    }

    /// Sends a part of a reply's body, after [`begin`](Self::begin).
    ///
    /// # Errors
    /// [`Gone`] if the stream takes no more of its reply.
    pub fn data(&mut self, stream: StreamId, bytes: Bytes, end: bool) -> Result<(), Gone> {
        let place = self.begun(stream)?;
        self.queue(place, Sending { end, ..Sending::of(VecDeque::from([bytes])) });
        Ok(())
    }

    /// Sends the trailers of a reply, after [`begin`](Self::begin), and ends it.
    ///
    /// # Errors
    /// [`Gone`] if the stream takes no more of its reply.
    pub fn trailers(
        &mut self,
        stream: StreamId,
        trailers: &Block,
        fields: &[FieldValue<'_>],
    ) -> Result<(), Gone> {
        let place = self.begun(stream)?;
        let trailers = Some(trailers.with(fields));
        self.queue(place, Sending { end: true, trailers, ..Sending::default() });
        Ok(())
    }

    /// Gives a stream up. Nothing happens if it has ended.
    pub fn reset(&mut self, stream: StreamId, code: Code) {
        if self.streams.place(stream.0).is_some() {
            self.reset_now(stream.0, code);
        }
    }

    /// Bytes of a reply that wait for the peer's windows or for the output. An owner that
    /// sends piece by piece waits until they are few.
    pub fn queued(&mut self, stream: StreamId) -> usize {
        self.pump();
        let stream = self.streams.find(stream.0);
        stream.and_then(|stream| stream.sending.as_ref()).map_or(0, |sending| sending.bytes)
    }

    #[inline]
    fn unanswered(&mut self, stream: StreamId) -> Result<usize, Gone> {
        let place = self.streams.place(stream.0).ok_or(Gone)?;
        if self.streams.at(place).begun { Err(Gone) } else { Ok(place) }
    }

    fn begun(&mut self, stream: StreamId) -> Result<usize, Gone> {
        let place = self.streams.place(stream.0).ok_or(Gone)?;
        let stream = self.streams.at(place);
        let ended = stream.sending.as_ref().is_some_and(|sending| sending.end);
        if stream.begun && !ended { Ok(place) } else { Err(Gone) }
    }

    /// Whether a body can go out now, in one frame.
    #[inline]
    fn fits(&mut self, place: usize, bytes: usize) -> bool {
        let window = self.send_window.available();
        let most = self.peer.max_payload.min(FRAME_BYTES).min(window);
        bytes <= most.min(self.streams.at(place).send_window.available())
    }

    #[inline]
    fn put_data(&mut self, place: usize, body: &[u8]) {
        self.send_window.take(body.len());
        let stream = self.streams.at(place);
        stream.send_window.take(body.len());
        let out = self.output.buffer();
        frame::put_head(out, body.len(), Kind::Data, 0, stream.id);
        out.extend_from_slice(body);
    }

    /// Writes a header block as HEADERS and, where it is longer than a frame, CONTINUATION.
    #[inline]
    fn put_block(&mut self, stream: u32, block: &Block, fields: &[FieldValue<'_>], flags: u8) {
        let out = self.output.buffer();
        let start = out.len();
        frame::put_head(out, 0, Kind::Headers, END_HEADERS | flags, stream);
        if std::mem::take(&mut self.peer.owes_table_size) {
            out.push(encoder::NO_TABLE);
        }
        block.put(fields, out);
        let length = out.len() - start - HEAD_BYTES;
        if length > self.peer.max_payload {
            self.cut_block(start, stream, flags);
            return;
        }
        let [.., high, middle, low] = (length as u32).to_be_bytes();
        out[start..start + 3].copy_from_slice(&[high, middle, low]);
    }

    /// Cuts the block that begins at `start` of the output into frames.
    fn cut_block(&mut self, start: usize, stream: u32, flags: u8) {
        let out = self.output.buffer();
        let block = out.split_off(start + HEAD_BYTES);
        out.truncate(start);
        let parts = block.len().div_ceil(self.peer.max_payload);
        for (number, part) in block.chunks(self.peer.max_payload).enumerate() {
            let end = if number + 1 == parts { END_HEADERS } else { 0 };
            let (kind, flags) = match number {
                0 => (Kind::Headers, end | flags),
                _ => (Kind::Continuation, end),
            };
            frame::put_head(out, part.len(), kind, flags, stream);
            out.extend_from_slice(part);
        }
    }

    /// Appends to what waits on a stream.
    fn queue(&mut self, place: usize, more: Sending) {
        self.queued += more.bytes;
        self.copied += more.copied;
        let stream = self.streams.at(place);
        stream.begun = true;
        if more.end && !matches!(stream.intake, Intake::Ended) {
            // Who has answered reads no more.
            stream.intake = Intake::Unwanted;
        }
        if let Some(sending) = &mut stream.sending {
            sending.parts.extend(more.parts);
            sending.bytes += more.bytes;
            sending.copied += more.copied;
            sending.end = more.end;
            sending.trailers = more.trailers;
        } else {
            self.senders += 1;
            stream.sending = Some(Box::new(more));
        }
        if stream.sending.as_ref().is_some_and(|sending| sending.bytes == 0) {
            // Nothing of it waits for a window.
            self.send_frame(place);
        }
    }

    /// Cuts what waits into frames, while the windows and the output have room.
    pub(super) fn pump(&mut self) {
        while self.senders > 0
            && self.send_window.available() > 0
            && self.output.len() < OUTPUT_BYTES
            && let Some(place) = self.streams.next_sender()
        {
            self.send_frame(place);
        }
    }

    /// Sends the next frame of what waits on a stream, and the trailers behind the last.
    fn send_frame(&mut self, place: usize) {
        let most = self.send_window.available().min(self.peer.max_payload).min(FRAME_BYTES);
        let stream = self.streams.at(place);
        let id = stream.id;
        let Some(sending) = &mut stream.sending else { return };
        let bytes = sending.bytes.min(most).min(stream.send_window.available());
        let is_last = bytes == sending.bytes;
        let ends = is_last && sending.end && sending.trailers.is_none();
        if bytes > 0 || ends {
            let flags = if ends { END_STREAM } else { 0 };
            frame::put_head(self.output.buffer(), bytes, Kind::Data, flags, id);
            self.budgets.sent_data(bytes);
        }
        sending.bytes -= bytes;
        if let Some(waiting) = &mut sending.waiting {
            waiting.take(bytes, self.clock.ticked.unwrap_or(waiting.since));
        }
        self.queued -= bytes;
        stream.send_window.take(bytes);
        self.send_window.take(bytes);
        let mut left = bytes;
        while left > 0
            && let Some(part) = sending.parts.front_mut()
        {
            let piece = part.split_to(part.len().min(left));
            if part.is_empty() {
                sending.parts.pop_front();
            }
            left -= piece.len();
            if piece.len() < LEND_BYTES {
                self.output.buffer().extend_from_slice(&piece);
            } else {
                self.output.lend(piece);
            }
        }
        if !is_last {
            return;
        }
        let (end, trailers) = (sending.end, sending.trailers.take());
        self.copied -= sending.copied;
        stream.sending = None;
        self.senders -= 1;
        if let Some(trailers) = trailers {
            self.put_block(id, &Block::encoded(trailers), &[], END_STREAM);
        }
        if end {
            self.finish(place);
        }
    }

    /// The reply is complete. A peer that is still sending is asked to stop (RFC 9113, 8.1).
    #[inline]
    fn finish(&mut self, place: usize) {
        self.budgets.replied();
        let stream = self.streams.at(place);
        let has_ended = matches!(stream.intake, Intake::Ended);
        let ending = if has_ended { Ending::Regular } else { Ending::ResetByUs };
        let stream = self.streams.close(place, ending);
        if !has_ended {
            frame::put_reset(self.output.buffer(), stream.id, Code::NO_ERROR);
        }
        if stream.held > 0 {
            self.release_connection(stream.held);
        }
    }
}

//! Mends the header blocks of requests on their way to the HTTP/2 library, and takes out the
//! answer to the PING that the library does not know of (see `farewell`).
//!
//! The library ends a connection for a block in more than six frames, however small, and
//! resets a stream for an authority that is none (see `authority`). Here a block that comes in
//! several frames is joined, and the authority replaced. Whatever else breaks a rule passes
//! unchanged: the library answers for it. Most bytes are looked at where they lie, and a frame
//! is copied only when it is cut or changed.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};
use tracing::debug;

use super::{
    authority,
    frames::{ACK, CONTINUATION, END_HEADERS, HEAD_BYTES, HEADERS, Head, PADDED, PING, PRIORITY},
    streams::Streams,
};
use crate::transport::farewell::PING_PAYLOAD;

/// Bytes of HTTP/2's fixed preface, which a client sends first.
pub(super) const PREFACE_BYTES: usize = 24;

/// The largest frame that a peer may send, as we have set no other limit.
const FRAME_BYTES: usize = 16 << 10;

/// The largest block that is joined: as many frames as the library takes of one block. A larger
/// one is far beyond the limit of metadata, which the library says then.
const BLOCK_BYTES: usize = 6 * FRAME_BYTES;

/// The frames of a block that is joined. A flood of small or empty ones passes to the library,
/// which ends the connection.
const BLOCK_FRAMES: usize = 256;

/// Bytes taken from the socket at a time while a frame is held.
const READ_BYTES: usize = 16 << 10;

/// What stands between the socket and the library.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Bytes that pass unseen: the preface, or the rest of a frame.
    skip: usize,
    /// Read, and not to be passed on before more has come.
    held: Vec<u8>,
    /// To be passed on before anything else is read, from the byte `next` on.
    ready: Vec<u8>,
    next: usize,
}

impl Default for Blocks {
    fn default() -> Self {
        Self { skip: PREFACE_BYTES, held: Vec::new(), ready: Vec::new(), next: 0 }
    }
}

/// What to do with the beginning of some bytes.
enum Verdict {
    /// They pass as they are.
    Pass(usize),
    /// They are too few to say.
    Wait,
    /// They are replaced.
    Replace(usize, Vec<u8>),
}

impl Blocks {
    /// Reads from `io` into `out`, and reports the frames to `streams`.
    pub(super) fn poll_read<IO: AsyncRead + Unpin>(
        &mut self,
        io: &mut IO,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
        streams: &mut Streams,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.next < self.ready.len() {
                self.hand_over(out);
                return Poll::Ready(Ok(()));
            }
            if self.held.is_empty() {
                let before = out.filled().len();
                ready!(Pin::new(&mut *io).poll_read(cx, out))?;
                let read = &out.filled()[before..];
                let passed = self.pass(read, streams);
                if passed == read.len() {
                    return Poll::Ready(Ok(()));
                }
                self.held.extend_from_slice(&read[passed..]);
                out.set_filled(before + passed);
                self.release(streams);
                if passed > 0 {
                    return Poll::Ready(Ok(()));
                }
            } else {
                let mut bytes = [0; READ_BYTES];
                let mut read = ReadBuf::new(&mut bytes);
                ready!(Pin::new(&mut *io).poll_read(cx, &mut read))?;
                if read.filled().is_empty() {
                    // The end. The library says what is missing.
                    self.next = 0;
                    self.ready = std::mem::take(&mut self.held);
                    continue;
                }
                self.held.extend_from_slice(read.filled());
                self.release(streams);
            }
        }
    }

    /// Whether part of a frame waits for its rest.
    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    fn hand_over(&mut self, out: &mut ReadBuf<'_>) {
        let ready = &self.ready[self.next..];
        let n = ready.len().min(out.remaining());
        out.put_slice(&ready[..n]);
        self.next += n;
        if self.next == self.ready.len() {
            self.ready = Vec::new();
            self.next = 0;
        }
    }

    /// How many of the bytes may pass as they are.
    fn pass(&mut self, bytes: &[u8], streams: &mut Streams) -> usize {
        let mut passed = 0;
        while passed < bytes.len() {
            match self.judge(&bytes[passed..], false, streams) {
                Verdict::Pass(n) => passed += n,
                Verdict::Wait | Verdict::Replace(..) => break,
            }
        }
        passed
    }

    /// Moves from `held` to `ready` all that can go.
    fn release(&mut self, streams: &mut Streams) {
        let held = std::mem::take(&mut self.held);
        let mut done = 0;
        while done < held.len() {
            match self.judge(&held[done..], true, streams) {
                Verdict::Pass(n) => {
                    self.ready.extend_from_slice(&held[done..done + n]);
                    done += n;
                }
                Verdict::Wait => break,
                Verdict::Replace(n, replacement) => {
                    self.ready.extend(replacement);
                    done += n;
                }
            }
        }
        self.held = held;
        self.held.drain(..done);
        if self.held.is_empty() {
            self.held = Vec::new();
        }
    }

    /// Judges the beginning of `bytes`, which are not empty. A replacement is made only where
    /// it is wanted.
    fn judge(&mut self, bytes: &[u8], replace: bool, streams: &mut Streams) -> Verdict {
        if self.skip > 0 {
            let n = self.skip.min(bytes.len());
            self.skip -= n;
            return Verdict::Pass(n);
        }
        let Some(head) = Head::parse(bytes) else { return Verdict::Wait };
        if head.kind == PING && head.has(ACK) && head.length == PING_PAYLOAD.len() {
            match bytes.get(HEAD_BYTES..HEAD_BYTES + head.length) {
                Some(payload) if payload != PING_PAYLOAD => {}
                Some(_) if replace => {
                    streams.pong();
                    return Verdict::Replace(HEAD_BYTES + head.length, Vec::new());
                }
                _ => return Verdict::Wait,
            }
        }
        let block = if head.kind == HEADERS { Block::gather(head, bytes) } else { Gathered::No };
        match block {
            Gathered::No => {
                streams.received(head);
                self.skip = HEAD_BYTES + head.length;
                self.judge(bytes, replace, streams)
            }
            Gathered::Partly => Verdict::Wait,
            Gathered::Whole(block) => {
                let other = authority::replaced(block.fields());
                if other.is_none() && block.frames == 1 {
                    streams.received(head);
                    return Verdict::Pass(block.bytes);
                }
                if !replace {
                    return Verdict::Wait;
                }
                streams.received(head);
                if let Some(other) = &other {
                    let authority = other.was.escape_ascii();
                    debug!(stream = head.stream, %authority, "no authority of a URI; ignored");
                }
                let fields = other.as_ref().map_or(block.fields(), |other| &other.block);
                Verdict::Replace(block.bytes, block.encode(fields))
            }
        }
    }
}

/// A header block with the head of its first frame.
struct Block<'a> {
    head: Head,
    priority: &'a [u8],
    first: &'a [u8],
    /// All fragments, where there are several.
    joined: Vec<u8>,
    frames: usize,
    /// Of all frames, on the wire.
    bytes: usize,
}

enum Gathered<'a> {
    Whole(Block<'a>),
    Partly,
    /// It breaks a rule, or is too large.
    No,
}

impl<'a> Block<'a> {
    /// Gathers the block that begins with `head` at the beginning of `bytes`.
    fn gather(head: Head, bytes: &'a [u8]) -> Gathered<'a> {
        if head.length > FRAME_BYTES {
            return Gathered::No;
        }
        let mut end = HEAD_BYTES + head.length;
        let Some(payload) = bytes.get(HEAD_BYTES..end) else { return Gathered::Partly };
        let Some((priority, first)) = fragment(head, payload) else { return Gathered::No };
        let (mut joined, mut frames, mut last) = (Vec::new(), 1, head);
        while !last.has(END_HEADERS) {
            let Some(next) = Head::parse(&bytes[end..]) else { return Gathered::Partly };
            let start = end + HEAD_BYTES;
            end = start + next.length;
            if next.kind != CONTINUATION
                || next.stream != head.stream
                || next.length > FRAME_BYTES
                || frames == BLOCK_FRAMES
                || first.len().max(joined.len()) + next.length > BLOCK_BYTES
            {
                return Gathered::No;
            }
            let Some(payload) = bytes.get(start..end) else { return Gathered::Partly };
            if joined.is_empty() {
                joined.extend_from_slice(first);
            }
            joined.extend_from_slice(payload);
            frames += 1;
            last = next;
        }
        Gathered::Whole(Self { head, priority, first, joined, frames, bytes: end })
    }

    fn fields(&self) -> &[u8] {
        if self.frames == 1 { self.first } else { &self.joined }
    }

    /// The block with these fields, in as few frames as it takes.
    fn encode(&self, fields: &[u8]) -> Vec<u8> {
        let room = FRAME_BYTES - self.priority.len();
        let (first, rest) = fields.split_at(fields.len().min(room));
        let mut encoded = Vec::with_capacity(fields.len() + 8 * HEAD_BYTES);
        let end = |is_last: bool| if is_last { END_HEADERS } else { 0 };
        let flags = self.head.flags & !PADDED & !END_HEADERS | end(rest.is_empty());
        let length = self.priority.len() + first.len();
        encoded.extend(Head { length, flags, ..self.head }.encode());
        encoded.extend_from_slice(self.priority);
        encoded.extend_from_slice(first);
        let last = rest.len().div_ceil(FRAME_BYTES);
        for (number, part) in rest.chunks(FRAME_BYTES).enumerate() {
            let flags = end(number + 1 == last);
            let head = Head { length: part.len(), kind: CONTINUATION, flags, ..self.head };
            encoded.extend(head.encode());
            encoded.extend_from_slice(part);
        }
        encoded
    }
}

/// The fields of a HEADERS frame's payload, apart from padding and from the priority, which
/// comes first.
fn fragment(head: Head, payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let (padding, payload) = if head.has(PADDED) {
        let (padding, payload) = payload.split_first()?;
        (usize::from(*padding), payload)
    } else {
        (0, payload)
    };
    let payload = &payload[..payload.len().checked_sub(padding)?];
    payload.split_at_checked(if head.has(PRIORITY) { 5 } else { 0 })
}

#[cfg(test)]
mod tests;

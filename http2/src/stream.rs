//! The streams of one connection (RFC 9113, section 5): which are open, how far each is, and
//! how those ended that were open a moment ago. Knows neither frames nor fields.

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;

use crate::{
    flow::{ReceiveWindow, SendWindow},
    head::{Head, Lane},
    patience::Waiting,
};

/// A request whose body is put together before its owner sees it, or whose owner has no room
/// for it yet.
#[derive(Debug)]
pub(crate) struct Gather {
    pub(crate) head: Head,
    /// Whether the owner was given the head.
    pub(crate) is_known: bool,
    pub(crate) lane: Lane,
    pub(crate) body: Vec<u8>,
    pub(crate) ended: bool,
    pub(crate) since: Instant,
    /// Whether the owner is to be given what there is.
    pub(crate) is_ready: bool,
}

impl Gather {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            head: Head::default(),
            is_known: false,
            lane: Lane::Whole,
            body: Vec::new(),
            ended: false,
            since: now,
            is_ready: false,
        }
    }

    /// Begins with a head that was copied here, in memory that may have been used before.
    pub(crate) fn begin(&mut self, lane: Lane, ended: bool, is_ready: bool, now: Instant) {
        self.body.clear();
        (self.is_known, self.since) = (false, now);
        (self.lane, self.ended, self.is_ready) = (lane, ended, is_ready);
    }
}

/// How far the request of a stream is.
#[derive(Debug)]
pub(crate) enum Intake {
    Gathering(Box<Gather>),
    /// The owner is given each piece.
    Streaming,
    /// The body is thrown away.
    Unwanted,
    /// The peer has ended its side, and the owner has all of it.
    Ended,
}

impl Intake {
    /// Whether the peer has ended its side.
    pub(crate) fn has_ended(&self) -> bool {
        match self {
            Self::Ended => true,
            Self::Gathering(gather) => gather.ended,
            Self::Streaming | Self::Unwanted => false,
        }
    }
}

/// What waits to be sent on a stream.
#[derive(Debug, Default)]
pub(crate) struct Sending {
    pub(crate) parts: VecDeque<Bytes>,
    pub(crate) bytes: usize,
    /// Bytes of parts that were copied for it, sent or not.
    pub(crate) copied: usize,
    /// Since when the stream's window holds it up, and what went out since.
    pub(crate) waiting: Option<Waiting>,
    /// Whether nothing follows these parts but the trailers.
    pub(crate) end: bool,
    /// An encoded block.
    pub(crate) trailers: Option<Vec<u8>>,
}

/// Bytes of a piece from which it belongs to the owner, and is the owner's to count.
const OWNED_BYTES: usize = 16 << 10;

impl Sending {
    pub(crate) fn of(parts: VecDeque<Bytes>) -> Self {
        let (mut bytes, mut copied) = (0, 0);
        for part in &parts {
            bytes += part.len();
            copied += if part.len() < OWNED_BYTES { part.len() } else { 0 };
        }
        Self { parts, bytes, copied, ..Self::default() }
    }
}

/// A stream that is open, or half closed.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: u32,
    /// Whether the header block of the reply was sent.
    pub(crate) begun: bool,
    pub(crate) send_window: SendWindow,
    pub(crate) receive_window: ReceiveWindow,
    /// Bytes of the body that were received and not released.
    pub(crate) held: u32,
    pub(crate) expected: Expected,
    pub(crate) intake: Intake,
    pub(crate) sending: Option<Box<Sending>>,
}

/// What is left of the length that a request has announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected(u64);

impl Expected {
    const ANY: Self = Self(u64::MAX);

    pub(crate) fn of(content_length: Option<u64>) -> Self {
        content_length.map_or(Self::ANY, Self)
    }

    /// Takes bytes of the body. Returns whether they were announced.
    #[inline]
    pub(crate) fn take(&mut self, bytes: usize, end: bool) -> bool {
        if *self == Self::ANY {
            return true;
        }
        let Some(left) = self.0.checked_sub(bytes as u64) else { return false };
        self.0 = left;
        !end || left == 0
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Both sides had ended it.
    Regular,
    ResetByPeer,
    /// What the peer sent before it knew is to be ignored.
    ResetByUs,
}

/// Endings that are remembered: frames of a stream that this side has reset may be under way
/// for a round trip. DATA on streams before these is ignored, too, and counted.
const REMEMBERED: usize = 16;

/// The streams that ended last.
#[derive(Debug)]
struct Endings {
    ring: [(u32, Ending); REMEMBERED],
    next: usize,
}

/// The streams of one connection.
#[derive(Debug)]
pub(crate) struct Streams {
    /// In the order of their numbers, which is that of their opening.
    open: Vec<Stream>,
    /// The last stream that the peer has opened.
    last: u32,
    endings: Endings,
    /// The stream that has sent last, after which the next one has its turn.
    turn: u32,
}

/// Memory for this many streams is kept while none is open.
const KEPT_IDLE: usize = 4;

impl Streams {
    pub(crate) fn new() -> Self {
        let endings = Endings { ring: [(0, Ending::Regular); REMEMBERED], next: 0 };
        Self { open: Vec::new(), last: 0, endings, turn: 0 }
    }

    /// None open, after those of `before`.
    pub(crate) fn after(before: &Self) -> Self {
        Self { last: before.last, ..Self::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn last(&self) -> u32 {
        self.last
    }

    /// Whether no stream with this number was opened yet.
    pub(crate) fn is_idle(&self, id: u32) -> bool {
        id > self.last || id.is_multiple_of(2)
    }

    /// The peer has used the number of a stream, and with it all below.
    pub(crate) fn used(&mut self, id: u32) {
        self.last = id;
    }

    pub(crate) fn open(&mut self, stream: Stream) {
        self.open.push(stream);
    }

    #[inline]
    pub(crate) fn place(&self, id: u32) -> Option<usize> {
        match self.open.last() {
            // The newest stream is mostly the one.
            Some(newest) if newest.id == id => Some(self.open.len() - 1),
            _ => self.open.binary_search_by_key(&id, |stream| stream.id).ok(),
        }
    }

    #[inline]
    pub(crate) fn at(&mut self, place: usize) -> &mut Stream {
        &mut self.open[place]
    }

    #[inline]
    pub(crate) fn find(&mut self, id: u32) -> Option<&mut Stream> {
        self.place(id).map(|place| &mut self.open[place])
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.open.iter_mut()
    }

    /// Takes a stream out, and remembers how it ended.
    pub(crate) fn close(&mut self, place: usize, ending: Ending) -> Stream {
        let stream = self.open.remove(place);
        if self.open.is_empty() {
            self.open.shrink_to(KEPT_IDLE);
        }
        self.remember(stream.id, ending);
        stream
    }

    /// The last that is said of a stream is what counts: when this side has reset it, too, what
    /// follows is ignored.
    pub(crate) fn remember(&mut self, id: u32, ending: Ending) {
        let Endings { ring, next } = &mut self.endings;
        if let Some(known) = ring.iter_mut().find(|(known, _)| *known == id) {
            known.1 = ending;
            return;
        }
        ring[*next] = (id, ending);
        *next = (*next + 1) % REMEMBERED;
    }

    /// How a stream ended, if it did so lately.
    pub(crate) fn ending(&self, id: u32) -> Option<Ending> {
        self.endings.ring.iter().find(|(ended, _)| *ended == id).map(|(_, ending)| *ending)
    }

    /// The next stream, in turn, that can send with the windows as they are.
    pub(crate) fn next_sender(&mut self) -> Option<usize> {
        let can_send = |stream: &Stream| {
            stream.sending.as_ref().is_some_and(|sending| sending.bytes > 0)
                && stream.send_window.available() > 0
        };
        let first = self.open.partition_point(|stream| stream.id <= self.turn);
        let (before, after) = self.open.split_at(first);
        let place = match after.iter().position(can_send) {
            Some(place) => first + place,
            None => before.iter().position(can_send)?,
        };
        self.turn = self.open[place].id;
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(id: u32, window: u32, bytes: usize) -> Stream {
        Stream {
            id,
            begun: false,
            send_window: SendWindow::new(window),
            receive_window: ReceiveWindow::new(10),
            held: 0,
            expected: Expected::of(None),
            intake: Intake::Ended,
            sending: (bytes > 0).then(|| Box::new(Sending { bytes, ..Sending::default() })),
        }
    }

    #[test]
    fn an_announced_length_must_come_exactly() {
        let mut expected = Expected::of(Some(5));
        assert!(expected.take(3, false));
        assert!(!expected.take(1, true), "one is missing");
        assert!(expected.take(1, true));
        assert!(!expected.take(1, false), "one is too many");
        assert!(Expected::of(None).take(usize::MAX, true));
    }

    #[test]
    fn streams_send_in_turn() {
        let mut streams = Streams::new();
        for (id, window, bytes) in [(1, 9, 9), (3, 0, 9), (5, 9, 0), (7, 9, 9)] {
            streams.open(stream(id, window, bytes));
        }
        let turns: Vec<_> = (0..4).map(|_| streams.next_sender()).collect();
        assert_eq!(turns, [Some(0), Some(3), Some(0), Some(3)]);
        streams.close(3, Ending::Regular);
        streams.close(0, Ending::Regular);
        assert_eq!(streams.next_sender(), None);
    }

    #[test]
    fn the_last_endings_are_remembered() {
        let mut streams = Streams::new();
        for id in (1..).step_by(2).take(REMEMBERED + 1) {
            streams.open(stream(id, 0, 0));
            streams.used(id);
            let place = streams.place(id).unwrap();
            streams.close(place, Ending::ResetByUs);
        }
        assert_eq!(streams.ending(1), None);
        assert_eq!(streams.ending(3), Some(Ending::ResetByUs));
        assert!(streams.is_idle(streams.last() + 2));
        assert!(streams.is_idle(2), "a client opens no even stream");
        assert!(!streams.is_idle(1));
    }

    /// A stream that both sides had reset was answered by RST_STREAM for each frame, or not,
    /// depending on which of the two was found first.
    #[test]
    fn the_last_ending_of_a_stream_counts() {
        let mut streams = Streams::new();
        for (id, ending) in [(1, Ending::ResetByPeer), (3, Ending::Regular), (1, Ending::ResetByUs)]
        {
            streams.remember(id, ending);
        }
        assert_eq!(streams.ending(1), Some(Ending::ResetByUs));
        assert_eq!(streams.ending(3), Some(Ending::Regular));
        assert_eq!(streams.endings.next, 2, "each takes one place");
    }

    #[test]
    fn streams_are_found_by_their_numbers() {
        let mut streams = Streams::new();
        for id in [1, 5, 9, 11] {
            streams.open(stream(id, 0, 0));
        }
        let places: Vec<_> = [1, 3, 5, 9, 11, 13].map(|id| streams.place(id)).into();
        assert_eq!(places, [Some(0), None, Some(1), Some(2), Some(3), None]);
    }
}

//! The owner of the connection: takes requests, and answers each in one of the ways that there
//! are.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::IoSlice,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tiny_cache_http2::{
    Block, Body, Config, Connection, ConnectionError, Event, Head, Lane, Limits, Reply, StreamId,
    Workspace,
};

/// What the owner knows of a request.
struct Asked {
    reply: usize,
    body: usize,
}

pub(crate) struct Owner {
    connection: Connection,
    work: Workspace,
    now: Instant,
    asked: BTreeMap<StreamId, Asked>,
    /// Lengths of the bodies of requests that were complete.
    pub(crate) complete: BTreeMap<u32, usize>,
    /// Requests whose replies were given up, because the client took too little of them.
    pub(crate) stalled: BTreeSet<u32>,
}

pub(crate) const STREAMS: usize = 8;
pub(crate) const STREAM_WINDOW: i64 = 2_000;

fn lane(head: &Head) -> Lane {
    if head.path().starts_with(b"/w") { Lane::Whole } else { Lane::Stream }
}

impl Owner {
    pub(crate) fn new() -> Self {
        let limits = Limits {
            streams: STREAMS as u32,
            stream_window: STREAM_WINDOW as u32,
            connection_window: 0,
            gather_bytes: 1_000,
            pinned_bytes: 100_000,
            ..Limits::default()
        };
        let config = Config::new(&["x-id"], lane, limits);
        let now = Instant::now();
        Self {
            connection: Connection::server(Arc::new(config), now),
            work: Workspace::default(),
            now,
            asked: BTreeMap::new(),
            complete: BTreeMap::new(),
            stalled: BTreeSet::new(),
        }
    }

    /// Takes bytes. Returns those that the connection does not take yet.
    pub(crate) fn receive<'b>(&mut self, mut bytes: &'b [u8]) -> Result<&'b [u8], ConnectionError> {
        while let Some(event) = self.connection.receive(&mut bytes, self.now, &mut self.work)? {
            let asked = |head: &Head, body| Asked { reply: reply_size(head), body };
            let complete = match event {
                Event::Request { stream, head, body, .. } => {
                    self.asked.insert(stream, asked(head, body.len()));
                    Some(stream)
                }
                Event::Head { stream, head, end, .. } => {
                    self.asked.insert(stream, asked(head, 0));
                    end.then_some(stream)
                }
                Event::Data { stream, bytes, end } => {
                    if let Some(asked) = self.asked.get_mut(&stream) {
                        asked.body += bytes.len();
                    }
                    self.connection.release(stream, bytes.len());
                    end.then_some(stream)
                }
                Event::Trailers { stream, .. } => Some(stream),
                Event::Reset { stream, refused, .. } => {
                    assert_eq!(refused, None, "the client breaks no rule");
                    self.asked.remove(&stream);
                    None
                }
                Event::TooLarge { .. } => panic!("no request is so large"),
                Event::Stalled { stream } => {
                    self.stalled.insert(stream.get());
                    None
                }
                Event::GivenUp { .. } | Event::Pong(_) | Event::GoAway(_) => None,
            };
            if let Some(stream) = complete {
                self.answer(stream);
            }
        }
        assert!(bytes.is_empty() || !self.connection.wants_input());
        Ok(bytes)
    }

    fn answer(&mut self, stream: StreamId) {
        let asked = self.asked.remove(&stream).expect("its head has come");
        self.complete.insert(stream.get(), asked.body);
        let (head, trailers) = (Block::status(200), Block::empty().field("grpc-status", "0"));
        let body = vec![b'r'; asked.reply];
        let connection = &mut self.connection;
        let answered = match asked.reply % 3 {
            0 => {
                let begun = connection.begin(stream, &head, &[], false);
                let sent = begun.and_then(|()| connection.data(stream, body.into(), false));
                sent.and_then(|()| connection.trailers(stream, &trailers, &[]))
            }
            kind => {
                let body = match kind {
                    1 => Body::Copied(&body),
                    _ => Body::Lent([Bytes::from(body)].into()),
                };
                let (fields, trailer_fields) = (&[], &[]);
                let head = &head;
                connection.reply(
                    stream,
                    Reply { head, fields, body, trailers: &trailers, trailer_fields },
                )
            }
        };
        answered.expect("it was not reset and not answered");
    }

    /// What is to be written, of which `most` bytes are.
    pub(crate) fn write(&mut self, most: usize) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 3];
        let used = self.connection.output(&mut slices);
        let mut bytes: Vec<u8> = slices[..used].iter().flat_map(|slice| slice.to_vec()).collect();
        bytes.truncate(most);
        self.connection.consumed(bytes.len(), self.now, &mut self.work);
        bytes
    }

    pub(crate) fn has_output(&mut self) -> bool {
        self.connection.has_output()
    }

    /// Time passes, with what is due by then.
    pub(crate) fn wait(&mut self, time: Duration) -> Result<(), ConnectionError> {
        let end = self.now + time;
        while let Some(due) = self.connection.deadline().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.receive(&[])?;
            assert!(self.connection.deadline() > Some(self.now), "what was due stays due");
        }
        self.now = end;
        Ok(())
    }

    pub(crate) fn drain(&mut self) {
        self.connection.drain(self.now);
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.connection.is_finished()
    }

    /// Nothing is left of what was asked.
    pub(crate) fn check_empty(&self) {
        assert_eq!((self.connection.open_streams(), self.connection.pinned_bytes()), (0, 0));
        assert!(self.asked.is_empty());
    }
}

/// The number behind the second slash of a path.
fn reply_size(head: &Head) -> usize {
    let text = std::str::from_utf8(head.path()).expect("the client's paths are ASCII");
    text.rsplit('/').next().and_then(|size| size.parse().ok()).expect("the client's paths have one")
}

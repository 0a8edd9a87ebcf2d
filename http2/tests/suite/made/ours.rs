//! This engine, with an owner that answers each request when it is complete.

use std::{collections::BTreeMap, io::IoSlice, sync::Arc, time::Instant};

use bytes::Bytes;
use tiny_cache_http2::{
    Block, Body, Config, Connection, Event, Head, Lane, Limits, Reply, StreamId, Workspace,
};

use super::{
    frames::streams_allowed,
    outcome::{Outcome, Request, reply_size, take_frames},
};

/// Windows that both servers announce.
pub(crate) const STREAM_WINDOW: u32 = 64 << 10;
pub(crate) const CONNECTION_WINDOW: u32 = 1 << 20;

fn lane(head: &Head) -> Lane {
    if head.path().starts_with(b"/stream") { Lane::Stream } else { Lane::Whole }
}

/// A connection with its owner.
pub(crate) struct Ours {
    connection: Connection,
    work: Workspace,
    now: Instant,
    arriving: BTreeMap<u32, Request>,
    unread: Vec<u8>,
    over: bool,
    head: Block,
    trailers: Block,
}

impl Ours {
    pub(crate) fn new(seed: u64) -> Self {
        let limits = Limits {
            streams: streams_allowed(seed),
            stream_window: STREAM_WINDOW,
            connection_window: CONNECTION_WINDOW,
            gather_bytes: 16 << 10,
            ..Limits::default()
        };
        let now = Instant::now();
        let config = Config::new(&["x-one", "x-two"], lane, limits).strict();
        Self {
            connection: Connection::server(Arc::new(config), now),
            work: Workspace::default(),
            now,
            arriving: BTreeMap::new(),
            unread: Vec::new(),
            over: false,
            head: Block::status(200),
            trailers: Block::empty().field("grpc-status", "0"),
        }
    }

    /// Bytes have come.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Outcome {
        let (mut input, mut requests) = (bytes, Vec::new());
        while !self.over {
            let event = match self.connection.receive(&mut input, self.now, &mut self.work) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(_) => {
                    self.over = true;
                    break;
                }
            };
            if let Some((id, request)) = take(event, &mut self.arriving, &mut self.connection) {
                self.answer(id, reply_size(&request.path));
                requests.push(request);
            }
        }
        self.write();
        let sent = take_frames(&mut self.unread);
        Outcome::of(requests, &sent, self.over)
    }

    fn answer(&mut self, stream: StreamId, size: usize) {
        let body = vec![b'r'; size];
        let body = if size.is_multiple_of(2) {
            Body::Copied(&body)
        } else {
            Body::Lent([Bytes::from(body)].into())
        };
        let (head, trailers) = (&self.head, &self.trailers);
        let reply = Reply { head, fields: &[], body, trailers, trailer_fields: &[] };
        self.connection.reply(stream, reply).expect("nobody has given it up or answered it");
    }

    fn write(&mut self) {
        loop {
            let mut slices = [IoSlice::new(&[]); 4];
            let used = self.connection.output(&mut slices);
            if used == 0 {
                return;
            }
            let bytes = slices[..used].iter().map(|slice| slice.len()).sum();
            slices[..used].iter().for_each(|slice| self.unread.extend_from_slice(slice));
            self.connection.consumed(bytes, self.now, &mut self.work);
        }
    }
}

fn request(stream: StreamId, head: &Head, body: usize) -> Request {
    let values = |place| head.all_kept(place).map(<[u8]>::to_vec).collect();
    Request {
        stream: stream.get(),
        method: head.method().to_vec(),
        path: head.path().to_vec(),
        fields: [values(0), values(1)],
        body,
    }
}

/// Takes an event. Returns the request that it completes.
fn take(
    event: Event<'_>,
    arriving: &mut BTreeMap<u32, Request>,
    connection: &mut Connection,
) -> Option<(StreamId, Request)> {
    match event {
        Event::Request { stream, head, body, .. } => {
            Some((stream, request(stream, head, body.len())))
        }
        Event::Head { stream, head, end, .. } => {
            let request = request(stream, head, 0);
            if end {
                return Some((stream, request));
            }
            arriving.insert(stream.get(), request);
            None
        }
        Event::Data { stream, bytes, end } => {
            connection.release(stream, bytes.len());
            let request = arriving.get_mut(&stream.get()).expect("its head has come");
            request.body += bytes.len();
            end.then(|| arriving.remove(&stream.get()).map(|request| (stream, request)))?
        }
        Event::Trailers { stream, .. } => {
            arriving.remove(&stream.get()).map(|request| (stream, request))
        }
        Event::TooLarge { stream, .. } => {
            connection.begin(stream, &Block::status(431), &[], true).expect("it is open");
            None
        }
        Event::Reset { stream, .. } => {
            arriving.remove(&stream.get());
            None
        }
        Event::GivenUp { .. } | Event::Stalled { .. } | Event::Pong(_) | Event::GoAway(_) => None,
    }
}

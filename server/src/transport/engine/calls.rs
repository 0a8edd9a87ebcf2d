//! The requests of a connection that are futures: their bodies as they come, and their replies
//! piece by piece. They are polled within the turns of their connection.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use http::Response;
use http_body::{Body, Frame};
use tiny_cache_http2::{Code, Connection, Gone, StreamId};

use super::{
    messages,
    upload::{self, Feed, Upload},
};

/// Bytes of a reply that wait for the peer before no more of it is asked for.
const SEND_BUFFER_BYTES: usize = 256 << 10;

/// A connection, and the calls that wait until it has written.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: RefCell<Connection>,
    waiting: RefCell<Vec<Waker>>,
    /// Polls of calls that this turn has left.
    polls: Cell<u32>,
}

/// Polls of calls in one turn. A batch carries out a group of its items with each, some tens of
/// microseconds, and a connection may have as many batches as streams: others of its worker have
/// their turn in between.
const POLLS: u32 = 8;

impl Link {
    pub(super) fn new(connection: Connection) -> Rc<Self> {
        Rc::new(Self {
            connection: RefCell::new(connection),
            waiting: RefCell::default(),
            polls: Cell::new(POLLS),
        })
    }

    /// A turn begins.
    pub(super) fn begin_turn(&self) {
        self.polls.set(POLLS);
    }

    /// Something was written, so that calls may send more.
    pub(super) fn wrote(&self) {
        self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
    }
}

/// The calls of one connection.
pub(super) struct Calls<C, B> {
    link: Rc<Link>,
    /// Made for the first call, and dropped behind the last: most connections have none.
    open: Option<Box<Open<C, B>>>,
}

struct Open<C, B> {
    calls: FuturesUnordered<Answering<C, B>>,
    feeds: Vec<(StreamId, Feed)>,
}

impl<C, B> Calls<C, B>
where
    C: Future<Output = Response<B>> + Unpin,
    B: Body<Data = Bytes> + Unpin,
{
    pub(super) fn new(link: Rc<Link>) -> Self {
        Self { link, open: None }
    }

    /// Begins a call whose body comes, or is there already.
    pub(super) fn begin(
        &mut self,
        stream: StreamId,
        body: Given<'_>,
        call: impl FnOnce(Upload) -> C,
    ) {
        let (feed, upload) = upload::channel(matches!(body, Given::None));
        if let Given::Whole(bytes) = body {
            feed.push(bytes, true);
        }
        let link = self.link.clone();
        let phase = Phase::Call(call(upload));
        let open = self.open.get_or_insert_with(|| {
            Box::new(Open { calls: FuturesUnordered::new(), feeds: Vec::new() })
        });
        open.calls.push(Answering { link, stream, feed: feed.clone(), phase });
        open.feeds.push((stream, feed));
    }

    /// A piece of a call's body has come. Returns whether the call still takes it.
    pub(super) fn push(&self, stream: StreamId, bytes: &[u8], end: bool) -> bool {
        let feed = self.feed(stream);
        feed.inspect(|feed| feed.push(bytes, end)).is_some()
    }

    /// The peer, or the engine, has given a call's stream up.
    pub(super) fn lose(&self, stream: StreamId) {
        self.feed(stream).into_iter().for_each(Feed::lose);
    }

    fn feed(&self, stream: StreamId) -> Option<&Feed> {
        let open = self.open.as_ref()?;
        open.feeds.iter().find(|(known, _)| *known == stream).map(|(_, feed)| feed)
    }

    /// Lets every call go on that can.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        let Some(open) = &mut self.open else { return };
        while let Poll::Ready(Some(ended)) = open.calls.poll_next_unpin(cx) {
            open.feeds.retain(|(stream, _)| *stream != ended);
        }
        if open.calls.is_empty() {
            self.open = None;
        }
    }
}

/// What is there of a body when its call begins.
pub(super) enum Given<'a> {
    /// There is none.
    None,
    Whole(&'a [u8]),
    /// It comes.
    Follows,
}

/// A call, until its reply is handed to the connection.
struct Answering<C, B> {
    link: Rc<Link>,
    stream: StreamId,
    feed: Feed,
    phase: Phase<C, B>,
}

enum Phase<C, B> {
    Call(C),
    Reply(B),
}

impl<C, B> Future for Answering<C, B>
where
    C: Future<Output = Response<B>> + Unpin,
    B: Body<Data = Bytes> + Unpin,
{
    type Output = StreamId;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<StreamId> {
        let stream = self.stream;
        if self.feed.is_lost(cx) {
            return Poll::Ready(stream);
        }
        let Some(left) = self.link.polls.get().checked_sub(1) else {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        self.link.polls.set(left);
        let polled = self.poll_reply(cx);
        let taken = self.feed.take_taken();
        if taken > 0 {
            self.link.connection.borrow_mut().release(stream, taken);
        }
        polled.map(|()| stream)
    }
}

impl<C, B> Answering<C, B>
where
    C: Future<Output = Response<B>> + Unpin,
    B: Body<Data = Bytes> + Unpin,
{
    /// Sends what there is of the reply, and ends behind its last piece.
    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Phase::Call(call) = &mut self.phase {
            let response = ready!(Pin::new(call).poll(cx));
            let ends = response.body().is_end_stream();
            let head = messages::reply_head(&response);
            let begun = self.link.connection.borrow_mut().begin(self.stream, &head, &[], ends);
            if ends || begun == Err(Gone) {
                return Poll::Ready(());
            }
            self.phase = Phase::Reply(response.into_body());
        }
        while let Phase::Reply(body) = &mut self.phase {
            if self.link.connection.borrow_mut().queued(self.stream) >= SEND_BUFFER_BYTES {
                self.link.waiting.borrow_mut().push(cx.waker().clone());
                return Poll::Pending;
            }
            let frame = ready!(Pin::new(body).poll_frame(cx));
            let sent = self.send(frame.map(|frame| frame.map(Frame::into_data)));
            if sent.is_break() {
                break;
            }
        }
        Poll::Ready(())
    }

    /// Sends a piece, and says whether it was the last.
    fn send<E>(
        &self,
        piece: Option<Result<Result<Bytes, Frame<Bytes>>, E>>,
    ) -> std::ops::ControlFlow<()> {
        use std::ops::ControlFlow::{Break, Continue};
        let mut connection = self.link.connection.borrow_mut();
        let sent = match piece {
            Some(Ok(Ok(data))) => match connection.data(self.stream, data, false) {
                Ok(()) => return Continue(()),
                gone => gone,
            },
            Some(Ok(Err(frame))) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                connection.trailers(self.stream, &messages::trailers(&trailers), &[])
            }
            None => connection.data(self.stream, Bytes::new(), true),
            // No service of ours fails behind its headers.
            Some(Err(_)) => {
                connection.reset(self.stream, Code::INTERNAL_ERROR);
                Ok(())
            }
        };
        let (Ok(()) | Err(Gone)) = sent;
        Break(())
    }
}

//! A connection, from one look to the next. A turn reads once, answers what came, polls the calls
//! that wait, and writes all that this produced with one system call.

mod due; // what is due by time

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Instant,
};

use tiny_cache_http2::{Code, Connection, Event, StreamId, Workspace};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    task::yield_now,
    time::{Sleep, timeout},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tracing::{debug, field::display};

use super::{
    answers::{Answered, Answers, ReplyTo, Unary},
    calls::{Calls, Given, Link},
    messages,
    shared::{Buffers, Engine},
    upload::Upload,
};
use crate::pinned::{Pressure, Share};
use crate::transport::{
    error::ConnectionError,
    farewell::{Farewell, PING_PAYLOAD},
    fault::Fault,
    incoming::Incoming,
    lifetime::Lifetime,
    limits::{LINGER, Limits, Peer},
};

/// Pieces of output in one system call.
const SLICES: usize = 16;

/// Bytes that a turn writes before others of the worker have theirs.
const WRITE_BYTES: usize = 512 << 10;

/// Bytes that are read and dropped behind the end of a connection at most.
const MOST_DISCARDED: usize = 1 << 20;

/// HTTP's status for more metadata than is read at all.
const TOO_LARGE: u16 = 431;

/// A connection between two turns.
pub(crate) struct Turns<'a, IO, A: Answers> {
    engine: &'a Engine,
    io: IO,
    answers: A,
    peer: &'a Peer,
    link: Rc<Link>,
    calls: Calls<A::Call, A::Body>,
    /// What was read and has no room in the connection yet.
    unread: Vec<u8>,
    /// Wakes the connection for what is due by time. `None` before the first turn.
    timer: Option<Pin<Box<Sleep>>>,
    /// Bytes that this turn has written.
    written: usize,
    /// Whether a flush is not complete. Only TLS holds back what was written.
    unflushed: bool,
    drain: Drain,
    pongs: u32,
    /// What of the process's memory it holds for a peer that does not read.
    share: Share,
    pressure: Pressure,
    lifetime: Option<Box<Lifetime>>,
    /// Whether the grace of its last calls is over.
    is_cut: bool,
    /// Why the connection ends, once it does.
    error: Option<ConnectionError>,
}

/// How far the drain of a connection is.
enum Drain {
    None,
    /// Requests are served as before, until it is time.
    Waits(Farewell),
    /// GOAWAY was said.
    Said,
}

/// How a turn leaves its connection.
enum Turn {
    /// It waits for the peer, a timer or a call.
    Idle,
    /// There may be more to read.
    More,
    /// It is over.
    Ended,
}

impl<'a, IO, A> Turns<'a, IO, A>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    A: Answers,
{
    /// A connection that was accepted at `opened`.
    pub(crate) fn new(
        engine: &'a Engine,
        io: IO,
        answers: A,
        opened: Instant,
        peer: &'a Peer,
    ) -> Self {
        let link = Link::new(engine.accept(opened));
        let lifetime = Lifetime::of(&engine.limits, &peer.retirements, opened);
        Self {
            engine,
            io,
            answers,
            peer,
            calls: Calls::new(link.clone()),
            link,
            unread: Vec::new(),
            timer: None,
            written: 0,
            unflushed: false,
            drain: Drain::None,
            pongs: 0,
            share: Share::default(),
            pressure: Pressure::None,
            lifetime,
            is_cut: false,
            error: None,
        }
    }

    /// Serves the connection until the peer closes it, or until `drain` is cancelled and the
    /// requests in flight are answered.
    ///
    /// # Errors
    /// [`ConnectionError`] when it ends before both sides have agreed to.
    pub(crate) async fn run(mut self, drain: &CancellationToken) -> Result<(), ConnectionError> {
        let mut draining = std::pin::pin!(drain.cancelled());
        poll_fn(|cx| self.poll(cx, draining.as_mut())).await;
        let Self { mut io, link, calls, error, share, .. } = self;
        // Calls that are open have lost their caller.
        drop(calls);
        // Closed with bytes unread, the socket would be reset, and the peer may not see GOAWAY or
        // its last reply.
        let said_goaway = link.connection.borrow().is_finished();
        // Of a peer that floods nothing more is read, for its GOAWAY's sake neither.
        let lingers = said_goaway && !error.as_ref().is_some_and(is_flood);
        drop((link, share));
        // In memory of its own, which a connection does not need before. Either way it is over.
        let _ = Box::pin(timeout(LINGER, end(&mut io, lingers))).await;
        error.map_or(Ok(()), Err)
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        draining: Pin<&mut WaitForCancellationFuture<'_>>,
    ) -> Poll<()> {
        let turn = match self.turn(cx, draining) {
            Ok(turn) => turn,
            Err(error) => {
                self.error.get_or_insert(error.into());
                Turn::Ended
            }
        };
        self.share.set(self.link.connection.borrow().copied_bytes());
        match turn {
            Turn::Ended => Poll::Ready(()),
            Turn::Idle => Poll::Pending,
            Turn::More => {
                // Others of the worker have their turn first, and so have those whose sockets have
                // become ready meanwhile: a task that wakes itself has the runtime look at the
                // sockets after 61 turns only, a task that yields has it look after each round.
                pin!(yield_now()).poll(cx)
            }
        }
    }

    fn turn(
        &mut self,
        cx: &mut Context<'_>,
        draining: Pin<&mut WaitForCancellationFuture<'_>>,
    ) -> io::Result<Turn> {
        let engine = self.engine;
        let mut buffers = engine.buffers.borrow_mut();
        let Buffers { input, work } = &mut *buffers;
        self.written = 0;
        self.link.begin_turn();
        let mut taken = 0;
        loop {
            let has_room = self.has_room();
            let read = if has_room { self.poll_read(cx, input)? } else { Poll::Pending };
            let bytes = match read {
                Poll::Ready(0) => return Ok(Turn::Ended),
                Poll::Ready(bytes) => bytes,
                Poll::Pending => 0,
            };
            self.handle(cx, &input[..bytes], now(), work)?;
            if self.is_over() {
                return Ok(Turn::Ended);
            }
            taken += bytes;
            // A peer that sends as fast as it is read would never be read to the end.
            if taken >= input.len() || self.written >= WRITE_BYTES {
                return Ok(Turn::More);
            }
            // What was written may have made room to read.
            if read.is_pending() && (has_room || !self.has_room()) {
                break;
            }
        }
        self.say_goodbye(cx, draining, work)?;
        if self.is_over() { Ok(Turn::Ended) } else { self.wait(cx, work) }
    }

    /// Answers what was read, and writes, until nothing moves any more.
    fn handle(
        &mut self,
        cx: &mut Context<'_>,
        read: &[u8],
        now: Instant,
        work: &mut Workspace,
    ) -> io::Result<()> {
        // Nothing is read while something is held.
        let held = std::mem::take(&mut self.unread);
        let mut input = if held.is_empty() { read } else { &held[..] };
        let mut first = true;
        loop {
            let moved = self.receive(&mut input, now, work);
            self.calls.poll(cx);
            let wrote = self.poll_write(cx, now, work)?;
            // What was written may have made room for what waits, here or in the connection. For
            // the first, nothing else would come back: no more is read until it is taken.
            let has_room = !input.is_empty() && self.link.connection.borrow().wants_input();
            if !has_room && (!wrote || !(moved || first)) {
                break;
            }
            first = false;
        }
        if !input.is_empty() {
            self.unread = input.to_vec();
        }
        Ok(())
    }

    /// Takes the events that `input` brings. Returns whether there were any.
    fn receive(&mut self, input: &mut &[u8], now: Instant, work: &mut Workspace) -> bool {
        let link = self.link.clone();
        let mut connection = link.connection.borrow_mut();
        let pressure = self.engine.limits.pinned.pressure();
        if pressure != self.pressure {
            self.pressure = pressure;
            connection.set_patience(Limits::patience(pressure));
        }
        let mut moved = false;
        loop {
            match connection.receive(input, now, work) {
                Ok(Some(event)) => self.take(event, &mut connection, now),
                Ok(None) => return moved,
                Err(error) => {
                    self.error.get_or_insert(error.into());
                    return moved;
                }
            }
            moved = true;
        }
    }

    fn take(&mut self, event: Event<'_>, connection: &mut Connection, now: Instant) {
        let names = A::NAMES;
        let answers = &self.answers;
        let call = |head, came, upload| {
            answers.call(messages::request(head, names, came, Incoming::ByEngine(upload)))
        };
        match event {
            Event::Request { stream, head, came, body } => {
                let reply = ReplyTo { connection, stream };
                let answered = answers.answer(Unary { head, body, came, turn: now, reply });
                if answered == Answered::No {
                    self.calls.begin(stream, Given::Whole(body), |body| call(head, came, body));
                }
            }
            Event::Head { stream, head, came, end } => {
                let body = if end { Given::None } else { Given::Follows };
                self.calls.begin(stream, body, |body| call(head, came, body));
            }
            Event::Data { stream, bytes, end } => {
                if !self.calls.push(stream, bytes, end) {
                    connection.release(stream, bytes.len());
                }
            }
            // gRPC has no trailers in requests.
            Event::Trailers { stream, .. } => {
                self.calls.push(stream, &[], true);
            }
            Event::TooLarge { stream, .. } => refuse(connection, stream),
            // Begun and dropped, so that it counts as a call of a caller that is gone.
            Event::GivenUp { head, came, .. } => drop(call(head, came, Upload::lost())),
            Event::Reset { stream, code, refused } => {
                self.calls.lose(stream);
                if let Some(reason) = refused {
                    self.report_refused(stream, code, reason);
                }
            }
            Event::Stalled { stream } => {
                self.calls.lose(stream);
                self.peer.faults.count(Fault::StreamStalled);
            }
            Event::Pong(payload) => self.pongs += u32::from(payload == PING_PAYLOAD),
            Event::GoAway(_) => {}
        }
    }

    fn report_refused(&self, stream: StreamId, code: Code, reason: &str) {
        self.peer.faults.count(Fault::StreamRefused);
        let (stream, code) = (stream.get(), code.name());
        let peer = self.peer.addr.map(display);
        debug!(peer, stream, code, reason, "HTTP/2 refused a request");
    }

    /// Whether the connection takes more of what comes.
    fn has_room(&self) -> bool {
        self.unread.is_empty() && self.link.connection.borrow().wants_input()
    }

    /// Reads what has come.
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> io::Result<Poll<usize>> {
        let mut into = ReadBuf::new(into);
        match Pin::new(&mut self.io).poll_read(cx, &mut into) {
            Poll::Ready(read) => read.map(|()| Poll::Ready(into.filled().len())),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// Writes what there is, as far as the socket takes it. Returns whether it took any.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        work: &mut Workspace,
    ) -> io::Result<bool> {
        let mut connection = self.link.connection.borrow_mut();
        let mut wrote = false;
        while self.written < WRITE_BYTES {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let used = connection.output(&mut slices);
            let io = Pin::new(&mut self.io);
            let polled = match &slices[..used] {
                [] => break,
                [one] => io.poll_write(cx, one),
                several => io.poll_write_vectored(cx, several),
            };
            match polled {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(bytes) => {
                    let bytes = bytes?;
                    connection.consumed(bytes, now, work);
                    self.written += bytes;
                }
                Poll::Pending => break,
            }
            wrote = true;
        }
        if wrote || self.unflushed {
            let flushed = Pin::new(&mut self.io).poll_flush(cx)?;
            self.unflushed = flushed.is_pending();
        }
        if wrote {
            drop(connection);
            self.link.wrote();
        }
        Ok(wrote)
    }
}

fn is_flood(error: &ConnectionError) -> bool {
    matches!(Fault::of(error), Some(Fault::Flood | Fault::Stalled))
}

/// The time on the clock that timers go by.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn refuse(connection: &mut Connection, stream: StreamId) {
    let head = tiny_cache_http2::Block::status(TOO_LARGE);
    let _gone = connection.begin(stream, &head, &[], true);
}

/// Ends our side of the connection and, where `lingers`, reads until the peer ends its own.
async fn end(io: &mut (impl AsyncRead + AsyncWrite + Unpin), lingers: bool) -> io::Result<()> {
    io.shutdown().await?;
    if !lingers {
        return Ok(());
    }
    let mut dropped = [0; 1024];
    let mut left = MOST_DISCARDED;
    loop {
        let bytes = io.read(&mut dropped).await?;
        if bytes == 0 || bytes >= left {
            return Ok(());
        }
        left -= bytes;
    }
}

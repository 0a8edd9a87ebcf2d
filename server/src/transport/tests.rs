//! The drain of a connection, on either transport, and the turns of several.

use std::{cell::RefCell, convert::Infallible, future::Ready, pin::Pin, rc::Rc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Collected, Full};
use hyper::service::service_fn;
use tiny_cache_http2::Lane;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    runtime::{Builder, LocalOptions},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    by_hyper::frames::{ACK, DATA, END_HEADERS, END_STREAM, HEADERS, Head, PING},
    *,
};

const GOAWAY: u8 = 7;

/// Bytes that a socket takes before its peer reads.
const SOCKET: usize = 1 << 20;

/// Who speaks HTTP/2.
#[derive(Clone, Copy)]
enum Transport {
    Engine,
    Hyper,
}

/// What the peer sends when it reads a PING of ours.
#[derive(PartialEq)]
enum Pings {
    Answered,
    Ignored,
}

/// `:method: POST`, `:scheme: http`, `:path: /`.
const REQUEST: [u8; 3] = [0x83, 0x86, 0x84];

async fn echo<B: http_body::Body>(request: Request<B>) -> Response<Full<Bytes>> {
    let body = request.into_body().collect().await.map(Collected::to_bytes);
    Response::new(Full::new(body.unwrap_or_default()))
}

/// Answers each request with its body.
struct Echo;

impl Answers for Echo {
    const NAMES: &'static [&'static str] = &[];
    type Call = Pin<Box<dyn Future<Output = Response<Full<Bytes>>>>>;
    type Body = Full<Bytes>;

    fn lane(_: &tiny_cache_http2::Head) -> Lane {
        Lane::Stream
    }

    fn answer(&self, _: Unary<'_>) -> Answered {
        Answered::No
    }

    fn call(&self, request: Request<Incoming>) -> Self::Call {
        Box::pin(echo(request))
    }
}

/// A peer of a connection that answers each request once it has come whole.
struct Client {
    socket: DuplexStream,
    drain: CancellationToken,
    pings: Pings,
}

impl Client {
    async fn connect(transport: Transport) -> Self {
        let (mut socket, near) = duplex(SOCKET);
        let drain = CancellationToken::new();
        let draining = drain.clone();
        tokio::task::spawn_local(async move {
            let limits = Limits { max_concurrent_streams: 10, ..Limits::default() };
            let peer = Peer::default();
            match transport {
                Transport::Hyper => {
                    let echo = service_fn(async |request: Request<hyper::body::Incoming>| {
                        Ok::<_, Infallible>(echo(request).await)
                    });
                    serve(near, echo, limits, &peer, &draining).await.unwrap();
                }
                Transport::Engine => {
                    let engine = Engine::new::<Echo>(Echo::lane, limits);
                    let opened = tokio::time::Instant::now().into_std();
                    Turns::new(&engine, near, Echo, opened, &peer).run(&draining).await.unwrap();
                }
            }
        });
        socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut client = Self { socket, drain, pings: Pings::Answered };
        client.send(4, 0, 0, &[]).await;
        // The server's own SETTINGS: it has read ours.
        while client.frame().await.kind != 4 {}
        client
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let head = Head { length: payload.len(), kind, flags, stream };
        self.socket.write_all(&[&head.encode(), payload].concat()).await.unwrap();
    }

    /// Sends a request without its end.
    async fn begin(&mut self, stream: u32) {
        self.send(HEADERS, END_HEADERS, stream, &REQUEST).await;
    }

    async fn end(&mut self, stream: u32) {
        self.send(DATA, END_STREAM, stream, b"all").await;
    }

    async fn frame(&mut self) -> Head {
        let mut head = [0; 9];
        self.socket.read_exact(&mut head).await.unwrap();
        let head = Head::parse(&head).unwrap();
        let mut payload = vec![0; head.length];
        self.socket.read_exact(&mut payload).await.unwrap();
        if head.kind == PING && !head.has(ACK) && self.pings == Pings::Answered {
            self.send(PING, ACK, 0, &payload).await;
        }
        head
    }

    /// The next end of a reply, or GOAWAY.
    async fn event(&mut self) -> Head {
        loop {
            let head = self.frame().await;
            let is_end = head.kind == DATA && head.has(END_STREAM);
            if is_end || head.kind == GOAWAY {
                return head;
            }
        }
    }

    async fn assert_silent_for(&mut self, time: Duration) {
        assert!(timeout(time, self.event()).await.is_err());
    }
}

/// Runs a test on both transports, with a clock that moves when nothing else does.
fn run(test: impl AsyncFn(Transport)) {
    for transport in [Transport::Hyper, Transport::Engine] {
        run_on(test(transport));
    }
}

fn run_on(test: impl Future<Output = ()>) {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true);
    runtime.build_local(LocalOptions::default()).unwrap().block_on(test);
}

/// GOAWAY came at once, and clients built on python-h2 lost the call.
#[test]
fn a_drain_says_goaway_after_the_open_call_is_answered() {
    run(async |transport| {
        let mut client = Client::connect(transport).await;
        client.begin(1).await;
        client.drain.cancel();
        client.assert_silent_for(QUIET_TIMEOUT / 2).await;
        client.end(1).await;
        assert_eq!(client.event().await.stream, 1);
        // Not beside the reply: such a client would not get to read it.
        client.assert_silent_for(Duration::from_millis(1)).await;
        assert_eq!(client.event().await.kind, GOAWAY);
    });
}

#[test]
fn a_call_that_comes_while_the_drain_waits_is_served_first() {
    run(async |transport| {
        let mut client = Client::connect(transport).await;
        client.drain.cancel();
        for stream in [1, 3, 5, 7] {
            client.assert_silent_for(Duration::from_millis(5)).await;
            client.begin(stream).await;
            client.end(stream).await;
            assert_eq!(client.event().await.stream, stream);
        }
        assert_eq!(client.event().await.kind, GOAWAY);
    });
}

/// A peer that has not read its reply yet would lose it to a GOAWAY in the same packet.
#[test]
fn goaway_waits_until_the_peer_has_read_its_last_reply() {
    run(async |transport| {
        let mut client = Client::connect(transport).await;
        client.begin(1).await;
        client.end(1).await;
        assert_eq!(client.event().await.stream, 1);
        client.pings = Pings::Ignored;
        client.drain.cancel();
        client.assert_silent_for(QUIET_TIMEOUT - Duration::from_millis(1)).await;
        // Whatever such a peer does, it does not hold the drain.
        assert_eq!(client.event().await.kind, GOAWAY);
    });
}

#[test]
fn a_call_that_stays_open_holds_goaway_no_longer_than_its_timeout() {
    run(async |transport| {
        let mut client = Client::connect(transport).await;
        client.begin(1).await;
        let drained = tokio::time::Instant::now();
        client.drain.cancel();
        assert_eq!(client.event().await.kind, GOAWAY);
        assert!(drained.elapsed() >= QUIET_TIMEOUT, "{:?}", drained.elapsed());
        assert!(drained.elapsed() < QUIET_TIMEOUT * 2, "{:?}", drained.elapsed());
        client.end(1).await;
        // After the second GOAWAY, which names the last request.
        let mut next = client.event().await;
        while next.kind == GOAWAY {
            next = client.event().await;
        }
        assert_eq!(next.stream, 1);
    });
}

/// The connection read no more when all that had filled its output went in one turn: a reply of
/// 16 MiB waited for a window that the peer had granted long ago.
#[test]
fn a_connection_reads_on_when_its_output_has_been_full() {
    // What the socket takes, and what then waits in the connection.
    const REPLY: usize = SOCKET + (400 << 10);
    const PAYLOAD: &[u8; 8] = b"read on!";
    run(async |transport| {
        let mut client = Client::connect(transport).await;
        // The largest windows.
        client.send(4, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]).await;
        client.send(8, 0, 0, &[0x7f, 0, 0, 0]).await;
        client.begin(1).await;
        for _ in 0..REPLY / (16 << 10) {
            client.send(DATA, 0, 1, &[b'x'; 16 << 10]).await;
            // The server grants what it takes.
            while timeout(Duration::from_millis(1), client.frame()).await.is_ok() {}
        }
        client.send(DATA, END_STREAM, 1, &[]).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        client.send(PING, 0, 0, PAYLOAD).await;
        let mut read = vec![0; SOCKET];
        client.socket.read_exact(&mut read).await.unwrap();
        let answer = Head { length: PAYLOAD.len(), kind: PING, flags: ACK, stream: 0 };
        let answer = [&answer.encode()[..], PAYLOAD].concat();
        let answered = async {
            while !read.windows(answer.len()).any(|bytes| bytes == answer) {
                read.clear();
                client.socket.read_buf(&mut read).await.unwrap();
            }
        };
        timeout(Duration::from_secs(5), answered).await.expect("the PING is answered");
    });
}

/// Answers every request with nothing, and lists whom it has answered.
struct Listing(char, Rc<RefCell<String>>);

impl Answers for Listing {
    const NAMES: &'static [&'static str] = &[];
    type Call = Ready<Response<Full<Bytes>>>;
    type Body = Full<Bytes>;

    fn lane(_: &tiny_cache_http2::Head) -> Lane {
        Lane::Whole
    }

    fn answer(&self, request: Unary<'_>) -> Answered {
        self.1.borrow_mut().push(self.0);
        request.reply.send_headers(&Response::new(()));
        Answered::Yes
    }

    fn call(&self, _: Request<Incoming>) -> Self::Call {
        unreachable!("every request comes whole")
    }
}

/// Begins to serve a peer that has sent `requests`.
async fn serve_at_once(requests: u32, listing: Listing) {
    let (mut socket, near) = duplex(1 << 20);
    let settings = Head { length: 0, kind: 4, flags: 0, stream: 0 }.encode();
    let mut bytes = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &settings].concat();
    for number in 0..requests {
        let (flags, stream) = (END_HEADERS | END_STREAM, 2 * number + 1);
        let head = Head { length: REQUEST.len(), kind: HEADERS, flags, stream };
        bytes.extend([&head.encode()[..], &REQUEST].concat());
    }
    socket.write_all(&bytes).await.unwrap();
    tokio::task::spawn_local(async move {
        let limits = Limits { max_concurrent_streams: 10, ..Limits::default() };
        let (engine, peer) = (Engine::new::<Listing>(Listing::lane, limits), Peer::default());
        let opened = tokio::time::Instant::now().into_std();
        let connection = Turns::new(&engine, near, listing, opened, &peer);
        connection.run(&CancellationToken::new()).await.unwrap();
        drop(socket);
    });
}

/// What a peer has sent ahead is answered in turns, between which others have theirs.
#[test]
fn a_peer_that_sends_without_pause_leaves_others_their_turns() {
    const REQUESTS: u32 = 50_000;
    // As many as a turn reads, and once more for those that were read before.
    const MOST: usize = 2 * (32 << 10) / (9 + REQUEST.len());
    run_on(async {
        let answered = Rc::new(RefCell::new(String::new()));
        serve_at_once(REQUESTS, Listing('b', answered.clone())).await;
        serve_at_once(1, Listing('o', answered.clone())).await;
        while answered.borrow().len() <= REQUESTS as usize {
            tokio::task::yield_now().await;
        }
        let before = answered.borrow().find('o').unwrap();
        assert!((1..=MOST).contains(&before), "{before} of {MOST}");
    });
}

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    runtime::{Builder, LocalOptions},
};

use super::*;
use crate::transport::frames::{ACK, DATA, END_HEADERS, END_STREAM, HEADERS, Head, PING};

const GOAWAY: u8 = 7;

/// What the peer sends when it reads a PING of ours.
#[derive(PartialEq)]
enum Pings {
    Answered,
    Ignored,
}

/// `:method: POST`, `:scheme: http`, `:path: /`.
const REQUEST: [u8; 3] = [0x83, 0x86, 0x84];

/// A peer of a connection that answers each request once it has come whole.
struct Client {
    socket: DuplexStream,
    drain: CancellationToken,
    pings: Pings,
}

impl Client {
    async fn connect() -> Self {
        let (mut socket, near) = duplex(1 << 20);
        let drain = CancellationToken::new();
        let draining = drain.clone();
        tokio::task::spawn_local(async move {
            let echo = service_fn(async |request: Request<Incoming>| {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::new(body)))
            });
            let limits = Limits {
                max_concurrent_streams: 10,
                handshake_timeout: Duration::from_secs(10),
                quiet_timeout: QUIET_TIMEOUT,
            };
            serve(near, echo, limits, &Peer::default(), &draining).await.unwrap();
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

/// Runs a test whose clock moves when nothing else does.
fn run(test: impl Future<Output = ()>) {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true);
    runtime.build_local(LocalOptions::default()).unwrap().block_on(test);
}

/// GOAWAY came at once, and clients built on python-h2 lost the call.
#[test]
fn a_drain_says_goaway_after_the_open_call_is_answered() {
    run(async {
        let mut client = Client::connect().await;
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
    run(async {
        let mut client = Client::connect().await;
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
    run(async {
        let mut client = Client::connect().await;
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
    run(async {
        let mut client = Client::connect().await;
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

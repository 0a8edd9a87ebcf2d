//! Peers that hold a drain up, each in its own way.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use crate::support::{
    messages::{item, key},
    wire::{self, Pending, Wire},
};

/// Larger than what a held stream takes unasked, and than what the kernel
/// buffers for a peer that reads nothing once it is asked for many times.
const LARGE: usize = 1 << 20;

/// What a held stream takes unasked: so little that the reply stays in the
/// server, and enough that the rest comes in a few round trips.
const HELD: u32 = 64 << 10;

const GET: &str = "/cache.CacheService/Get";

/// Stores the value that the peers below ask for.
pub(crate) async fn store_large_value(addr: SocketAddr) {
    let mut wire = Wire::open(wire::stream(addr, false).await).await;
    let set = item("large", vec![7; LARGE]).encode_to_vec();
    let set = wire.call("/cache.CacheService/Set", &[], &set).await;
    assert_eq!(set.unwrap().code(), tonic::Code::Ok);
}

/// Requests that the server has accepted and cannot finish, because their
/// client takes a few bytes of each reply and no more.
pub(crate) struct Held {
    _wire: Wire,
    pending: Vec<Pending>,
}

impl Held {
    pub(crate) async fn requests(addr: SocketAddr, count: usize) -> Self {
        let stream = wire::stream(addr, false).await;
        let mut wire = Wire::open_with_window(stream, HELD).await;
        let get = key("large").encode_to_vec();
        let mut pending = Vec::new();
        for _ in 0..count {
            pending.push(wire.begin(GET, &[], &get).await.unwrap());
        }
        // The answer to the PING says that the server has read the requests.
        wire.ping().await.unwrap();
        Self { _wire: wire, pending }
    }

    /// Takes the replies, all of which must come whole.
    pub(crate) async fn take(self) {
        for pending in self.pending {
            let reply = pending.reply().await.unwrap();
            assert_eq!(reply.code(), tonic::Code::Ok);
            let value: tiny_cache_proto::cache::CacheValue = reply.decoded();
            assert_eq!(value.value.len(), LARGE);
        }
    }
}

/// A connection that asks for more than the kernel buffers, and reads none of it.
pub(crate) struct Stalled {
    _wire: Wire,
    _pending: Vec<Pending>,
}

impl Stalled {
    pub(crate) async fn connection(addr: SocketAddr) -> Self {
        let socket = TcpStream::connect(addr).await.unwrap();
        // Enough for the SETTINGS of a server.
        let stalling = StopsReading { socket, left: 2048 };
        let mut wire = Wire::open(stalling).await;
        let get = key("large").encode_to_vec();
        let mut pending = Vec::new();
        for _ in 0..32 {
            pending.push(wire.begin(GET, &[], &get).await.unwrap());
        }
        Self { _wire: wire, _pending: pending }
    }
}

/// A socket that stays open and is never read again once `left` bytes came.
struct StopsReading {
    socket: TcpStream,
    left: usize,
}

impl AsyncRead for StopsReading {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Pending;
        }
        let mut part = vec![0; self.left.min(out.remaining())];
        let mut part = ReadBuf::new(&mut part);
        let polled = Pin::new(&mut self.socket).poll_read(cx, &mut part);
        self.left -= part.filled().len();
        out.put_slice(part.filled());
        polled
    }
}

impl AsyncWrite for StopsReading {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// A connection that asks for nothing, and sees each frame that it is sent.
pub(crate) struct Listener {
    socket: TcpStream,
}

impl Listener {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        // The preface, and empty SETTINGS.
        let hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        socket.write_all(hello).await.unwrap();
        Self { socket }
    }

    pub(crate) async fn ping(&mut self) -> io::Result<()> {
        self.socket.write_all(b"\0\0\x08\x06\0\0\0\0\0farewell").await
    }

    /// The next frame's type and payload, or `None` at the end. Answers PING, as
    /// every peer must.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 9];
        self.socket.read_exact(&mut head).await.ok()?;
        let [_, high, low, kind, flags, ..] = head;
        let mut payload = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        self.socket.read_exact(&mut payload).await.ok()?;
        if kind == 6 && flags & 1 == 0 {
            let mut answer = head.to_vec();
            answer[4] = 1;
            answer.extend_from_slice(&payload);
            self.socket.write_all(&answer).await.ok()?;
        }
        Some((kind, payload))
    }
}

/// Connections on which HTTP/2 never began.
pub(crate) async fn silent(addr: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut silent = Vec::new();
    for _ in 0..count {
        silent.push(TcpStream::connect(addr).await.unwrap());
    }
    silent
}

/// Connections that were used once and then left open.
pub(crate) async fn idle(addr: SocketAddr, count: usize) -> Vec<Wire> {
    let mut idle = Vec::new();
    for _ in 0..count {
        let mut wire = Wire::open(wire::stream(addr, false).await).await;
        let get = key("absent").encode_to_vec();
        wire.call(GET, &[], &get).await.unwrap();
        idle.push(wire);
    }
    idle
}

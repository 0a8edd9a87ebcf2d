//! A gRPC server that answers each call with what it was sent, whatever its path: a loop around
//! the engine to copy from, and something to drive with `httpwg`, `h2load` or a real client.
//!
//! `cargo run -p tiny-cache-http2 --example echo -- 127.0.0.1:50080`

use std::{
    env, io,
    io::IoSlice,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tiny_cache_http2::{
    Block, Body, Config, Connection, Event, Head, Lane, Limits, Reply, StreamId, Workspace,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

/// What every reply has.
struct Replies {
    head: Block,
    trailers: Block,
    too_large: Block,
}

/// A body that comes as a stream.
struct Arriving {
    stream: StreamId,
    body: Vec<u8>,
}

/// Calls whose message is small come whole; the engine hands the others over as streams.
fn lane(_head: &Head) -> Lane {
    Lane::Whole
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50080".to_owned());
    let listener = TcpListener::bind(address).await?;
    // To the letter of the RFC; a server of gRPC is not so strict.
    let config = Config::new(&["content-type"], lane, Limits::default()).strict();
    let config = Arc::new(config);
    let tasks = tokio::task::LocalSet::new();
    let accept = async {
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let connection = Connection::server(config.clone(), Instant::now());
            tokio::task::spawn_local(serve(socket, connection));
        }
    };
    tasks.run_until(accept).await
}

async fn serve(mut socket: TcpStream, mut connection: Connection) -> io::Result<()> {
    let replies = Replies {
        head: Block::status(200).field("content-type", "application/grpc"),
        trailers: Block::empty().field("grpc-status", "0"),
        too_large: Block::status(431),
    };
    let mut work = Workspace::default();
    let mut arriving = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        write(&socket, &mut connection, &mut work)?;
        if connection.is_finished() {
            return linger(&mut socket, &mut buffer).await;
        }
        // A short write must not be forgotten: what is left waits until the socket is writable.
        let (has_output, wants_input) = (connection.has_output(), connection.wants_input());
        let deadline = connection.deadline().unwrap_or_else(Instant::now);
        tokio::select! {
            ready = socket.readable(), if wants_input => ready?,
            ready = socket.writable(), if has_output => ready?,
            () = tokio::time::sleep_until(deadline.into()) => {}
        }
        let read = match socket.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let mut input = &buffer[..read];
        loop {
            receive(&mut connection, &mut input, &mut work, &mut arriving, &replies);
            write(&socket, &mut connection, &mut work)?;
            if input.is_empty() {
                break;
            }
            // The peer has to read before more is taken.
            socket.writable().await?;
        }
    }
}

/// Takes the events of a turn.
fn receive(
    connection: &mut Connection,
    input: &mut &[u8],
    work: &mut Workspace,
    arriving: &mut Vec<Arriving>,
    replies: &Replies,
) {
    let now = Instant::now();
    // After an error there is nothing to do but to write what the engine has left.
    while let Ok(Some(event)) = connection.receive(input, now, work) {
        match event {
            Event::Request { stream, body, .. } => {
                echo(connection, stream, Body::Copied(filled(body)), replies);
            }
            Event::Head { stream, end: true, .. } => {
                echo(connection, stream, Body::Copied(filled(&[])), replies);
            }
            Event::Head { stream, .. } => arriving.push(Arriving { stream, body: Vec::new() }),
            Event::Data { stream, bytes, end } => {
                let size = bytes.len();
                if let Some(call) = arriving.iter_mut().find(|call| call.stream == stream) {
                    call.body.extend_from_slice(bytes);
                }
                connection.release(stream, size);
                if end {
                    finish(connection, stream, arriving, replies);
                }
            }
            Event::Trailers { stream, .. } => finish(connection, stream, arriving, replies),
            Event::TooLarge { stream, .. } => {
                let _ = connection.begin(stream, &replies.too_large, &[], true);
            }
            Event::Reset { stream, .. } | Event::Stalled { stream } => {
                arriving.retain(|call| call.stream != stream);
            }
            Event::GivenUp { .. } | Event::Pong(_) | Event::GoAway(_) => {}
        }
    }
}

fn finish(
    connection: &mut Connection,
    stream: StreamId,
    arriving: &mut Vec<Arriving>,
    replies: &Replies,
) {
    let Some(place) = arriving.iter().position(|call| call.stream == stream) else { return };
    let call = arriving.swap_remove(place);
    echo(connection, stream, Body::Lent([Bytes::from(call.body)].into()), replies);
}

/// A test of windows wants a reply that has bytes.
fn filled(body: &[u8]) -> &[u8] {
    if body.is_empty() { b"nothing to echo" } else { body }
}

fn echo(connection: &mut Connection, stream: StreamId, body: Body<'_>, replies: &Replies) {
    let (head, trailers) = (&replies.head, &replies.trailers);
    let reply = Reply { head, fields: &[], body, trailers, trailer_fields: &[] };
    // The client may have cancelled the call, which is no error.
    let _ = connection.reply(stream, reply);
}

/// Writes what the socket takes.
fn write(socket: &TcpStream, connection: &mut Connection, work: &mut Workspace) -> io::Result<()> {
    loop {
        let mut slices = [IoSlice::new(&[]); 64];
        let used = connection.output(&mut slices);
        if used == 0 {
            return Ok(());
        }
        match socket.try_write_vectored(&slices[..used]) {
            Ok(written) => connection.consumed(written, Instant::now(), work),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Says that nothing more comes, and reads until the peer closes, for a second: a socket that is
/// closed with bytes unread is reset, and the peer may not see the last frames.
async fn linger(socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    socket.shutdown().await?;
    let end = tokio::time::Instant::now() + Duration::from_secs(1);
    while tokio::time::timeout_at(end, socket.readable()).await.is_ok() {
        match socket.try_read(buffer) {
            Ok(0) => break,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

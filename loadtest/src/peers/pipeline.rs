//! A connection with many requests under way. One task writes the commands, as many at once as
//! there are; another reads the replies, which come in the same order, and hands each to its
//! caller. The reply of a caller that stopped waiting is read and dropped.

use std::{
    fmt::Debug,
    sync::{Arc, OnceLock},
};

use bytes::{Buf, Bytes, BytesMut};
use tiny_cache_client::transport::tls_words;
use tokio::{
    io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot},
};
use tokio_rustls::TlsConnector;

use super::{address::HostPort, error::CallError, tls::PlainTls};

/// Most requests that are written at once.
const BATCH: usize = 256;

/// Room to read into.
const READ: usize = 16 << 10;

/// Cuts the replies of a protocol into pieces.
pub(crate) trait Speech: Default + Send + 'static {
    /// A part of a reply.
    type Piece: Debug + Send;

    /// Takes the next piece, if all of it is there.
    ///
    /// # Errors
    ///
    /// What is there is nothing that such a server sends.
    fn cut(&mut self, input: &mut BytesMut) -> Result<Option<Self::Piece>, String>;

    /// How many replies are awaited after this piece, if `awaited` were before it.
    fn awaited_after(awaited: usize, piece: &Self::Piece) -> usize;

    /// Whether it is an error after which the server may have taken data for commands, so
    /// that it is not known any more which reply is whose.
    fn is_out_of_step(piece: &Self::Piece) -> bool;
}

/// Commands that are sent together.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    bytes: Vec<u8>,
    /// Replies to come.
    awaited: usize,
}

impl Commands {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Where one more command goes.
    pub(super) fn open(&mut self) -> &mut Vec<u8> {
        self.awaited += 1;
        &mut self.bytes
    }
}

/// Who waits for how many replies.
struct Waiting<P> {
    awaited: usize,
    reply: oneshot::Sender<Vec<P>>,
}

/// What is to be sent, and for whom.
type Asked<P> = (Commands, oneshot::Sender<Vec<P>>);

/// A connection. It is closed with the value.
#[derive(Debug)]
pub(crate) struct Connection<S: Speech> {
    requests: mpsc::UnboundedSender<Asked<S::Piece>>,
    /// Why it ended, from then on.
    end: Arc<OnceLock<String>>,
}

impl<S: Speech> Connection<S> {
    /// Connects, with TLS if it is given.
    pub(super) async fn open(
        address: &HostPort,
        tls: Option<&PlainTls>,
    ) -> Result<Self, CallError> {
        let failed = |error: io::Error| CallError::Connection(error.to_string());
        let HostPort { host, port } = address;
        let socket = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
        // A request waits for no other one to share its packet.
        socket.set_nodelay(true).map_err(failed)?;
        let Some(PlainTls { config, name }) = tls else {
            let (read, write) = socket.into_split();
            return Ok(Self::of_halves(read, write));
        };
        let stream = TlsConnector::from(Arc::clone(config)).connect(name.clone(), socket).await;
        let failed = |error: io::Error| {
            let words = tls_words(&error).unwrap_or_else(|| error.to_string());
            CallError::Connection(format!("TLS: {words}"))
        };
        let (read, write) = io::split(stream.map_err(failed)?);
        Ok(Self::of_halves(read, write))
    }

    fn of_halves(
        half: impl AsyncRead + Send + Unpin + 'static,
        write: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let (requests, asked) = mpsc::unbounded_channel();
        let (await_reply, waiting) = mpsc::unbounded_channel();
        let end = Arc::<OnceLock<String>>::default();
        tokio::spawn(write_requests(asked, await_reply, write));
        let reader = Reader { half, input: BytesMut::new(), speech: S::default() };
        tokio::spawn(reader.hand_out(waiting, Arc::clone(&end)));
        Self { requests, end }
    }

    /// Whether it was closed or broke.
    pub(super) fn has_ended(&self) -> bool {
        self.end.get().is_some() || self.requests.is_closed()
    }

    /// Sends commands and waits for the replies to all of them.
    pub(super) async fn ask(&self, commands: Commands) -> Result<Vec<S::Piece>, CallError> {
        let (reply, replied) = oneshot::channel();
        let sent = self.requests.send((commands, reply));
        if let (Ok(()), Ok(reply)) = (sent, replied.await) {
            return Ok(reply);
        }
        let why = self.end.get().map_or("the connection broke", String::as_str);
        Err(CallError::Connection(why.to_owned()))
    }
}

/// Writes requests until the connection is dropped or its reader has ended.
async fn write_requests<P>(
    mut asked: mpsc::UnboundedReceiver<Asked<P>>,
    await_reply: mpsc::UnboundedSender<Waiting<P>>,
    mut half: impl AsyncWrite + Unpin,
) {
    let (mut batch, mut out) = (Vec::new(), Vec::new());
    loop {
        tokio::select! {
            () = await_reply.closed() => return,
            count = asked.recv_many(&mut batch, BATCH) => if count == 0 { return },
        }
        out.clear();
        for (Commands { bytes, awaited }, reply) in batch.drain(..) {
            out.extend_from_slice(&bytes);
            // Where the reader has ended, the next turn of the loop is the last.
            let _ = await_reply.send(Waiting { awaited, reply });
        }
        tokio::select! {
            () = await_reply.closed() => return,
            // The reader learns as well that the connection broke, and says so.
            written = write(&mut half, &out) => if written.is_err() { return },
        }
    }
}

/// Writes all, out of the buffers of TLS as well.
async fn write(half: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    half.write_all(bytes).await?;
    half.flush().await
}

/// Reads the replies.
struct Reader<S, R> {
    half: R,
    input: BytesMut,
    speech: S,
}

impl<S: Speech, R: AsyncRead + Unpin> Reader<S, R> {
    /// Hands out replies until the connection is dropped or broken.
    async fn hand_out(
        mut self,
        mut waiting: mpsc::UnboundedReceiver<Waiting<S::Piece>>,
        end: Arc<OnceLock<String>>,
    ) {
        loop {
            let next = tokio::select! {
                // A reply is awaited before its request is sent.
                biased;
                next = waiting.recv() => next,
                piece = self.piece() => {
                    let _ = end.set(piece.map_or_else(|why| why, |piece| stray(&piece)));
                    return;
                }
            };
            let Some(Waiting { awaited, reply }) = next else { return };
            // The reason is set before the callers see that it ended.
            match self.reply(awaited).await {
                Ok(pieces) => {
                    if let Some(piece) = pieces.iter().find(|piece| S::is_out_of_step(piece)) {
                        let _ = end.set(format!("closed after {piece:?}"));
                    }
                    // Whoever waited may have left.
                    let _ = reply.send(pieces);
                }
                Err(why) => {
                    let _ = end.set(why);
                }
            }
            if end.get().is_some() {
                return;
            }
        }
    }

    async fn reply(&mut self, mut awaited: usize) -> Result<Vec<S::Piece>, String> {
        let mut pieces = Vec::new();
        while awaited > 0 {
            let piece = self.piece().await?;
            awaited = S::awaited_after(awaited, &piece);
            pieces.push(piece);
        }
        Ok(pieces)
    }

    /// The next piece. Nothing is lost where this is dropped half way.
    async fn piece(&mut self) -> Result<S::Piece, String> {
        loop {
            let cut = self.speech.cut(&mut self.input);
            if let Some(piece) = cut.map_err(|why| format!("bad reply: {why}"))? {
                return Ok(piece);
            }
            self.input.reserve(READ);
            let read = self.half.read_buf(&mut self.input).await;
            if read.map_err(|error| error.to_string())? == 0 {
                return Err("the server closed the connection".to_owned());
            }
        }
    }
}

fn stray(piece: &impl Debug) -> String {
    format!("the server sent {piece:?} though nothing was asked")
}

/// Cuts lines, and remembers how far it has looked for the end of one.
#[derive(Debug, Default)]
pub(super) struct Lines {
    looked: usize,
}

impl Lines {
    /// Takes the next line with its line feed, if all of it is there.
    pub(super) fn cut(
        &mut self,
        input: &mut BytesMut,
        longest: usize,
    ) -> Result<Option<Bytes>, String> {
        let end = input[self.looked..].iter().position(|byte| *byte == b'\n');
        let length = self.looked + end.unwrap_or(input.len() - self.looked);
        if length > longest {
            return Err(format!("a line of more than {longest} bytes"));
        }
        self.looked = if end.is_some() { 0 } else { length };
        Ok(end.map(|_| input.split_to(length + 1).freeze()))
    }
}

/// Takes a value of a known length and the line end behind it, if all of it is there.
pub(super) fn cut_value(input: &mut BytesMut, bytes: usize) -> Result<Option<Bytes>, String> {
    if input.len() < bytes + 2 {
        input.reserve(bytes + 2 - input.len());
        return Ok(None);
    }
    let value = input.split_to(bytes).freeze();
    if !input.starts_with(b"\r\n") {
        return Err(format!("a value is longer than the {bytes} bytes of its header"));
    }
    input.advance(2);
    Ok(Some(value))
}

/// Cuts a stream that arrives in packets of this size.
#[cfg(test)]
pub(super) fn cut_all<S: Speech>(stream: &[u8], packet: usize) -> Result<Vec<S::Piece>, String> {
    let (mut cutter, mut input, mut pieces) = (S::default(), BytesMut::new(), Vec::new());
    for packet in stream.chunks(packet) {
        input.extend_from_slice(packet);
        while let Some(piece) = cutter.cut(&mut input)? {
            pieces.push(piece);
        }
    }
    assert!(input.is_empty(), "{input:?} is left");
    Ok(pieces)
}

//! A client one level below gRPC: sees initial metadata and trailers apart,
//! knows when bytes went out, and may misbehave. Knows HTTP/2 frames and the
//! five-byte gRPC prefix, and nothing of the cache.

use std::{net::SocketAddr, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use h2::{
    RecvStream,
    client::{ResponseFuture, SendRequest},
};
use http::{HeaderMap, Request, Response};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::{Code, Status};

use super::certificates::{Certificates, Identity, SERVER_NAME};

pub(crate) use super::http::Stream;

/// Connects, over TLS when asked, and sends nothing yet on top.
pub(crate) async fn stream(addr: SocketAddr, tls: bool) -> Box<dyn Stream> {
    let socket = TcpStream::connect(addr).await.unwrap();
    socket.set_nodelay(true).unwrap();
    if tls { Box::new(encrypt(socket, None).await) } else { Box::new(socket) }
}

/// Connects over TLS with a certificate of the client's.
pub(crate) async fn stream_as(addr: SocketAddr, identity: &Identity) -> Box<dyn Stream> {
    let socket = TcpStream::connect(addr).await.unwrap();
    socket.set_nodelay(true).unwrap();
    Box::new(encrypt(socket, Some(identity)).await)
}

/// Connects over TLS, through a hand that passes on `piece` bytes at a time and pauses.
pub(crate) async fn encrypted_in_pieces(addr: SocketAddr, piece: usize) -> Box<dyn Stream> {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let (ours, mut theirs) = tokio::io::duplex(64 << 10);
    tokio::spawn(async move {
        let (mut from, mut to) = socket.split();
        let (mut read, mut write) = tokio::io::split(&mut theirs);
        let outward = async {
            let mut buffer = vec![0; piece];
            loop {
                let size = read.read(&mut buffer).await?;
                if size == 0 {
                    return to.shutdown().await;
                }
                to.write_all(&buffer[..size]).await?;
                tokio::task::yield_now().await;
            }
        };
        let _ = tokio::join!(outward, tokio::io::copy(&mut from, &mut write));
    });
    Box::new(encrypt(ours, None).await)
}

/// The client's side of TLS.
async fn encrypt<IO: Stream>(socket: IO, identity: Option<&Identity>) -> TlsStream<IO> {
    let mut roots = RootCertStore::empty();
    let authority = Certificates::of_this_process().authority.as_bytes();
    roots.add(CertificateDer::from_pem_slice(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => config.with_no_client_auth(),
        Some(Identity { certificate, key, .. }) => {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            config.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = SERVER_NAME.try_into().unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap()
}

/// One HTTP/2 connection. Dropping it closes the socket.
pub(crate) struct Wire {
    send: SendRequest<Bytes>,
    pings: h2::PingPong,
    driver: JoinHandle<Result<(), h2::Error>>,
}

impl Wire {
    /// Opens a connection with windows large enough for every test's replies.
    pub(crate) async fn open(stream: impl Stream + 'static) -> Self {
        Self::open_with_window(stream, 64 << 20).await
    }

    /// As [`Wire::open`], where the peer may refuse.
    ///
    /// # Errors
    ///
    /// Fails where the connection ends before it is set up.
    pub(crate) async fn connect(stream: impl Stream + 'static) -> Result<Self, h2::Error> {
        Self::try_open(stream, 64 << 20).await
    }

    /// Opens a connection whose streams take at most `window` bytes of a reply
    /// before the client asks for more.
    pub(crate) async fn open_with_window(stream: impl Stream + 'static, window: u32) -> Self {
        Self::try_open(stream, window).await.unwrap()
    }

    async fn try_open(stream: impl Stream + 'static, window: u32) -> Result<Self, h2::Error> {
        let (send, mut connection) = h2::client::Builder::new()
            .initial_window_size(window)
            .initial_connection_window_size(64 << 20)
            .enable_push(false)
            .handshake(stream)
            .await?;
        let pings = connection.ping_pong().unwrap();
        Ok(Self { send, pings, driver: tokio::spawn(connection) })
    }

    /// Sends one request and reads the whole reply.
    ///
    /// # Errors
    ///
    /// Fails as the HTTP/2 stream does; a gRPC error is a [`Reply`].
    pub(crate) async fn call(
        &mut self,
        path: &str,
        metadata: &[(&str, &[u8])],
        message: &[u8],
    ) -> Result<Reply, h2::Error> {
        self.begin(path, metadata, message).await?.reply().await
    }

    /// Sends one request, and does not wait for anything of the reply.
    ///
    /// # Errors
    ///
    /// Fails where the connection takes no new stream.
    pub(crate) async fn begin(
        &mut self,
        path: &str,
        metadata: &[(&str, &[u8])],
        message: &[u8],
    ) -> Result<Pending, h2::Error> {
        self.begin_framed(path, metadata, framed(false, message)).await
    }

    /// As [`Wire::begin`], with a body that carries its gRPC prefix already.
    pub(crate) async fn begin_framed(
        &mut self,
        path: &str,
        metadata: &[(&str, &[u8])],
        body: Bytes,
    ) -> Result<Pending, h2::Error> {
        let mut request = Request::post(format!("http://{SERVER_NAME}{path}"))
            .version(http::Version::HTTP_2)
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in metadata {
            request = request.header(*name, *value);
        }
        let mut send = self.send.clone().ready().await?;
        let (response, mut stream) = send.send_request(request.body(()).unwrap(), false)?;
        // A server that needs no more than the headers may have answered already,
        // and closed the stream: the reply tells.
        let _ = stream.send_data(body, true);
        Ok(Pending { response })
    }

    /// Sends a request as it stands: each piece of its body as a DATA frame, then trailers.
    /// With neither, its headers end the stream.
    ///
    /// # Errors
    ///
    /// Fails where the connection takes no new stream.
    pub(crate) async fn send(
        &mut self,
        request: Request<()>,
        pieces: &[Bytes],
        trailers: Option<HeaderMap>,
    ) -> Result<Pending, h2::Error> {
        let mut send = self.send.clone().ready().await?;
        let headers_alone = pieces.is_empty() && trailers.is_none();
        let (response, mut stream) = send.send_request(request, headers_alone)?;
        // A server that has answered already may have closed the stream: the reply tells.
        for (index, piece) in pieces.iter().enumerate() {
            let last = index + 1 == pieces.len() && trailers.is_none();
            let _ = stream.send_data(piece.clone(), last);
        }
        if let Some(trailers) = trailers {
            let _ = stream.send_trailers(trailers);
        }
        Ok(Pending { response })
    }

    /// Begins a request and stops half-way: more of its body is to come, and never does
    /// while what this returns is held.
    ///
    /// # Errors
    ///
    /// Fails where the connection takes no new stream.
    pub(crate) async fn stall(
        &mut self,
        path: &str,
        begun: Bytes,
    ) -> Result<(ResponseFuture, h2::SendStream<Bytes>), h2::Error> {
        self.stall_with(path, &[], begun).await
    }

    /// As [`Wire::stall`], with metadata; a `content-type` among it replaces gRPC's.
    ///
    /// # Errors
    ///
    /// Fails where the connection takes no new stream.
    pub(crate) async fn stall_with(
        &mut self,
        path: &str,
        metadata: &[(&str, &[u8])],
        begun: Bytes,
    ) -> Result<(ResponseFuture, h2::SendStream<Bytes>), h2::Error> {
        let mut request = Request::post(format!("http://{SERVER_NAME}{path}"))
            .version(http::Version::HTTP_2)
            .header("te", "trailers");
        if metadata.iter().all(|(name, _)| *name != "content-type") {
            request = request.header("content-type", "application/grpc");
        }
        for (name, value) in metadata {
            request = request.header(*name, *value);
        }
        let mut send = self.send.clone().ready().await?;
        let (response, mut stream) = send.send_request(request.body(()).unwrap(), false)?;
        stream.send_data(begun, false)?;
        Ok((response, stream))
    }

    /// Returns when the peer has read and answered everything that was sent
    /// before: PING frames keep their place among the others.
    ///
    /// # Errors
    ///
    /// Fails where the connection is gone.
    pub(crate) async fn ping(&mut self) -> Result<(), h2::Error> {
        self.pings.ping(h2::Ping::opaque()).await.map(drop)
    }

    /// Returns when the connection has ended.
    ///
    /// # Errors
    ///
    /// Fails where it ended otherwise than by GOAWAY and a close.
    pub(crate) async fn ended(&mut self) -> Result<(), h2::Error> {
        (&mut self.driver).await.unwrap()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A request that went out.
pub(crate) struct Pending {
    response: ResponseFuture,
}

impl Pending {
    /// Waits for the initial metadata alone.
    pub(crate) async fn headers(self) -> Result<Started, h2::Error> {
        let (head, body) = self.response.await?.into_parts();
        Ok(Started { initial: head.headers, body })
    }

    /// Waits for the response as HTTP has it.
    pub(crate) async fn http(self) -> Result<Response<RecvStream>, h2::Error> {
        self.response.await
    }

    /// Reads the whole reply.
    pub(crate) async fn reply(self) -> Result<Reply, h2::Error> {
        self.headers().await?.rest().await
    }
}

/// A reply whose initial metadata has come.
pub(crate) struct Started {
    pub(crate) initial: HeaderMap,
    body: RecvStream,
}

impl Started {
    /// Reads the rest of the reply.
    pub(crate) async fn rest(mut self) -> Result<Reply, h2::Error> {
        let headers_ended_it = self.body.is_end_stream();
        let mut message = BytesMut::new();
        while let Some(chunk) = self.body.data().await {
            let chunk = chunk?;
            self.body.flow_control().release_capacity(chunk.len())?;
            message.extend_from_slice(&chunk);
        }
        let trailers = self.body.trailers().await?;
        let status = trailers
            .as_ref()
            .and_then(Status::from_header_map)
            .or_else(|| Status::from_header_map(&self.initial))
            .expect("a gRPC reply carries a status");
        Ok(Reply {
            initial: self.initial,
            headers_ended_it,
            status,
            message: message.get(5..).map(Bytes::copy_from_slice),
            body: message.freeze(),
        })
    }
}

/// A whole gRPC reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) initial: HeaderMap,
    /// Whether the reply was trailers-only: one HEADERS frame with END_STREAM. gRPC clients
    /// read all of it as trailing metadata.
    pub(crate) headers_ended_it: bool,
    pub(crate) status: Status,
    /// Without its prefix; absent where the reply is an error.
    pub(crate) message: Option<Bytes>,
    /// Every message of the reply, prefixes included.
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn code(&self) -> Code {
        self.status.code()
    }

    /// The reply's message, decoded.
    pub(crate) fn decoded<M: prost::Message + Default>(&self) -> M {
        M::decode(self.message.clone().expect("the reply has a message")).unwrap()
    }

    pub(crate) fn initial(&self, name: &str) -> Option<&str> {
        self.initial.get(name).map(|value| value.to_str().unwrap())
    }
}

/// The headers of a gRPC call, for [`Wire::send`].
pub(crate) fn call(path: &str) -> Request<()> {
    Request::post(format!("http://{SERVER_NAME}{path}"))
        .version(http::Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

/// A message behind gRPC's prefix.
pub(crate) fn framed(compressed: bool, message: &[u8]) -> Bytes {
    let mut body = BytesMut::with_capacity(message.len() + 5);
    body.put_u8(compressed.into());
    body.put_u32(message.len().try_into().unwrap());
    body.extend_from_slice(message);
    body.freeze()
}

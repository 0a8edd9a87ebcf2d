//! A small HTTP/1.1 client that keeps its connection, for the server's HTTP
//! side. Knows bodies with a length, which is all that the server sends.

use std::{io, net::SocketAddr};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream},
    net::TcpStream,
};

/// A plain or an encrypted stream.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// One keep-alive connection.
pub(crate) struct Http {
    stream: BufStream<Box<dyn Stream>>,
}

/// One response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    /// The body as text, where it is text.
    pub(crate) body: String,
    pub(crate) bytes: Vec<u8>,
}

impl Http {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Fails where nobody listens.
    pub(crate) async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(addr).await?;
        socket.set_nodelay(true)?;
        Ok(Self::over(socket))
    }

    /// A client on this connection.
    pub(crate) fn over(socket: impl Stream + 'static) -> Self {
        Self { stream: BufStream::new(Box::new(socket)) }
    }

    /// `GET path`.
    ///
    /// # Errors
    ///
    /// Fails where the connection ends before the response does.
    pub(crate) async fn get(&mut self, path: &str) -> io::Result<Response> {
        self.send("GET", path, &[]).await
    }

    /// A request without a body.
    ///
    /// # Errors
    ///
    /// Fails where the connection ends before the response does.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> io::Result<Response> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        self.stream.write_all((head + "\r\n").as_bytes()).await?;
        self.stream.flush().await?;
        self.response().await
    }

    /// A request with a body.
    ///
    /// # Errors
    ///
    /// Fails where the connection ends before the response does.
    pub(crate) async fn send_body(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> io::Result<Response> {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n"
        );
        self.stream.write_all(&[head.as_bytes(), body].concat()).await?;
        self.stream.flush().await?;
        self.response().await
    }

    async fn response(&mut self) -> io::Result<Response> {
        let line = self.line().await?;
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap();
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: String::new(), bytes: Vec::new() };
        let length = response
            .header("content-length")
            .map_or(0, |length| length.parse().expect("content-length is a number"));
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        response.body = String::from_utf8_lossy(&body).into_owned();
        response.bytes = body;
        Ok(response)
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }
}

/// The value of the one sample named `name`, which has no labels.
pub(crate) fn sample(metrics: &str, name: &str) -> Option<f64> {
    metrics.lines().find_map(|line| {
        let (known, value) = line.split_once(' ')?;
        (known == name).then(|| value.split(' ').next().unwrap().parse().unwrap())
    })
}

//! One connection: a socket that does not block, TLS or none, and a protocol.

use std::io::{self, ErrorKind, Read, Write};

use anyhow::{Context, Result, bail};
use mio::{Interest, Registry, Token, net::TcpStream};
use rustls::ClientConnection;

use super::Target;
use crate::{
    protocol::{Protocol, Request},
    work::Value,
};

#[derive(Debug)]
pub(super) struct Connection {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    protocol: Box<dyn Protocol>,
    /// Received bytes that are no complete reply yet.
    rest: Vec<u8>,
    out: Vec<u8>,
}

impl Connection {
    /// Connects, and waits for the handshake of TLS.
    pub(super) fn open(
        target: &Target,
        value: Value,
        registry: &Registry,
        token: usize,
    ) -> Result<Self> {
        let mut socket = std::net::TcpStream::connect(target.address())
            .with_context(|| format!("connecting to {}", target.address()))?;
        socket.set_nodelay(true)?;
        let mut tls = None;
        if let Some(trust) = &target.trust {
            let mut session = Box::new(trust.session()?);
            while session.is_handshaking() {
                session.complete_io(&mut socket).context("handshake of TLS")?;
            }
            tls = Some(session);
        }
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        registry.register(&mut socket, Token(token), Interest::READABLE | Interest::WRITABLE)?;
        let mut protocol = target.wire.client(value, tls.is_some());
        let mut out = Vec::new();
        protocol.open(&mut out);
        Ok(Self { socket, tls, protocol, rest: Vec::new(), out })
    }

    /// Appends a request to what [`Connection::flush`] sends.
    pub(super) fn send(&mut self, request: Request<'_>) {
        self.protocol.send(request, &mut self.out);
    }

    /// Takes all that has arrived. epoll tells of a socket once, so it is read until it is empty.
    pub(super) fn receive(&mut self, buffer: &mut [u8], answered: &mut Vec<u64>) -> Result<()> {
        loop {
            match self.read(buffer) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(read) => {
                    self.take(&buffer[..read], answered)?;
                    // A socket that gave less than it was asked for is empty.
                    if self.tls.is_none() && read < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("reading"),
            }
        }
    }

    fn take(&mut self, input: &[u8], answered: &mut Vec<u64>) -> Result<()> {
        if self.rest.is_empty() {
            let taken = self.protocol.receive(input, &mut self.out, answered)?;
            self.rest.extend_from_slice(&input[taken..]);
        } else {
            self.rest.extend_from_slice(input);
            let taken = self.protocol.receive(&self.rest, &mut self.out, answered)?;
            self.rest.drain(..taken);
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.read(buffer) };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if tls.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
        }
    }

    /// Sends what there is; what the socket does not take now goes with the next flush, for which
    /// epoll gives the occasion.
    pub(super) fn flush(&mut self) -> Result<()> {
        let sent = match &mut self.tls {
            None => write(&mut self.socket, &self.out),
            Some(tls) => {
                tls.writer().write_all(&self.out)?;
                flush_tls(tls, &mut self.socket).map(|()| self.out.len())
            }
        };
        self.out.drain(..sent.context("writing")?);
        Ok(())
    }
}

fn write(socket: &mut TcpStream, out: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < out.len() {
        match socket.write(&out[sent..]) {
            Ok(written) => sent += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

fn flush_tls(tls: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(socket) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

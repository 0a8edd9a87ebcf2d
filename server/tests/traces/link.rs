//! A link to a collector that fails: its first connections do what a test wants, those after
//! them are forwarded.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is closed when the first request begins.
    Closes,
    /// The first request is answered with a GOAWAY whose last stream is 0.
    GoesAway,
    /// The first request is answered with a RST_STREAM of this code.
    ResetsStream(u8),
    /// It is accepted and read, but never written to.
    SaysNothing,
}

/// What becomes of the connections that are forwarded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Not,
    /// They carry nothing any more, and neither side learns of it.
    Silently,
    ByReset,
}

pub(crate) struct Link {
    addr: SocketAddr,
    cut: watch::Sender<Cut>,
}

impl Link {
    pub(crate) async fn to(collector: SocketAddr, faults: &'static [Fault]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (cut, cuts) = watch::channel(Cut::Not);
        tokio::spawn(async move {
            let mut faults = faults.iter();
            while let Ok((socket, _)) = listener.accept().await {
                match faults.next() {
                    Some(fault) => drop(tokio::spawn(fail(socket, *fault))),
                    None => drop(tokio::spawn(forward(socket, collector, cuts.clone()))),
                }
            }
        });
        Self { addr, cut }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops to forward what the connections of now carry. Those to come are forwarded.
    pub(crate) fn fall_silent(&self) {
        self.cut.send_replace(Cut::Silently);
    }

    /// Resets the connections of now. Those to come are forwarded.
    pub(crate) fn reset(&self) {
        self.cut.send_replace(Cut::ByReset);
    }
}

async fn forward(mut socket: TcpStream, to: SocketAddr, mut cuts: watch::Receiver<Cut>) {
    let mut collector = TcpStream::connect(to).await.unwrap();
    cuts.mark_unchanged();
    tokio::select! {
        _ = copy_bidirectional(&mut socket, &mut collector) => return,
        _ = cuts.changed() => {}
    }
    if *cuts.borrow() == Cut::Silently {
        std::future::pending::<()>().await;
    }
    socket.set_zero_linger().unwrap();
}

/// HTTP/2 by hand: a library would answer as it should.
async fn fail(mut socket: TcpStream, fault: Fault) {
    let mut rest = Vec::new();
    if fault != Fault::SaysNothing {
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        socket.write_all(&settings).await.unwrap();
        first_request(&mut socket).await;
        let answer: &[u8] = match fault {
            Fault::GoesAway => &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            Fault::ResetsStream(code) => &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, code],
            Fault::Closes | Fault::SaysNothing => &[],
        };
        socket.write_all(answer).await.unwrap();
    }
    if fault == Fault::Closes {
        socket.shutdown().await.unwrap();
    }
    let _ = socket.read_to_end(&mut rest).await;
}

/// Reads up to the first HEADERS frame.
async fn first_request(socket: &mut TcpStream) {
    let mut preface = [0; 24];
    socket.read_exact(&mut preface).await.unwrap();
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await.unwrap();
        let [a, b, c, kind, ..] = head;
        let mut frame = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        socket.read_exact(&mut frame).await.unwrap();
        if kind == 1 {
            return;
        }
    }
}

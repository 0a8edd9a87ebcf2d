//! A peer that hands calls back unprocessed, as nginx does after `keepalive_requests` and a
//! server that is busy with as many streams as it allows: they are sent again, and are no
//! errors.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod program;

use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use program::{Load, Run, loadtest};

/// Frame types and flags of RFC 9113.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const REFUSED_STREAM: u32 = 7;

/// `:status: 200` and `content-type: application/grpc`, in HPACK.
const HEAD: &[u8] = b"\x88\x00\x0ccontent-type\x10application/grpc";
/// `grpc-status: 0`.
const TRAILERS: &[u8] = b"\x00\x0bgrpc-status\x010";
/// A message without fields: a Get's miss, or the figures of Stats.
const EMPTY: &[u8] = &[0, 0, 0, 0, 0];
/// A Set's status OK.
const STORED: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
/// A request beyond this size is a Set.
const LARGE: usize = 300;

/// What a peer does with calls that it does not want.
#[derive(Clone, Copy)]
enum Peer {
    /// Goes away after so many streams of a connection.
    GoesAwayAfter(u32),
    /// Refuses each stream of these.
    RefusesEach(u32),
    /// Goes away before the first.
    TakesNothing,
}

impl Peer {
    fn start(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                // A connection that breaks ends its thread.
                thread::spawn(move || self.serve(&socket));
            }
        });
        address
    }

    fn serve(self, socket: &TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let (mut input, mut out) = (BufReader::new(socket), socket);
        input.read_exact(&mut [0; 24])?;
        // A large window for each stream, and one for the connection.
        let window = (1_u32 << 30).to_be_bytes();
        out.write_all(&frame(SETTINGS, 0, 0, &[&[0, 4][..], &window].concat()))?;
        out.write_all(&frame(WINDOW_UPDATE, 0, 0, &window))?;
        let (mut sizes, mut taken, mut is_going) = (BTreeMap::<u32, usize>::new(), 0, false);
        loop {
            let (kind, flags, stream, payload) = read(&mut input)?;
            match kind {
                SETTINGS if flags & ACK == 0 => out.write_all(&frame(SETTINGS, ACK, 0, &[]))?,
                PING if flags & ACK == 0 => out.write_all(&frame(PING, ACK, 0, &payload))?,
                HEADERS if is_going => {}
                HEADERS => {
                    taken += 1;
                    let most = match self {
                        Self::GoesAwayAfter(most) => most,
                        Self::TakesNothing => 0,
                        Self::RefusesEach(each) if taken % each == 0 => {
                            let why = REFUSED_STREAM.to_be_bytes();
                            out.write_all(&frame(RST_STREAM, 0, stream, &why))?;
                            continue;
                        }
                        Self::RefusesEach(_) => u32::MAX,
                    };
                    if taken > most {
                        is_going = true;
                        // Streams of a client have odd numbers.
                        let last = stream.saturating_sub(2).to_be_bytes();
                        out.write_all(&frame(GOAWAY, 0, 0, &[last, [0; 4]].concat()))?;
                        continue;
                    }
                    sizes.insert(stream, 0);
                }
                DATA => {
                    if let Some(size) = sizes.get_mut(&stream) {
                        *size += payload.len();
                    }
                }
                _ => continue,
            }
            if matches!(kind, HEADERS | DATA)
                && flags & END_STREAM != 0
                && let Some(size) = sizes.remove(&stream)
            {
                let message = if size > LARGE { STORED } else { EMPTY };
                out.write_all(&frame(HEADERS, END_HEADERS, stream, HEAD))?;
                out.write_all(&frame(DATA, 0, stream, message))?;
                out.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, stream, TRAILERS))?;
            }
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Type, flags, stream and payload of the next frame.
fn read(input: &mut impl Read) -> io::Result<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    input.read_exact(&mut head)?;
    let [a, b, c, kind, flags, stream @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    input.read_exact(&mut payload)?;
    Ok((kind, flags, u32::from_be_bytes(stream) & (u32::MAX >> 1), payload))
}

/// A prefill through nginx ended at the first GOAWAY, and runs had errors.
#[test]
fn calls_that_a_peer_hands_back_are_sent_again() {
    for peer in [Peer::GoesAwayAfter(50), Peer::RefusesEach(10)] {
        let target = peer.start().to_string();
        for pace in ["--rate max --in-flight 32", "--rate 5000 --max-slip 1h"] {
            let figures = loadtest("run --prefill --no-namespace --keys 300")
                .with("--mix get=1 --requests 1000")
                .against(&target)
                .with(pace)
                .report(0)
                .figures;
            assert_eq!((figures.requests, figures.failed), (1000, 0));
            assert_eq!(figures.misses, 1000);
            assert!(figures.resent_calls > 0, "{figures:?}");
        }
    }
}

#[test]
fn a_peer_that_hands_everything_back_is_a_failure() {
    let target = Peer::TakesNothing.start().to_string();
    let ended = loadtest("run --timeout 2s --requests 10").against(target).run().exited(2);
    assert!(ended.stderr.contains("UNAVAILABLE: the server is going away"), "{ended:?}");
}

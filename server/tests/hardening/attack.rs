//! Connections that send the same thing again and again, each on a thread of its own. One that is
//! cut off comes back after a moment. What the server answers is read and dropped.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::support::frames::{PREFACE, SETTINGS, frame};

/// Before one that was cut off comes back.
const PAUSE: Duration = Duration::from_millis(100);

/// A write that takes longer is tried again, or given up at the attack's end.
const PATIENCE: Duration = Duration::from_millis(100);

/// What an attacker sends.
#[derive(Clone, Copy)]
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// Behind preface and SETTINGS.
    pub(crate) opening: fn() -> Vec<u8>,
    /// The wave with this number, again and again.
    pub(crate) wave: fn(u32) -> Vec<u8>,
    /// Between two waves.
    pub(crate) pause: Duration,
}

/// Attackers at work.
pub(crate) struct Attackers {
    goes_on: Arc<AtomicBool>,
    tally: Arc<Tally>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Tally {
    sent: AtomicU64,
    cuts: AtomicU64,
}

/// What the attackers did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tallied {
    /// Bytes.
    pub(crate) sent: u64,
    /// How often a connection was ended by the server.
    pub(crate) cuts: u64,
}

impl Attackers {
    pub(crate) fn begin(addr: SocketAddr, attack: Attack, connections: usize) -> Self {
        let goes_on = Arc::new(AtomicBool::new(true));
        let tally = Arc::new(Tally::default());
        let threads = (0..connections).map(|_| {
            let (goes_on, tally) = (goes_on.clone(), tally.clone());
            thread::spawn(move || {
                give_way();
                while goes_on.load(Ordering::Relaxed) {
                    if connect(addr, attack, &goes_on, &tally).is_err() {
                        tally.cuts.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(PAUSE);
                    }
                }
            })
        });
        Self { threads: threads.collect(), goes_on, tally }
    }

    pub(crate) fn end(self) -> Tallied {
        self.goes_on.store(false, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        let [sent, cuts] =
            [&self.tally.sent, &self.tally.cuts].map(|count| count.load(Ordering::Relaxed));
        Tallied { sent, cuts }
    }
}

/// Attackers are mostly on other machines: here they get what processor time the server leaves.
fn give_way() {
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 19);
}

/// One connection, until the attack ends or the server ends it.
fn connect(
    addr: SocketAddr,
    attack: Attack,
    goes_on: &AtomicBool,
    tally: &Tally,
) -> std::io::Result<()> {
    let mut socket = TcpStream::connect(addr)?;
    socket.set_nodelay(true)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let mut reads = socket.try_clone()?;
    let reader = thread::spawn(move || {
        give_way();
        let mut dropped = vec![0; 64 << 10];
        while reads.read(&mut dropped).is_ok_and(|bytes| bytes > 0) {}
        // The server has ended it: the writer is to notice.
        let _ = reads.shutdown(Shutdown::Both);
    });
    let ended = flood(&mut socket, attack, goes_on, tally);
    let _ = socket.shutdown(Shutdown::Both);
    reader.join().unwrap();
    ended
}

fn flood(
    socket: &mut TcpStream,
    attack: Attack,
    goes_on: &AtomicBool,
    tally: &Tally,
) -> std::io::Result<()> {
    let opening = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &(attack.opening)()].concat();
    socket.write_all(&opening)?;
    for number in 0.. {
        let wave = (attack.wave)(number);
        let mut rest = &wave[..];
        while !rest.is_empty() {
            if !goes_on.load(Ordering::Relaxed) {
                return Ok(());
            }
            match socket.write(rest) {
                Ok(bytes) => {
                    rest = &rest[bytes..];
                    tally.sent.fetch_add(bytes as u64, Ordering::Relaxed);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if !attack.pause.is_zero() {
            thread::sleep(attack.pause);
        }
    }
    Ok(())
}

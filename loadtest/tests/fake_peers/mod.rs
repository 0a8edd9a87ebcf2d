//! Servers of other systems, of a few lines each, on ports of their own: they keep
//! everything, and can be told to behave badly in one way.

mod memcached;
mod redis;

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A TLS stream that is read and written by the same thread.
struct Shared(Mutex<StreamOwned<ServerConnection, TcpStream>>);

impl Read for &Shared {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.lock().unwrap().read(bytes)
    }
}

impl Write for &Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().flush()
    }
}

/// Which system a server passes for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum System {
    Redis,
    Memcached,
}

pub(crate) const BOTH: [System; 2] = [System::Redis, System::Memcached];

/// How a server behaves.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manners {
    /// Writes are answered by this line.
    pub refuse_writes: Option<&'static str>,
    /// A read of this key is never answered, nor what comes after it.
    pub hang_on: Option<&'static str>,
    /// A read of this key ends its connection.
    pub hang_up_at: Option<&'static str>,
    /// Every request is answered by this line.
    pub not_a_cache: Option<&'static str>,
    /// The words of AUTH without which nothing is answered.
    pub login: Option<&'static [&'static str]>,
}

/// What is kept: a value, its expiry as it was sent, and how often it was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub value: Vec<u8>,
    pub expiry: i64,
    pub version: u64,
}

/// A running server. Its threads end with the process.
pub(crate) struct FakePeer {
    system: System,
    address: SocketAddr,
    shelf: Arc<Shelf>,
}

/// What the connections of a server share.
#[derive(Default)]
pub(crate) struct Shelf {
    manners: Manners,
    entries: Mutex<BTreeMap<String, Entry>>,
    connections: AtomicUsize,
}

/// The way on after a request.
pub(crate) enum Next {
    Reply(Vec<u8>),
    Hang,
    HangUp,
}

impl FakePeer {
    /// Starts a server that is ready when this returns.
    pub(crate) fn start(system: System, manners: Manners) -> Self {
        Self::start_with(system, manners, None)
    }

    /// The same, with TLS where there is a configuration of it.
    pub(crate) fn start_with(
        system: System,
        manners: Manners,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shelf = Arc::new(Shelf { manners, ..Shelf::default() });
        let kept = Arc::clone(&shelf);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                kept.connections.fetch_add(1, Ordering::Relaxed);
                let shelf = Arc::clone(&kept);
                // A connection that breaks ends its thread.
                let tls = tls.clone();
                thread::spawn(move || match tls {
                    None => {
                        socket.set_nodelay(true).ok()?;
                        shelf.serve(system, &mut BufReader::new(&socket), &mut &socket)
                    }
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).ok()?;
                        let stream = Shared(Mutex::new(StreamOwned::new(connection, socket)));
                        shelf.serve(system, &mut BufReader::new(&stream), &mut &stream)
                    }
                });
            }
        });
        Self { system, address, shelf }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn target(&self) -> String {
        target(self.system, self.address)
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.shelf.entries.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn entry(&self, key: &str) -> Option<Entry> {
        self.shelf.entries.lock().unwrap().get(key).cloned()
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.shelf.connections.load(Ordering::Relaxed)
    }
}

/// The target that a server of this system at this address is.
pub(crate) fn target(system: System, address: SocketAddr) -> String {
    match system {
        System::Redis => format!("redis://{address}/0"),
        System::Memcached => format!("memcached://{address}"),
    }
}

impl Shelf {
    fn serve(
        &self,
        system: System,
        input: &mut impl BufRead,
        output: &mut impl Write,
    ) -> Option<()> {
        let mut client = redis::Client::default();
        loop {
            let next = match system {
                System::Redis => redis::answer(self, &mut client, input)?,
                System::Memcached => memcached::answer(self, input)?,
            };
            match next {
                Next::Reply(reply) => {
                    let other = self.manners.not_a_cache.map(str::as_bytes);
                    output.write_all(other.unwrap_or(&reply)).ok()?;
                }
                // Until the other side closes.
                Next::Hang => drop(input.read_to_end(&mut Vec::new())),
                Next::HangUp => return None,
            }
        }
    }

    /// What is to happen to a read of these keys, where it is not answered.
    fn balk(&self, keys: &[String]) -> Option<Next> {
        let named = |key: Option<&str>| key.is_some_and(|bad| keys.iter().any(|key| key == bad));
        if named(self.manners.hang_on) {
            return Some(Next::Hang);
        }
        named(self.manners.hang_up_at).then_some(Next::HangUp)
    }

    fn get(&self, key: &str) -> Option<Entry> {
        self.entries.lock().unwrap().get(key).cloned()
    }

    /// Writes where the condition holds; says whether it did.
    fn put(
        &self,
        key: &str,
        value: &[u8],
        expiry: i64,
        condition: impl FnOnce(Option<&Entry>) -> bool,
    ) -> bool {
        let mut entries = self.entries.lock().unwrap();
        let there = entries.get(key);
        if !condition(there) {
            return false;
        }
        let version = there.map_or(1, |entry| entry.version + 1);
        entries.insert(key.to_owned(), Entry { value: value.to_vec(), expiry, version });
        true
    }

    fn remove(&self, key: &str) -> bool {
        self.entries.lock().unwrap().remove(key).is_some()
    }
}

/// A line without its end; none at the end of the stream.
fn line(input: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    input.read_line(&mut line).ok().filter(|read| *read > 0)?;
    Some(line.trim_end_matches("\r\n").to_owned())
}

/// So many bytes and the end of line behind them.
fn block(input: &mut impl Read, bytes: usize) -> Option<Vec<u8>> {
    let mut block = vec![0; bytes + 2];
    input.read_exact(&mut block).ok()?;
    assert!(block.ends_with(b"\r\n"), "a block is longer than it said");
    block.truncate(bytes);
    Some(block)
}

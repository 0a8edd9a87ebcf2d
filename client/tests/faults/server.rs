//! A cache server that fails as a test tells it to. It speaks HTTP/2 over pipes in memory, so
//! that with the clock paused time passes only where everybody waits for it.

mod answer;
mod connection;
mod tap;

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, Request};
use tiny_cache_client::{Builder, Client};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    sync::mpsc::unbounded_channel,
    time::{Instant, sleep, sleep_until},
};

pub(crate) use self::answer::{Answer, REQUEST_ID, Raw, SETTLED, Stage, found, framed};
use self::connection::{Command, Commands};

/// The server, and what it has seen.
#[derive(Clone, Default)]
pub(crate) struct FaultServer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    peers: Script<Peer>,
    answers: Script<Answer>,
    health: Script<Answer>,
    dials: Vec<Instant>,
    open: usize,
    seen: Vec<Seen>,
    /// By connection.
    commands: HashMap<usize, Commands>,
}

/// Passes bytes on, each this long after it came.
async fn relay(mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>, way: Duration) {
    let (tell, mut told) = unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((at, bytes)) = told.recv().await {
            sleep_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if tell.send((Instant::now() + way, bytes[..read].to_vec())).is_err() {
            return;
        }
    }
}

/// What comes next, and what comes when that is used up.
#[derive(Default)]
struct Script<T> {
    next: VecDeque<T>,
    then: T,
}

impl<T: Clone> Script<T> {
    fn take(&mut self) -> T {
        self.next.pop_front().unwrap_or_else(|| self.then.clone())
    }
}

/// What a connection comes to.
#[derive(Clone, Debug, Default)]
pub(crate) enum Peer {
    /// It serves.
    #[default]
    Serves,
    /// It serves so many calls at a time.
    ServesAtATime(u32),
    /// It serves so many calls, and says GOAWAY behind the last of them: so nginx does it with
    /// `keepalive_requests`.
    ServesCalls(u32),
    /// It serves, but is there after this time.
    After(Duration),
    /// It is refused.
    Refuses,
    /// It never comes about.
    NeverThere,
    /// It comes about and brings nothing.
    Silent,
    /// It brings this, which is not HTTP/2.
    Says(&'static [u8]),
    /// It brings the server's settings and ends.
    HangsUp,
    /// It brings the server's settings, and then nothing more is read or written.
    Stalls,
}

/// A request that the server got.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// From 0.
    pub(crate) connection: usize,
    pub(crate) rpc: String,
    pub(crate) headers: HeaderMap,
    pub(crate) at: Instant,
}

impl FaultServer {
    /// One that answers the first calls so, and the others well.
    pub(crate) fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let server = Self::default();
        server.answer(answers);
        server
    }

    /// One that answers every call so.
    pub(crate) fn always(answer: Answer) -> Self {
        let server = Self::default();
        server.answer_always(answer);
        server
    }

    /// One whose first connections come to this, and the others serve.
    pub(crate) fn peers(peers: impl IntoIterator<Item = Peer>) -> Self {
        let server = Self::default();
        server.0.lock().unwrap().peers.next.extend(peers);
        server
    }

    /// One whose connections all come to this.
    pub(crate) fn every_peer(peer: Peer) -> Self {
        let server = Self::default();
        server.peer_always(peer);
        server
    }

    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.0.lock().unwrap().answers.next.extend(answers);
    }

    pub(crate) fn answer_always(&self, answer: Answer) {
        self.0.lock().unwrap().answers.then = answer;
    }

    pub(crate) fn answer_health(&self, answers: impl IntoIterator<Item = Answer>) {
        self.0.lock().unwrap().health.next.extend(answers);
    }

    pub(crate) fn answer_health_always(&self, answer: Answer) {
        self.0.lock().unwrap().health.then = answer;
    }

    pub(crate) fn peer(&self, peers: impl IntoIterator<Item = Peer>) {
        self.0.lock().unwrap().peers.next.extend(peers);
    }

    pub(crate) fn peer_always(&self, peer: Peer) {
        self.0.lock().unwrap().peers.then = peer;
    }

    /// A client of this server, see [`builder`](Self::builder).
    pub(crate) fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    /// Sets up a client with the Python client's patience: times that are long enough to be
    /// told from one another. Its connections are not checked and may grow old.
    pub(crate) fn builder(&self) -> Builder {
        self.builder_by_default()
            .python_defaults()
            .health_check_interval(Duration::ZERO)
            .max_connection_age(Duration::ZERO)
    }

    /// Sets up a client of which nothing else is set.
    pub(crate) fn builder_by_default(&self) -> Builder {
        let server = self.clone();
        Client::builder("cache").connector(move || server.clone().dial())
    }

    /// Sets up one that is far away: each byte takes this long, either way.
    pub(crate) fn builder_from_afar(&self, way: Duration) -> Builder {
        let server = self.clone();
        self.builder().connector(move || {
            let server = server.clone();
            async move {
                let (near, (far, bridge)) = (server.dial().await?, duplex(1 << 20));
                let ((from_near, to_near), (from_far, to_far)) = (split(near), split(bridge));
                tokio::spawn(relay(from_far, to_near, way));
                tokio::spawn(relay(from_near, to_far, way));
                Ok(far)
            }
        })
    }

    /// How often a connection was asked for.
    pub(crate) fn dials(&self) -> usize {
        self.0.lock().unwrap().dials.len()
    }

    /// Connections that are open now.
    pub(crate) fn open(&self) -> usize {
        self.0.lock().unwrap().open
    }

    /// The requests so far, health checks apart.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let state = self.0.lock().unwrap();
        state.seen.iter().filter(|seen| seen.rpc != "Check").cloned().collect()
    }

    /// How many requests there were, health checks apart.
    pub(crate) fn attempts(&self) -> usize {
        self.seen().len()
    }

    /// The health checks so far.
    pub(crate) fn checks(&self) -> Vec<Seen> {
        let state = self.0.lock().unwrap();
        state.seen.iter().filter(|seen| seen.rpc == "Check").cloned().collect()
    }

    /// Sends GOAWAY over a connection: requests beyond `last` are not looked at.
    pub(crate) fn go_away(&self, connection: usize, last: u32) {
        let command = Command::GoAway(last, h2::Reason::NO_ERROR);
        self.0.lock().unwrap().commands[&connection].send(command).unwrap();
    }

    pub(crate) async fn dial(self) -> io::Result<DuplexStream> {
        let (number, peer) = {
            let mut state = self.0.lock().unwrap();
            state.dials.push(Instant::now());
            (state.dials.len() - 1, state.peers.take())
        };
        match peer {
            Peer::Refuses => return Err(io::ErrorKind::ConnectionRefused.into()),
            Peer::NeverThere => std::future::pending().await,
            Peer::After(time) => sleep(time).await,
            _ => {}
        }
        let (near, far) = tokio::io::duplex(64 << 10);
        self.0.lock().unwrap().open += 1;
        tokio::spawn(async move {
            connection::serve(self.clone(), number, peer, far).await;
            self.0.lock().unwrap().open -= 1;
        });
        Ok(near)
    }

    /// Notes how a connection is told what to do.
    fn commanded_by(&self, connection: usize, commands: Commands) {
        self.0.lock().unwrap().commands.insert(connection, commands);
    }

    /// Notes a request, and tells how it is answered.
    fn take<B>(&self, connection: usize, request: &Request<B>) -> Answer {
        let rpc = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let mut state = self.0.lock().unwrap();
        let script = if rpc == "Check" { &mut state.health } else { &mut state.answers };
        let answer = script.take();
        let headers = request.headers().clone();
        state.seen.push(Seen { connection, rpc, headers, at: Instant::now() });
        answer
    }
}

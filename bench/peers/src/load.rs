//! The load: connections, one thread, one epoll. The same code sends to every server.
//!
//! In the closed loop each reply is followed by the next request, so that the number in flight
//! stays. In the open loop requests are due at times that were drawn before, whatever the server
//! does, and a response time begins when its request was due.

mod connection;
mod histogram;
mod tls;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use mio::{Events, Poll};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use self::connection::Connection;
pub use self::{histogram::Times, tls::Trust};
use crate::{
    draws::Source,
    protocol::{Request, Wire},
    work::{Shape, Value},
};

/// How long a reply may take. A server that is slower is not measured.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes read at once.
const BUFFER: usize = 256 << 10;

/// Where a server is, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its port on the loopback.
    pub port: u16,
    /// Its protocol.
    pub wire: Wire,
    /// The certificate to trust, if TLS is spoken.
    pub trust: Option<Trust>,
}

impl Target {
    /// Its address.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

/// What happened in a span of time.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Requests that were answered, and rightly.
    pub operations: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Connections to one server.
#[derive(Debug)]
pub struct Load {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    in_flight: usize,
    started: Instant,
    buffer: Vec<u8>,
    answered: Vec<u64>,
}

impl Load {
    /// Opens the connections of a shape.
    ///
    /// # Errors
    ///
    /// The server does not take them.
    pub fn connect(target: &Target, value: Value, shape: Shape) -> Result<Self> {
        let poll = Poll::new()?;
        let connect = |token| Connection::open(target, value, poll.registry(), token);
        let connections = (0..shape.connections).map(connect).collect::<Result<_>>()?;
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            connections,
            in_flight: shape.in_flight,
            started: Instant::now(),
            buffer: vec![0; BUFFER],
            answered: Vec::new(),
        })
    }

    /// Sends as many requests as may be in flight, to begin a closed loop.
    ///
    /// # Errors
    ///
    /// A connection breaks.
    pub fn start(&mut self, source: &mut dyn Source) -> Result<()> {
        for place in 0..self.connections.len() {
            self.send(place, self.in_flight, source)?;
        }
        Ok(())
    }

    /// Goes on with the closed loop for so long.
    ///
    /// # Errors
    ///
    /// A connection breaks, or a reply is wrong.
    pub fn run(&mut self, source: &mut dyn Source, time: Duration) -> Result<Span> {
        let start = Instant::now();
        let mut operations = 0;
        while start.elapsed() < time {
            operations += self.turn(source, PATIENCE)?;
        }
        Ok(Span { operations, elapsed: start.elapsed() })
    }

    /// Sends everything that the source has, and waits for all replies.
    ///
    /// # Errors
    ///
    /// A connection breaks, or a reply is wrong.
    pub fn drain(&mut self, source: &mut dyn Source, requests: u64) -> Result<()> {
        self.start(source)?;
        let mut answered = 0;
        while answered < requests {
            answered += self.turn(source, PATIENCE)?;
        }
        Ok(())
    }

    /// Sends at a rate for so long, by turns over all connections, and returns the response times.
    ///
    /// # Errors
    ///
    /// A connection breaks, or a reply is wrong or missing.
    pub fn pace(&mut self, source: &mut dyn Source, rate: f64, time: Duration) -> Result<Times> {
        let mut random = Pcg64Mcg::seed_from_u64(2);
        let mut times = Times::new();
        let (mut due, end) = (self.clock() as f64, self.clock() + time.as_nanos() as u64);
        let (mut sent, mut answered, mut turn) = (0, 0, 0);
        loop {
            let now = self.clock();
            while (due as u64) <= now && (due as u64) < end {
                self.send_one(turn % self.connections.len(), due as u64, source)?;
                (sent, turn) = (sent + 1, turn + 1);
                // Independent users: the gaps between requests are exponential.
                due += -(1.0 - random.random::<f64>()).ln() * 1e9 / rate;
            }
            if now >= end && answered == sent {
                return Ok(times);
            }
            if now > end + PATIENCE.as_nanos() as u64 {
                bail!("{} of {sent} replies are missing", sent - answered);
            }
            // Does not wait: the core is this thread's own, and waking up takes too long.
            self.receive(Duration::ZERO, |connection, _| connection.flush())?;
            let now = self.clock();
            answered += self.answered.len() as u64;
            for due in self.answered.drain(..) {
                times.record(now - due);
            }
        }
    }

    /// Waits for replies, and sends a request for each.
    fn turn(&mut self, source: &mut dyn Source, patience: Duration) -> Result<u64> {
        self.receive(patience, |connection, answered| {
            for _ in 0..answered {
                let Some((operation, keys)) = source.next() else { break };
                connection.send(Request { operation, keys, due: 0 });
            }
            connection.flush()
        })?;
        let answered = self.answered.len() as u64;
        self.answered.clear();
        Ok(answered)
    }

    /// Takes what has arrived, or waits for it; `then` gets each connection that was ready, with
    /// the number of its replies.
    fn receive(
        &mut self,
        patience: Duration,
        mut then: impl FnMut(&mut Connection, usize) -> Result<()>,
    ) -> Result<()> {
        self.poll.poll(&mut self.events, Some(patience)).context("epoll")?;
        if self.events.is_empty() && !patience.is_zero() {
            bail!("no reply within {} seconds", patience.as_secs());
        }
        for event in &self.events {
            let connection = &mut self.connections[event.token().0];
            let before = self.answered.len();
            connection.receive(&mut self.buffer, &mut self.answered)?;
            then(connection, self.answered.len() - before)?;
        }
        Ok(())
    }

    fn send(&mut self, place: usize, requests: usize, source: &mut dyn Source) -> Result<()> {
        let connection = &mut self.connections[place];
        for _ in 0..requests {
            let Some((operation, keys)) = source.next() else { break };
            connection.send(Request { operation, keys, due: 0 });
        }
        connection.flush()
    }

    fn send_one(&mut self, place: usize, due: u64, source: &mut dyn Source) -> Result<()> {
        let connection = &mut self.connections[place];
        if let Some((operation, keys)) = source.next() {
            connection.send(Request { operation, keys, due });
        }
        connection.flush()
    }

    fn clock(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }
}

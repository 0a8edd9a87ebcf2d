//! Load that knows which of its requests the server had accepted before a
//! moment, and what became of each.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use prost::Message;
use tokio::task::JoinSet;
use tonic::Code;

use crate::support::{
    messages::{item, key},
    wire::{self, Pending, Wire},
};

/// Requests that a connection sends before it waits for their replies.
const BURST: usize = 32;

/// Many connections that send bursts of requests until they are turned away.
pub(crate) struct Load {
    connections: JoinSet<Tally>,
    /// Set just before the signal: whatever was accepted earlier was accepted
    /// before the signal.
    signalled: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
}

/// What became of a load's requests.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: u64,
    /// Of those answered, how many were out when the signal came.
    pub(crate) answered_after_signal: u64,
    /// Turned away with GOAWAY or REFUSED_STREAM, none of them accepted before
    /// the signal.
    pub(crate) refused: u64,
    /// What neither was answered nor turned away: requests that were lost.
    pub(crate) lost: Vec<String>,
}

impl Load {
    /// Starts connections that write and read.
    pub(crate) async fn start(addr: SocketAddr, connections: usize) -> Self {
        let mut load = Self {
            connections: JoinSet::new(),
            signalled: Arc::default(),
            answered: Arc::default(),
        };
        for number in 0..connections {
            let connection = Connection {
                wire: Wire::open(wire::stream(addr, false).await).await,
                number,
                signalled: load.signalled.clone(),
                answered: load.answered.clone(),
                tally: Tally::default(),
            };
            load.connections.spawn(connection.run());
        }
        load
    }

    /// Returns once so many requests were answered.
    pub(crate) async fn reach(&self, answered: u64) {
        while self.answered.load(Ordering::Relaxed) < answered {
            tokio::task::yield_now().await;
        }
    }

    /// Says that the signal is about to be sent.
    pub(crate) fn mark_signal(&self) {
        self.signalled.store(true, Ordering::SeqCst);
    }

    /// Waits until every connection was turned away.
    pub(crate) async fn end(self) -> Tally {
        let mut all = Tally::default();
        for tally in self.connections.join_all().await {
            all.answered += tally.answered;
            all.answered_after_signal += tally.answered_after_signal;
            all.refused += tally.refused;
            all.lost.extend(tally.lost);
        }
        all
    }
}

struct Connection {
    wire: Wire,
    number: usize,
    signalled: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    tally: Tally,
}

impl Connection {
    async fn run(mut self) -> Tally {
        let name = format!("load {}", self.number);
        let requests = [
            ("Set", item(&name, vec![1; 512]).encode_to_vec()),
            ("Get", key(&name).encode_to_vec()),
        ];
        loop {
            let mut burst: Vec<Pending> = Vec::with_capacity(BURST);
            let mut open = true;
            for number in 0..BURST {
                let (rpc, message) = &requests[number % 2];
                let path = format!("/cache.CacheService/{rpc}");
                match self.wire.begin(&path, &[], message).await {
                    Ok(pending) => burst.push(pending),
                    Err(error) => {
                        // Nothing was sent; but how the connection ended counts.
                        if !is_refusal(&error) {
                            self.tally.lost.push(format!("connection: {error:?}"));
                        }
                        open = false;
                        break;
                    }
                }
            }
            // The answer to the PING comes after the server has read the burst.
            let read = open && self.wire.ping().await.is_ok();
            let accepted = read && !self.signalled.load(Ordering::SeqCst);
            for pending in burst {
                let reply = pending.reply().await;
                self.count(reply, accepted);
            }
            if !open {
                return self.tally;
            }
        }
    }

    fn count(&mut self, reply: Result<wire::Reply, h2::Error>, accepted: bool) {
        match reply {
            Ok(reply) if reply.code() == Code::Ok => {
                self.tally.answered += 1;
                self.answered.fetch_add(1, Ordering::Relaxed);
                if self.signalled.load(Ordering::SeqCst) {
                    self.tally.answered_after_signal += 1;
                }
            }
            Ok(reply) if reply.code() == Code::Unavailable && !accepted => {
                self.tally.refused += 1;
            }
            Err(error) if is_refusal(&error) && !accepted => self.tally.refused += 1,
            other => {
                let lost = format!("accepted before the signal: {accepted}; got {other:?}");
                self.tally.lost.push(lost);
            }
        }
    }
}

/// Whether the peer said, before it did anything, that it would not.
fn is_refusal(error: &h2::Error) -> bool {
    let turned_away = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
    error.is_remote() && (turned_away || error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

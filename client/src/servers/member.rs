//! A server of a ring: its name, its connections, and whether it takes its keys.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{task::JoinHandle, time::sleep};
use tracing::info;

use super::{
    health::{Health, ServerState},
    settings::PoolSettings,
};
use crate::{
    pool::{Pool, Unconnected},
    retry::Backoff,
    transport::Endpoint,
};

/// First and longest pause between the attempts to connect to a server that is down.
const WATCH: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// A server of a ring.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its name on the ring.
    pub(crate) name: Arc<str>,
    pub(crate) weight: u32,
    pub(crate) pool: Arc<Pool>,
    health: Health,
}

impl Member {
    pub(crate) fn new(
        name: String,
        weight: u32,
        endpoint: Endpoint,
        pools: PoolSettings,
    ) -> Arc<Self> {
        let pool = Pool::new(endpoint, pools.connections, pools.upkeep);
        Arc::new(Self { name: name.into(), weight, pool, health: Health::new() })
    }

    /// Whether it takes a key of this hash.
    pub(super) fn takes(self: &Arc<Self>, hash: u64, warm_up: Duration) -> bool {
        self.health.takes(hash, warm_up, || self.watch())
    }

    /// Connects, unless there is a connection.
    pub(super) async fn reach(self: &Arc<Self>) -> Result<(), Unconnected> {
        let outcome = self.pool.connection().await;
        if outcome.is_err() {
            self.give_up();
        }
        outcome.map(drop)
    }

    /// Gives its keys to the next servers until it is back.
    pub(super) fn give_up(self: &Arc<Self>) {
        if !self.pool.is_closed() && self.health.give_up(|| self.watch()) {
            info!(server = &*self.name, "a cache is down; the next ones on the ring take its keys");
        }
    }

    pub(crate) fn state(&self, warm_up: Duration) -> ServerState {
        self.health.state(warm_up)
    }

    /// Connects again and again, with growing pauses, until that succeeds.
    fn watch(self: &Arc<Self>) -> JoinHandle<()> {
        let member = Arc::downgrade(self);
        tokio::spawn(Self::wait_for_return(member))
    }

    async fn wait_for_return(member: Weak<Self>) {
        let backoff = Backoff::new(WATCH.0, WATCH.1);
        for n in 0.. {
            // The upper half of the pause: an attempt without a pause would be wasted.
            let pause = backoff.pause(n);
            sleep((pause.limit + pause.drawn) / 2).await;
            // A server that left the ring is not waited for.
            let Some(member) = member.upgrade() else { return };
            match member.pool.connection().await {
                Ok(_) => {
                    info!(server = &*member.name, "a cache is back; it gets its keys back");
                    return member.health.come_back();
                }
                Err(Unconnected::Closed) => return,
                Err(Unconnected::Failed(_)) => {}
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.pool.end_upkeep();
    }
}

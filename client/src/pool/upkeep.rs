//! Checks a connection while it is in use and has it replaced when it has reached its age. It
//! runs on the runtime of the connection, which is that of a call: it ends with that runtime,
//! as the connection does, and begins anew with the connection that the next call opens.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::{Pool, Pooled};
use crate::{call::after, health, retry::Backoff};

/// Pause before a connection is to be replaced again whose server could not be reached.
const RENEW_AGAIN: Duration = Duration::from_secs(5);

/// What is done for every connection, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upkeep {
    /// Zero: never.
    pub(crate) check_every: Duration,
    /// How long a check may take before the connection counts as dead.
    pub(crate) check_deadline: Duration,
    /// Zero: as old as it likes.
    pub(crate) max_age: Duration,
}

impl Upkeep {
    /// When the check after the one at `last` is due, if there is to be one.
    fn check_after(&self, last: Instant) -> Option<Instant> {
        (!self.check_every.is_zero()).then(|| last + self.check_every)
    }

    /// When a connection that begins now is old: up to a fifth earlier than the most, drawn at
    /// random, so that the clients of a server do not all reconnect at once.
    fn end_of_life(&self) -> Option<Instant> {
        let most = self.max_age;
        let early = Backoff::new(most / 5, most / 5).pause(0).drawn;
        (!most.is_zero()).then(|| after(most - early))
    }
}

/// Begins to look after a connection.
pub(super) fn begin(pool: &Arc<Pool>, connection: &Arc<Pooled>) {
    let upkeep = pool.upkeep;
    let task = Task {
        pool: Arc::downgrade(pool),
        connection: Arc::downgrade(connection),
        upkeep,
        check_at: upkeep.check_after(Instant::now()),
        old_at: upkeep.end_of_life(),
    };
    let end = pool.end.clone();
    tokio::spawn(async move { end.run_until_cancelled(task.run()).await });
}

/// Holds neither the pool nor the connection while it waits.
struct Task {
    pool: Weak<Pool>,
    connection: Weak<Pooled>,
    upkeep: Upkeep,
    check_at: Option<Instant>,
    old_at: Option<Instant>,
}

impl Task {
    async fn run(mut self) {
        while let Some(at) = self.check_at.into_iter().chain(self.old_at).min() {
            sleep_until(at).await;
            let Some(pool) = self.pool.upgrade() else { return };
            let connection = self.connection.upgrade();
            match connection.filter(|connection| pool.holds(connection)) {
                Some(connection) if self.old_at == Some(at) => {
                    pool.renew(&connection).await;
                    self.old_at = Some(after(RENEW_AGAIN));
                }
                Some(connection) => {
                    check(&pool, &connection, self.upkeep.check_deadline).await;
                    self.check_at = self.upkeep.check_after(at);
                }
                // Nobody may be calling; then nobody else brings the connection back. Where
                // there is another one, that has an upkeep of its own.
                None if pool.is_empty() && self.check_at.is_some() => {
                    if pool.connection().await.is_ok() {
                        return;
                    }
                    self.old_at = None;
                    self.check_at = self.upkeep.check_after(Instant::now());
                }
                None => return,
            }
        }
    }
}

/// Checks a connection and replaces it where nothing comes back: its calls would otherwise
/// wait for their whole deadline.
async fn check(pool: &Arc<Pool>, connection: &Arc<Pooled>, deadline: Duration) {
    if !health::check(connection, deadline).await {
        debug!("a connection to the cache does not answer and is replaced");
        pool.discard(connection);
    }
}

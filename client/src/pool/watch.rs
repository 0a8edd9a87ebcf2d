//! The task of a connection: checks it while it is in use, and replaces it at its age.
//!
//! The task runs on the runtime of the connection, which is that of the call that opened it. It
//! ends with that runtime, as the connection does. The next call opens a connection with a task
//! of its own.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{connections::Pool, pooled::Pooled, upkeep::Upkeep};
use crate::clock::after;

/// Pause after a replacement failed because the server could not be reached.
const RENEW_AGAIN: Duration = Duration::from_secs(5);

/// Starts the task of a connection.
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
                    self.old_at = Some(after(Instant::now(), RENEW_AGAIN));
                }
                Some(connection) => {
                    pool.verify(&connection, self.upkeep.check_deadline).await;
                    self.check_at = self.upkeep.check_after(at);
                }
                // No other connection is left, and no call may come to open one.
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

//! The pool: picks the connection of a call, and replaces those that do not answer.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{check, dialing::Dialing, pooled::Pooled, upkeep::Upkeep};
use crate::{
    error::Error,
    retry::Backoff,
    transport::{ConnectError, Endpoint, Steer},
};

/// First and longest pause between the attempts of a caller that waits for a connection. Short
/// beside a restart, and long enough not to flood a server that has come back.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// A connection that ended sooner is replaced only when a call needs one. Otherwise a server
/// that closes every connection would be dialled in a loop.
pub(super) const SHORT_LIVED: Duration = Duration::from_secs(1);

/// Connections that other callers may use up in a row before a waiting caller gives up.
const USED_UP: usize = 10;

/// Attempts to connect that fail in a row until the server counts as down. One may meet a server
/// that restarts.
const GIVEN_UP: usize = 2;

/// An attempt to connect that takes longer, while there is no connection, counts as failed.
const SLOW_DIAL: Duration = Duration::from_secs(1);

/// Time for a suspected connection to answer a health check. No longer than a try, so that the
/// second retry of a call finds another connection.
const SUSPICION: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) endpoint: Endpoint,
    size: usize,
    pub(super) upkeep: Upkeep,
    /// The connections that take calls. Every call reads this list.
    pub(super) live: RwLock<Vec<Arc<Pooled>>>,
    /// The current attempt to connect, or the last one.
    pub(super) dialing: Mutex<Option<Dialing>>,
    /// The order of addresses for the next attempt.
    pub(super) steer: Mutex<Steer>,
    /// Connections that have carried an answer, since the client was made.
    answered: AtomicUsize,
    /// No connection is opened beside others before this, because the last one failed or ended
    /// early. Without it every call that finds the others busy would try again.
    grow_from: Mutex<Option<Instant>>,
    /// The error and time of the last attempt, if it failed.
    pub(super) refusal: Mutex<Option<(ConnectError, Instant)>>,
    /// Attempts to connect that failed since the last one that succeeded. A server that no longer
    /// answers over its last connection counts as [`GIVEN_UP`] of them.
    pub(super) failures: AtomicUsize,
    closed: AtomicBool,
    /// Ends the upkeep of every connection.
    pub(super) end: CancellationToken,
    pub(super) drivers: TaskTracker,
}

impl Pool {
    pub(crate) fn new(endpoint: Endpoint, size: usize, upkeep: Upkeep) -> Arc<Self> {
        Arc::new(Self {
            endpoint,
            size,
            upkeep,
            live: RwLock::default(),
            dialing: Mutex::default(),
            steer: Mutex::default(),
            answered: AtomicUsize::new(0),
            grow_from: Mutex::default(),
            refusal: Mutex::default(),
            failures: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            end: CancellationToken::new(),
            drivers: TaskTracker::new(),
        })
    }

    /// The connection with the fewest calls, if there is one. If all are busy and the pool is
    /// not full, also opens another one for later calls.
    pub(crate) fn least_busy(self: &Arc<Self>) -> Option<Arc<Pooled>> {
        let (least, open) = {
            let live = self.read();
            let usable = live.iter().filter(|connection| !connection.is_retired());
            (usable.min_by_key(|connection| connection.burden()).cloned(), live.len())
        };
        let least = least?;
        least.note_use();
        if open < self.size && least.calls() > 0 && self.may_grow() {
            self.dial();
        }
        Some(least)
    }

    /// How many calls are under way over all connections.
    pub(crate) fn calls(&self) -> usize {
        self.read().iter().map(|connection| connection.calls()).sum()
    }

    /// The least busy connection, or else the one that the next attempt to connect opens.
    pub(crate) async fn connection(self: &Arc<Self>) -> Result<Arc<Pooled>, Unconnected> {
        let mut vanished = false;
        for _ in 0..USED_UP {
            if self.is_closed() {
                return Err(Unconnected::Closed);
            }
            if let Some(connection) = self.least_busy() {
                return Ok(connection);
            }
            let answered = self.answered();
            if let Some(error) = self.just_refused() {
                return Err(Unconnected::Failed(error));
            }
            let mut dialing = self.dial();
            match dialing.wait_for(Option::is_some).await.map(|outcome| outcome.clone()) {
                Ok(Some(Err(error))) => return Err(Unconnected::Failed(error)),
                Ok(Some(Ok(opened))) => {
                    if let Some(connection) = self.least_busy() {
                        return Ok(connection);
                    }
                    // If other callers used it up, the server works: try the next one.
                    let used = opened.upgrade().is_some_and(|connection| connection.is_used());
                    if !used && self.answered() == answered && !self.is_closed() {
                        break;
                    }
                }
                Ok(None) => {}
                // The runtime of the attempt has ended. The next attempt runs on this runtime,
                // unless that has ended too.
                Err(_) if vanished => {
                    return Err(Unconnected::Failed(self.endpoint.failed("the runtime has ended")));
                }
                Err(_) => vanished = true,
            }
        }
        Err(Unconnected::Failed(
            self.endpoint.failed(
                "it closes connections at once; it may be full, or a proxy without a server",
            ),
        ))
    }

    /// Tries to connect until there is a connection, or until `end`.
    pub(crate) async fn reconnected(self: &Arc<Self>, end: Instant) {
        let backoff = Backoff::new(RECONNECT.0, RECONNECT.1);
        let reconnect = async {
            for n in 0.. {
                match self.connection().await {
                    Ok(_) | Err(Unconnected::Closed) => return,
                    Err(Unconnected::Failed(_)) => {}
                }
                // The upper half of the pause: an attempt without a pause would be wasted.
                let pause = backoff.pause(n);
                sleep((pause.limit + pause.drawn) / 2).await;
            }
        };
        // An attempt that takes longer continues for the next caller.
        let _ = timeout_at(end, reconnect).await;
    }

    fn may_grow(&self) -> bool {
        locked(&self.grow_from).is_none_or(|from| Instant::now() >= from)
    }

    pub(super) fn do_not_grow(&self) {
        *locked(&self.grow_from) = Some(Instant::now() + SHORT_LIVED);
    }

    pub(super) fn is_full(&self) -> bool {
        self.read().iter().filter(|connection| connection.is_wanted()).count() >= self.size
    }

    /// How many connections have carried an answer. If it grows, calls make progress.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Notes that the server has answered a call over this connection.
    pub(crate) fn note_answer(&self, connection: &Pooled) {
        if connection.is_first_answer() {
            self.answered.fetch_add(1, Ordering::Relaxed);
            let mut steer = locked(&self.steer);
            if steer.avoid == connection.peer {
                steer.avoid = None;
            }
        }
    }

    /// Checks a connection from which nothing was read while a call waited for its whole
    /// deadline. Calls prefer other connections meanwhile.
    pub(crate) fn suspect(self: &Arc<Self>, silent: Arc<Pooled>) {
        if silent.suspect() {
            let pool = self.clone();
            tokio::spawn(async move {
                if pool.verify(&silent, SUSPICION).await {
                    silent.clear();
                }
            });
        }
    }

    /// Replaces a connection over which the server does not answer a health check in time. Its
    /// calls would otherwise wait for their whole deadline.
    pub(super) async fn verify(
        self: &Arc<Self>,
        connection: &Arc<Pooled>,
        deadline: Duration,
    ) -> bool {
        let answers = check::answers(connection, deadline).await;
        if !answers {
            self.write().retain(|live| !Arc::ptr_eq(live, connection));
            if self.is_empty() {
                self.failures.store(GIVEN_UP, Ordering::Relaxed);
            }
            if !self.is_closed() {
                self.dial();
            }
        }
        answers
    }

    /// Replaces a connection that has reached its age. It takes calls until the new one is open.
    pub(super) async fn renew(self: &Arc<Self>, old: &Arc<Pooled>) {
        old.outdate();
        let _ = self.dial().wait_for(Option::is_some).await;
    }

    /// Whether a connection takes calls now.
    pub(super) fn holds(&self, connection: &Arc<Pooled>) -> bool {
        self.read().iter().any(|live| Arc::ptr_eq(live, connection))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.read().iter().all(|connection| connection.is_retired())
    }

    /// Whether the server counts as down: there is no connection, and attempts to make one fail.
    pub(crate) fn is_down(&self) -> bool {
        let dials_in_vain =
            || locked(&self.dialing).as_ref().is_some_and(|last| last.takes_longer_than(SLOW_DIAL));
        self.is_empty() && (self.failures.load(Ordering::Relaxed) >= GIVEN_UP || dials_in_vain())
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Arc<Pooled>>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Vec<Arc<Pooled>>> {
        self.live.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the tasks that check and replace connections.
    pub(crate) fn end_upkeep(&self) {
        self.end.cancel();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Ends each connection when its calls have ended, and waits for that up to `time`: the
    /// runtime that drives a connection may not be running.
    pub(crate) async fn close(&self, time: Duration) {
        self.closed.store(true, Ordering::Release);
        self.end_upkeep();
        self.write().clear();
        self.drivers.close();
        let _ = timeout(time, self.drivers.wait()).await;
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Unconnected {
    Closed,
    Failed(ConnectError),
}

impl From<Unconnected> for Error {
    fn from(unconnected: Unconnected) -> Self {
        match unconnected {
            Unconnected::Closed => Self::closed(),
            Unconnected::Failed(error) => {
                let server = error.address().clone();
                Self::of_failure(error.into(), &server, 1)
            }
        }
    }
}

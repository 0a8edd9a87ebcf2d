//! The client's connections: opened when they are needed, the least busy one picked, each
//! replaced as soon as it is of no further use. All of them lead to one server.

mod dial; // how one comes about
mod pooled; // one of them, and what the pool knows of it
mod upkeep; // its checks and its age

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::dial::Dialing;
pub(crate) use self::{pooled::Pooled, upkeep::Upkeep};
use crate::{
    error::Error,
    health,
    retry::Backoff,
    transport::{ConnectError, Endpoint, Steer},
};

/// Pauses between the tries of a caller that waits for a connection: short beside the time
/// that a restart takes, and a server that has come back is not flooded.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// A connection that ended sooner is not replaced before a call wants one: a server that
/// sends everybody away must not be asked again and again.
const SHORT_LIVED: Duration = Duration::from_secs(1);

/// Connections that other callers may use up, one after the other, before a caller that waits for
/// one gives up.
const USED_UP: usize = 10;

/// How long a connection that is suspected to be dead has to show that it is not: no longer
/// than a try, so that the next but one finds another connection.
const SUSPICION: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Pool {
    endpoint: Endpoint,
    size: usize,
    upkeep: Upkeep,
    /// Those that take calls. Written when one comes or goes, read by every call.
    live: RwLock<Vec<Arc<Pooled>>>,
    /// The one try to connect that is under way, or the last one.
    dialing: Mutex<Option<Dialing>>,
    /// Which address the next try begins with.
    steer: Mutex<Steer>,
    /// Connections that have carried an answer, of all that there ever were.
    answered: AtomicUsize,
    /// No connection is opened beside others before this: the last one failed, or did not
    /// last. Without it every call that finds the others busy would try once more.
    grow_from: Mutex<Option<Instant>>,
    /// What the last try to connect came to, where it failed, and when.
    refusal: Mutex<Option<(ConnectError, Instant)>>,
    closed: AtomicBool,
    /// Ends the upkeep of every connection.
    end: CancellationToken,
    drivers: TaskTracker,
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
            closed: AtomicBool::new(false),
            end: CancellationToken::new(),
            drivers: TaskTracker::new(),
        })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The connection with the fewest calls, if there is any.
    ///
    /// Where all are busy and there may be more, another is opened, for the calls to come.
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

    /// A connection: the least busy one, or the one that the next try to connect brings.
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
                    // Where others have used it up, as far as its server goes, the next will do.
                    let used = opened.upgrade().is_some_and(|connection| connection.is_used());
                    if !used && self.answered() == answered && !self.is_closed() {
                        break;
                    }
                }
                Ok(None) => {}
                // The runtime ended that the try ran on; the next is made on this one, unless
                // it has ended, too.
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

    /// Waits until there is a connection, trying again and again, but not beyond `end`.
    pub(crate) async fn reconnected(self: &Arc<Self>, end: Instant) {
        let backoff = Backoff::new(RECONNECT.0, RECONNECT.1);
        let reconnect = async {
            for n in 0.. {
                match self.connection().await {
                    Ok(_) | Err(Unconnected::Closed) => return,
                    Err(Unconnected::Failed(_)) => {}
                }
                // The upper half of the pause: a wait of nothing would be a try wasted.
                let pause = backoff.pause(n);
                sleep((pause.limit + pause.drawn) / 2).await;
            }
        };
        // A try to connect may take longer, and goes on then for the next caller.
        let _ = timeout_at(end, reconnect).await;
    }

    fn may_grow(&self) -> bool {
        locked(&self.grow_from).is_none_or(|from| Instant::now() >= from)
    }

    fn do_not_grow(&self) {
        *locked(&self.grow_from) = Some(Instant::now() + SHORT_LIVED);
    }

    fn is_full(&self) -> bool {
        self.read().iter().filter(|connection| connection.is_wanted()).count() >= self.size
    }

    /// How many connections have carried an answer: more later means that some call got on.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Notes that the server has answered a call over this connection.
    pub(crate) fn note_answer(&self, connection: &Pooled) {
        if connection.is_first_answer() {
            self.answered.fetch_add(1, Ordering::Relaxed);
            let mut steer = locked(&self.steer);
            if steer.avoid == connection.peer() {
                steer.avoid = None;
            }
        }
    }

    /// Finds out whether the server still answers over a connection on which a call waited in
    /// vain and nothing at all was read meanwhile. Until then others are preferred, and one
    /// that does not answer is replaced.
    pub(crate) fn suspect(self: &Arc<Self>, silent: Arc<Pooled>) {
        if silent.suspect() {
            let pool = self.clone();
            tokio::spawn(async move {
                if health::check(&silent, SUSPICION).await {
                    silent.clear();
                } else {
                    pool.discard(&silent);
                }
            });
        }
    }

    /// Takes a connection out of use that was found not to work.
    fn discard(self: &Arc<Self>, broken: &Arc<Pooled>) {
        self.write().retain(|connection| !Arc::ptr_eq(connection, broken));
        if !self.is_closed() {
            self.dial();
        }
    }

    /// Has a connection replaced that has reached its age. It takes calls until the new one is
    /// there.
    async fn renew(self: &Arc<Self>, old: &Arc<Pooled>) {
        old.outdate();
        let _ = self.dial().wait_for(Option::is_some).await;
    }

    /// Whether a connection takes calls now.
    fn holds(&self, connection: &Arc<Pooled>) -> bool {
        self.read().iter().any(|live| Arc::ptr_eq(live, connection))
    }

    fn is_empty(&self) -> bool {
        self.read().iter().all(|connection| connection.is_retired())
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Arc<Pooled>>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Arc<Pooled>>> {
        self.live.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the upkeep of all connections: there are no callers any more.
    pub(crate) fn end_upkeep(&self) {
        self.end.cancel();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Ends the connections as soon as the calls over them have ended, and waits for that, but
    /// no longer than `time`: the runtime that drives a connection may not be running.
    pub(crate) async fn close(&self, time: Duration) {
        self.closed.store(true, Ordering::Release);
        self.end_upkeep();
        self.write().clear();
        self.drivers.close();
        let _ = timeout(time, self.drivers.wait()).await;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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

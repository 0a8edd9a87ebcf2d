//! The client's connections: opened when they are needed, the least busy one picked, each
//! replaced as soon as it is of no further use.

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::{
    error::Error,
    health,
    retry::Backoff,
    transport::{ConnectError, Connection, Endpoint},
};

/// Pauses between the tries of a caller that waits for a connection: short beside the time
/// that a restart takes, and a server that has come back is not flooded.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// How long a try to connect that failed answers for all callers: however many they are, the
/// server sees no more than fifty tries a second.
const REFUSED: Duration = Duration::from_millis(20);

/// A connection that ended sooner is not replaced before a call wants one: a server that
/// sends everybody away must not be asked again and again.
const SHORT_LIVED: Duration = Duration::from_secs(1);

/// How long a connection that is suspected to be dead has to show that it is not.
const SUSPICION: Duration = Duration::from_secs(2);

/// What a try to connect has come to; `None` while it lasts.
type Outcome = Option<Result<(), ConnectError>>;

#[derive(Debug)]
pub(crate) struct Pool {
    endpoint: Endpoint,
    size: usize,
    /// Those that take calls. Written when one comes or goes, read by every call.
    live: RwLock<Vec<Arc<Connection>>>,
    /// The one try to connect that is under way, for whoever else wants a connection.
    dialing: Mutex<Option<watch::Receiver<Outcome>>>,
    /// No connection is opened beside others before this: the last one failed, or did not
    /// last. Without it every call that finds the others busy would try once more.
    grow_from: Mutex<Option<Instant>>,
    /// What the last try to connect came to, where it failed, and when.
    refusal: Mutex<Option<(ConnectError, Instant)>>,
    closed: AtomicBool,
    drivers: TaskTracker,
}

impl Pool {
    pub(crate) fn new(endpoint: Endpoint, size: usize) -> Arc<Self> {
        Arc::new(Self {
            endpoint,
            size,
            live: RwLock::default(),
            dialing: Mutex::default(),
            grow_from: Mutex::default(),
            refusal: Mutex::default(),
            closed: AtomicBool::new(false),
            drivers: TaskTracker::new(),
        })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The connection with the fewest calls, if there is any.
    ///
    /// Where all are busy and there may be more, another is opened, for the calls to come.
    pub(crate) fn least_busy(self: &Arc<Self>) -> Option<Arc<Connection>> {
        let (least, open) = {
            let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
            let usable = live.iter().filter(|connection| !connection.is_retired());
            let burden = |connection: &&Arc<Connection>| {
                (connection.suspected.load(Ordering::Relaxed), connection.calls())
            };
            (usable.min_by_key(burden).cloned(), live.len())
        };
        let least = least?;
        if open < self.size && least.calls() > 0 && self.may_grow() {
            self.dial();
        }
        Some(least)
    }

    /// A connection: the least busy one, or the one that the next try to connect brings.
    pub(crate) async fn connection(self: &Arc<Self>) -> Result<Arc<Connection>, Unconnected> {
        let (mut connected, mut vanished) = (false, false);
        loop {
            if self.is_closed() {
                return Err(Unconnected::Closed);
            }
            if let Some(connection) = self.least_busy() {
                return Ok(connection);
            }
            if connected {
                let error = self.endpoint.failed("it closes connections at once");
                return Err(Unconnected::Failed(error));
            }
            if let Some(error) = self.just_refused() {
                return Err(Unconnected::Failed(error));
            }
            let mut dialing = self.dial();
            match dialing.wait_for(Option::is_some).await.map(|outcome| outcome.clone()) {
                Ok(Some(Err(error))) => return Err(Unconnected::Failed(error)),
                Ok(_) => connected = true,
                // The runtime ended that the try ran on; the next is made on this one, unless
                // it has ended, too.
                Err(_) if vanished => {
                    return Err(Unconnected::Failed(self.endpoint.failed("the runtime has ended")));
                }
                Err(_) => vanished = true,
            }
        }
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
        // A try to connect may take longer, and goes on then for whoever comes next.
        let _ = timeout_at(end, reconnect).await;
    }

    fn may_grow(&self) -> bool {
        let grow_from = *self.grow_from.lock().unwrap_or_else(PoisonError::into_inner);
        grow_from.is_none_or(|from| Instant::now() >= from)
    }

    fn do_not_grow(&self) {
        let mut grow_from = self.grow_from.lock().unwrap_or_else(PoisonError::into_inner);
        *grow_from = Some(Instant::now() + SHORT_LIVED);
    }

    /// Joins the try to connect that is under way, or begins one.
    fn dial(self: &Arc<Self>) -> watch::Receiver<Outcome> {
        let mut dialing = self.dialing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) = &*dialing
            && under_way.has_changed().is_ok()
            && under_way.borrow().is_none()
        {
            return under_way.clone();
        }
        // One that came since the caller looked is enough.
        if let Some(last) = &*dialing
            && self.is_full()
        {
            return last.clone();
        }
        let (tell, outcome) = watch::channel(None);
        *dialing = Some(outcome.clone());
        let pool = self.clone();
        tokio::spawn(async move {
            let result = pool.open().await;
            if let Err(error) = &result {
                debug!(%error, "no connection to the cache");
                pool.do_not_grow();
            }
            *pool.refusal.lock().unwrap_or_else(PoisonError::into_inner) =
                result.as_ref().err().map(|error| (error.clone(), Instant::now()));
            tell.send_replace(Some(result));
        });
        outcome
    }

    /// What a try to connect would come to, as far as the last one tells.
    fn just_refused(&self) -> Option<ConnectError> {
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        let (error, at) = refusal.as_ref()?;
        (at.elapsed() < REFUSED).then(|| error.clone())
    }

    fn is_full(&self) -> bool {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.iter().filter(|connection| !connection.is_retired()).count() >= self.size
    }

    async fn open(self: &Arc<Self>) -> Result<(), ConnectError> {
        let pool = Arc::downgrade(self);
        let (connection, driver) =
            Connection::establish(&self.endpoint, move || Self::replace(&pool)).await?;
        self.drivers.spawn(driver);
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever closes the pool does so before it takes the connections out.
        if !self.is_closed() {
            live.retain(|connection| !connection.is_retired());
            live.push(Arc::new(connection));
        }
        Ok(())
    }

    /// Opens a connection in the place of those that are of no further use.
    fn replace(pool: &Weak<Self>) {
        let Some(pool) = pool.upgrade() else { return };
        let (mut wanted, mut short_lived) = (false, false);
        {
            let mut live = pool.live.write().unwrap_or_else(PoisonError::into_inner);
            live.retain(|connection| {
                if !connection.is_retired() {
                    return true;
                }
                let short = connection.age() < SHORT_LIVED;
                wanted |= !short;
                short_lived |= short;
                false
            });
        }
        if short_lived {
            pool.do_not_grow();
        }
        // The last connection may end with its runtime, which then connects no more.
        if wanted && !pool.is_closed() && tokio::runtime::Handle::try_current().is_ok() {
            debug!(server = %pool.endpoint.address(), "a connection to the cache is replaced");
            pool.dial();
        }
    }

    /// Finds out whether the server still answers over a connection on which a call waited in
    /// vain and nothing at all was read meanwhile. Until then others are preferred, and one
    /// that does not answer is replaced.
    pub(crate) fn suspect(self: &Arc<Self>, silent: Arc<Connection>) {
        if !silent.suspected.swap(true, Ordering::Relaxed) {
            let pool = self.clone();
            tokio::spawn(async move {
                health::check(&pool, &silent, SUSPICION).await;
                silent.suspected.store(false, Ordering::Relaxed);
            });
        }
    }

    /// Takes a connection out of use that was found not to work.
    pub(crate) fn discard(self: &Arc<Self>, broken: &Arc<Connection>) {
        {
            let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
            live.retain(|connection| !Arc::ptr_eq(connection, broken));
        }
        if !self.is_closed() {
            self.dial();
        }
    }

    /// Those that take calls now.
    pub(crate) fn live(&self) -> Vec<Arc<Connection>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Ends the connections as soon as the calls over them have ended, and waits for that, but
    /// no longer than `time`: the runtime that drives a connection may not be running.
    pub(crate) async fn close(&self, time: Duration) {
        self.closed.store(true, Ordering::Release);
        self.live.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.drivers.close();
        let _ = timeout(time, self.drivers.wait()).await;
    }
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

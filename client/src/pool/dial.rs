//! Opens connections, one try at a time, and takes them into the pool.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use tracing::debug;

use super::{Pool, Pooled, SHORT_LIVED, locked, upkeep};
use crate::transport::{ConnectError, Connection, Established};

/// How long a try to connect that failed answers for all callers: however many they are, the
/// server sees no more than fifty tries a second.
const REFUSED: Duration = Duration::from_millis(20);

/// What a try to connect has come to; `None` while it lasts.
pub(super) type Outcome = Option<Result<Weak<Pooled>, ConnectError>>;

/// A try to connect, which all callers share.
#[derive(Debug)]
pub(super) struct Dialing {
    outcome: watch::Receiver<Outcome>,
    begun: Instant,
}

impl Pool {
    /// Joins the try to connect that is under way, or begins one.
    pub(super) fn dial(self: &Arc<Self>) -> watch::Receiver<Outcome> {
        let mut dialing = locked(&self.dialing);
        if let Some(Dialing { outcome, begun }) = &*dialing {
            // A try on a runtime that nobody runs any more comes to nothing.
            let stuck = begun.elapsed() > self.endpoint.time_to_connect().saturating_mul(2);
            if outcome.has_changed().is_ok() && outcome.borrow().is_none() && !stuck {
                return outcome.clone();
            }
            // One that came since the caller looked is enough.
            if self.is_full() {
                return outcome.clone();
            }
        }
        let (tell, outcome) = watch::channel(None);
        *dialing = Some(Dialing { outcome: outcome.clone(), begun: Instant::now() });
        let pool = self.clone();
        tokio::spawn(async move {
            let result = pool.open().await;
            if let Err(error) = &result {
                debug!(%error, "no connection to the cache");
                pool.do_not_grow();
            }
            *locked(&pool.refusal) =
                result.as_ref().err().map(|error| (error.clone(), Instant::now()));
            tell.send_replace(Some(result));
        });
        outcome
    }

    /// What a try to connect would come to, as far as the last one shows.
    pub(super) fn just_refused(&self) -> Option<ConnectError> {
        let refusal = locked(&self.refusal);
        let (error, at) = refusal.as_ref()?;
        (at.elapsed() < REFUSED).then(|| error.clone())
    }

    async fn open(self: &Arc<Self>) -> Result<Weak<Pooled>, ConnectError> {
        let steer = *locked(&self.steer);
        let pool = Arc::downgrade(self);
        let Established { connection, driver, addresses } =
            Connection::establish(&self.endpoint, steer, move || Self::replace(&pool)).await?;
        self.drivers.spawn(driver);
        let opened = Arc::new(Pooled::new(connection));
        let peer = opened.peer();
        {
            let mut live = self.write();
            // To close the pool is to mark it first, and then to take the connections out.
            if self.is_closed() {
                return Ok(Weak::new());
            }
            live.retain(|connection| !connection.is_retired());
            // The client stays with its server for as long as the name gives that address.
            let stays = live.iter().any(|other| {
                other.peer() != peer
                    && other.is_sound()
                    && other.peer().is_some_and(|peer| addresses.contains(&peer))
            });
            if stays {
                self.do_not_grow();
                return Ok(Weak::new());
            }
            // The calls of those that go end in their own time.
            live.retain(|other| other.is_wanted() && other.peer() == peer);
            live.push(opened.clone());
        }
        locked(&self.steer).prefer = peer;
        upkeep::begin(self, &opened);
        Ok(Arc::downgrade(&opened))
    }

    /// Opens a connection in the place of those that are of no further use.
    fn replace(pool: &Weak<Self>) {
        let Some(pool) = pool.upgrade() else { return };
        let (mut wanted, mut short_lived) = (false, false);
        let mut avoid = None;
        pool.write().retain(|connection| {
            if !connection.is_retired() {
                return true;
            }
            let short = connection.age() < SHORT_LIVED;
            wanted |= !short;
            short_lived |= short;
            if short && !connection.has_answered() {
                avoid = connection.peer();
            }
            false
        });
        if avoid.is_some() {
            locked(&pool.steer).avoid = avoid;
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
}

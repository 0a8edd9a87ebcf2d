//! Opens connections, one attempt at a time, and adds them to the pool.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use tracing::debug;

use super::{
    connections::{Pool, SHORT_LIVED, locked},
    dialing::{Dialing, Outcome},
    pooled::Pooled,
    watch as upkeep,
};
use crate::transport::{ConnectError, Connection, Established};

/// How long the error of a failed attempt answers all callers. It limits the attempts that a
/// server sees to fifty a second, however many callers there are.
const REFUSED: Duration = Duration::from_millis(20);

impl Pool {
    /// Joins the attempt that is under way, or begins one.
    pub(super) fn dial(self: &Arc<Self>) -> watch::Receiver<Outcome> {
        let mut dialing = locked(&self.dialing);
        if let Some(last) = &*dialing
            // A full pool needs none: a connection came since the caller looked.
            && (last.is_under_way(self.endpoint.connect_timeout) || self.is_full())
        {
            return last.outcome();
        }
        let (sender, begun) = Dialing::begin();
        let outcome = begun.outcome();
        *dialing = Some(begun);
        let pool = self.clone();
        tokio::spawn(async move {
            let result = pool.open().await;
            if let Err(error) = &result {
                debug!(%error, "no connection to the cache");
                pool.do_not_grow();
                pool.failures.fetch_add(1, Ordering::Relaxed);
            } else {
                pool.failures.store(0, Ordering::Relaxed);
            }
            *locked(&pool.refusal) =
                result.as_ref().err().map(|error| (error.clone(), Instant::now()));
            sender.send_replace(Some(result));
        });
        outcome
    }

    /// The error of the last attempt, if it failed within [`REFUSED`].
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
        let peer = opened.peer;
        {
            let mut live = self.write();
            // `close` sets the flag before it takes the connections out.
            if self.is_closed() {
                return Ok(Weak::new());
            }
            live.retain(|connection| !connection.is_retired());
            // The client stays with its server while the name still gives that address.
            let stays = live.iter().any(|other| {
                other.peer != peer
                    && other.is_sound()
                    && other.peer.is_some_and(|peer| addresses.contains(&peer))
            });
            if stays {
                self.do_not_grow();
                return Ok(Weak::new());
            }
            // The calls over the others end normally.
            live.retain(|other| other.is_wanted() && other.peer == peer);
            live.push(opened.clone());
        }
        locked(&self.steer).prefer = peer;
        upkeep::begin(self, &opened);
        Ok(Arc::downgrade(&opened))
    }

    /// Removes retired connections, and opens one in their place unless they were short-lived.
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
                avoid = connection.peer;
            }
            false
        });
        if avoid.is_some() {
            locked(&pool.steer).avoid = avoid;
        }
        if short_lived {
            pool.do_not_grow();
        }
        // The last connection may end because its runtime ends, which then cannot connect.
        if wanted && !pool.is_closed() && tokio::runtime::Handle::try_current().is_ok() {
            debug!(server = %pool.endpoint.address(), "a connection to the cache ended and is replaced");
            pool.dial();
        }
    }
}

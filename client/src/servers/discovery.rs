//! The servers of a ring as they come and go: a list that is fixed, or the addresses of a name that
//! is looked up again. Knows nothing of keys and calls.

use std::{
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, timeout};
use tracing::{debug, info};

use super::{
    member::Member,
    members::Members,
    settings::{PoolSettings, RingSettings},
};
use crate::{
    pool::Unconnected,
    ring::RingSize,
    transport::{ConnectError, Endpoint},
};

/// The name is looked up this soon, at the earliest, after the last time.
const SOONEST: Duration = Duration::from_secs(1);

/// The servers, and how they are found.
#[derive(Debug)]
pub(crate) struct Discovery {
    members: RwLock<Arc<Members>>,
    /// None if the servers never change.
    name: Option<Name>,
}

/// A name whose addresses are the servers.
#[derive(Debug)]
struct Name {
    endpoint: Endpoint,
    pools: PoolSettings,
    size: RingSize,
    every: Duration,
    begun: Instant,
    /// When the name is due, in milliseconds after `begun`. Every call reads it.
    due: AtomicU64,
    /// Held while the name is looked up.
    looking_up: tokio::sync::Mutex<Option<Instant>>,
    closed: AtomicBool,
}

impl Discovery {
    /// Servers that never change.
    pub(super) fn fixed(members: Members) -> Self {
        Self { members: RwLock::new(Arc::new(members)), name: None }
    }

    /// The addresses of a name, none until it was looked up.
    pub(super) fn of_name(endpoint: Endpoint, pools: PoolSettings, settings: RingSettings) -> Self {
        let name = Name {
            endpoint,
            pools,
            size: settings.size,
            every: settings.look_up_every,
            begun: Instant::now(),
            due: AtomicU64::new(0),
            looking_up: tokio::sync::Mutex::default(),
            closed: AtomicBool::new(false),
        };
        Self { members: RwLock::default(), name: Some(name) }
    }

    /// The servers as they are known.
    pub(super) fn now(&self) -> Arc<Members> {
        self.members.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The servers, looked up if none is known.
    pub(super) async fn members(&self) -> Result<Arc<Members>, Unconnected> {
        let members = self.now();
        match &self.name {
            Some(name) if members.all().is_empty() => self.refresh(name).await?,
            _ => return Ok(members),
        }
        Ok(self.now())
    }

    /// Has the name looked up in a task of its own if that is due.
    pub(super) fn refresh_if_due(self: &Arc<Self>, now: Instant) {
        let Some(name) = &self.name else { return };
        let due = name.due.load(Ordering::Relaxed);
        if millis(now.saturating_duration_since(name.begun)) < due || self.now().all().is_empty() {
            return;
        }
        let next = millis(name.begun.elapsed() + name.every);
        // One of many concurrent calls wins.
        if name.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let discovery = self.clone();
        tokio::spawn(async move {
            if let Some(name) = &discovery.name
                && let Err(Unconnected::Failed(error)) = discovery.refresh(name).await
            {
                debug!(%error, "the servers stay as they are");
            }
        });
    }

    /// Makes the name due, because a server does not answer.
    pub(super) fn refresh_soon(&self) {
        if let Some(name) = &self.name {
            name.due.store(0, Ordering::Relaxed);
        }
    }

    /// Ends the look-ups.
    pub(super) fn close(&self) {
        if let Some(name) = &self.name {
            name.closed.store(true, Ordering::Release);
        }
    }

    /// Looks the name up, unless another caller just did. Without an answer the servers stay as
    /// they are: a resolver that is down must not take the caches along.
    async fn refresh(&self, name: &Name) -> Result<(), Unconnected> {
        let mut last = name.looking_up.lock().await;
        if name.closed.load(Ordering::Acquire) {
            return Err(Unconnected::Closed);
        }
        if last.is_some_and(|last| last.elapsed() < SOONEST) && !self.now().all().is_empty() {
            return Ok(());
        }
        let found = name.look_up().await.map_err(Unconnected::Failed)?;
        let before = self.now();
        let all: Vec<_> = found.into_iter().map(|socket| name.member(&before, socket)).collect();
        if all.len() != before.all().len() || all.iter().any(|new| !before.has(new)) {
            info!(name = %name.endpoint.address(), servers = all.len(), "the caches have changed");
            let members = Arc::new(Members::new(all, name.size));
            let mut current = self.members.write().unwrap_or_else(PoisonError::into_inner);
            // `close` sets the flag before it reads the servers that it closes.
            if name.closed.load(Ordering::Acquire) {
                return Err(Unconnected::Closed);
            }
            *current = members;
        }
        name.due.store(millis(name.begun.elapsed() + name.every), Ordering::Relaxed);
        *last = Some(Instant::now());
        Ok(())
    }
}

impl Name {
    /// Its addresses, of one family: a server with one of each would otherwise be two.
    async fn look_up(&self) -> Result<Vec<SocketAddr>, ConnectError> {
        let endpoint = &self.endpoint;
        let found = timeout(endpoint.connect_timeout, endpoint.look_up()).await;
        let mut found = found
            .map_err(|_| endpoint.failed("its name is not resolved in time"))?
            .map_err(|cause| endpoint.failed(cause))?
            .unwrap_or_default();
        if found.iter().any(SocketAddr::is_ipv4) {
            found.retain(SocketAddr::is_ipv4);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The server at an address, which keeps its connections if it is known.
    fn member(&self, before: &Members, socket: SocketAddr) -> Arc<Member> {
        let name = socket.to_string();
        if let Some(member) = before.named(&name) {
            return member.clone();
        }
        Member::new(name, 1, self.endpoint.to_socket(socket), self.pools)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

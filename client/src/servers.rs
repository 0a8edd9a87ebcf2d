//! The servers of a client: one, or several on a ring, each with a pool of its own. Chooses the
//! server of a key, or the next one on the ring while that server is down. Knows nothing of calls.

mod settings; // how several servers are dealt with
mod discovery; // the addresses of a name, again and again
mod info; // what a caller may know about a server
mod load; // whether a server has more to do than the others
mod health; // up, down, or on its way back
mod member; // a server of a ring
mod members; // all of them at a time, with their ring

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::time::Instant;

use crate::{
    address::Address,
    error::{Error, Result},
    kind::ErrorKind,
    pool::Pool,
    server::Node,
    transport::Endpoint,
};

use self::{discovery::Discovery, load::Bound};
pub use self::{health::ServerState, info::ServerInfo};
pub(crate) use self::{
    member::Member,
    members::Members,
    settings::{PoolSettings, RingSettings},
};

/// The servers of a client.
#[derive(Debug)]
pub(crate) enum Servers {
    One(Arc<Pool>),
    Ring(RingServers),
}

/// Several servers.
#[derive(Debug)]
pub(crate) struct RingServers {
    settings: RingSettings,
    /// The name for all servers, or the first server's address.
    address: Address,
    found: Arc<Discovery>,
}

/// The server of a call.
#[derive(Debug)]
pub(crate) enum Chosen<'c> {
    One(&'c Arc<Pool>),
    Member(Arc<Member>),
}

impl Servers {
    /// Servers with these names, in their order, each looked up by itself.
    pub(crate) fn listed(
        nodes: Vec<(Node, Endpoint)>,
        pools: PoolSettings,
        settings: RingSettings,
    ) -> Self {
        let address = nodes.first().map(|(node, _)| node.address.clone());
        let members = nodes
            .into_iter()
            .map(|(node, endpoint)| Member::new(node.name, node.weight, endpoint, pools));
        let members = Members::new(members.collect(), settings.size);
        Self::Ring(RingServers {
            settings,
            address: address.expect("the builder refuses an empty list"),
            found: Arc::new(Discovery::fixed(members)),
        })
    }

    /// The servers at all addresses of the endpoint's name.
    pub(crate) fn of_name(name: Endpoint, pools: PoolSettings, settings: RingSettings) -> Self {
        Self::Ring(RingServers {
            settings,
            address: name.address().clone(),
            found: Arc::new(Discovery::of_name(name, pools, settings)),
        })
    }

    /// The address of the one server, the name for all servers, or the first server's address.
    pub(crate) fn address(&self) -> &Address {
        match self {
            Self::One(pool) => pool.endpoint.address(),
            Self::Ring(ring) => &ring.address,
        }
    }

    /// Connects to each server that has no connection. One that answers is enough: the others may
    /// come later.
    pub(crate) async fn reach(&self) -> Result<()> {
        let members = match self {
            Self::One(pool) => {
                pool.connection().await?;
                return Ok(());
            }
            Self::Ring(ring) => ring.members().await?,
        };
        let reached = join_all(members.all().iter().map(Member::reach)).await;
        let mut failed = None;
        for outcome in reached {
            match outcome {
                Ok(()) => return Ok(()),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Err(failed.map_or_else(Error::closed, Error::from))
    }

    /// Ends the tasks that check and replace connections.
    pub(crate) fn end_upkeep(&self) {
        match self {
            Self::One(pool) => pool.end_upkeep(),
            Self::Ring(ring) => ring.found.now().all().iter().for_each(|member| {
                member.pool.end_upkeep();
            }),
        }
    }

    /// Ends each connection when its calls have ended, and waits for that up to `time`.
    pub(crate) async fn close(&self, time: Duration) {
        match self {
            Self::One(pool) => pool.close(time).await,
            Self::Ring(ring) => {
                ring.found.close();
                let members = ring.found.now();
                join_all(members.all().iter().map(|member| member.pool.close(time))).await;
            }
        }
    }
}

impl RingServers {
    /// All servers; looks up their name first if that never succeeded.
    pub(crate) async fn members(&self) -> Result<Arc<Members>> {
        self.found.members().await.map_err(Error::from)
    }

    /// All servers that are known at this moment. Also has their name looked up again, in a task
    /// of its own, if that is due at `now`.
    pub(crate) fn now(&self, now: Instant) -> Arc<Members> {
        self.found.refresh_if_due(now);
        self.found.now()
    }

    /// The server for a hash: its owner, or the first of the others on the ring that takes it, and
    /// has room if loads are bounded. If no server takes it, the owner, whose error then is that of
    /// the call.
    pub(crate) fn choose(&self, members: &Members, hash: u64) -> Result<Arc<Member>> {
        let RingSettings { failover, warm_up, bounded_load, .. } = self.settings;
        let owner = members.owner(hash).ok_or_else(no_server)?;
        if let Some(factor) = bounded_load {
            let bound = Bound::of(members, factor);
            let mut heirs = members.heirs(hash);
            let free = heirs.find(|heir| heir.takes(hash, warm_up) && bound.has_room(heir));
            if let Some(free) = free {
                return Ok(free.clone());
            }
        }
        if !failover || owner.takes(hash, warm_up) {
            return Ok(owner.clone());
        }
        let heir = members.heirs(hash).skip(1).find(|heir| heir.takes(hash, warm_up));
        Ok(heir.unwrap_or(owner).clone())
    }

    /// Whether a server is down, and others take its keys.
    pub(crate) fn gives_up(&self, member: &Member) -> bool {
        self.settings.failover && member.pool.is_down()
    }

    /// All servers that are known, without a look-up.
    pub(crate) fn known(&self) -> Arc<Members> {
        self.found.now()
    }

    /// What a caller may know about a server.
    pub(crate) fn info(&self, member: &Member) -> ServerInfo {
        ServerInfo {
            name: member.name.to_string(),
            address: member.pool.endpoint.address().clone(),
            weight: member.weight,
            state: member.state(self.settings.warm_up),
        }
    }

    /// Notes a call without an answer: its server may be down, or have moved.
    pub(crate) fn note_silence(&self, member: &Arc<Member>) {
        if member.pool.is_down() {
            member.give_up();
            self.found.refresh_soon();
        }
    }
}

impl Chosen<'_> {
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        match self {
            Self::One(pool) => pool,
            Self::Member(member) => &member.pool,
        }
    }
}

/// The error of a call before any server is known.
pub(crate) fn no_server() -> Error {
    Error::new(ErrorKind::Connection, "no server is known; its name was not resolved in time")
}

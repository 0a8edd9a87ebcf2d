//! What the loop has sent, or tries, and has not ended.

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use rustis::{Error, client::Client};
use tokio::time::{sleep, timeout};

use crate::{
    store::Outcome,
    tier::{
        ask::{Down, Write, WriteReply},
        dialer::Dialer,
        figures::Command,
        flights::FetchId,
        layout::TierKey,
        primary::{Primary, Range},
        remote::{self, Failure, Fetched},
        routes::{Clients, Way},
        topology,
    },
};

/// What comes of it.
pub(super) enum Done {
    Connected(Primary, Result<Client, Error>),
    Discovered(Option<Vec<Range>>),
    Fetched(Sent, Vec<FetchedOne>),
    Wrote(Sent, TierKey, Result<Outcome, Failure>, WriteReply),
}

/// What a fetch found for one key.
pub(super) type FetchedOne = (FetchId, TierKey, Result<Option<Fetched>, Failure>);

/// What was sent, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) command: Command,
    pub(super) at: Instant,
}

pub(super) type Work = Pin<Box<dyn Future<Output = Done> + Send>>;

pub(super) fn connect(dialer: Dialer, primary: Primary, pause: Duration) -> Work {
    Box::pin(async move {
        sleep(pause).await;
        let connected = dialer.connect(&primary).await;
        Done::Connected(primary, connected)
    })
}

pub(super) fn discover(dialer: Dialer, clients: Arc<Clients>) -> Work {
    Box::pin(async move { Done::Discovered(topology::discover(&dialer, clients).await) })
}

pub(super) fn fetch(way: Way, ids: Vec<FetchId>, keys: Vec<TierKey>, patience: Duration) -> Work {
    let sent = Sent { command: Command::Read, at: Instant::now() };
    Box::pin(async move {
        let fetched = timeout(patience, remote::fetch(&way, &keys)).await;
        let fetched = fetched.unwrap_or_else(|_late| {
            keys.iter().map(|_| Err(Failure::Silent(Down::Apart))).collect()
        });
        let each = ids.into_iter().zip(keys).zip(fetched);
        Done::Fetched(sent, each.map(|((id, key), found)| (id, key, found)).collect())
    })
}

pub(super) fn write(
    way: Way,
    (key, write): (TierKey, Write),
    reply: WriteReply,
    patience: Duration,
) -> Work {
    let sent = Sent { command: command(&write), at: Instant::now() };
    Box::pin(async move {
        let outcome = timeout(patience, remote::write(&way, &key, &write)).await;
        let outcome = outcome.unwrap_or(Err(Failure::Silent(Down::Unsure)));
        Done::Wrote(sent, key, outcome, reply)
    })
}

fn command(write: &Write) -> Command {
    match write {
        Write::Set { .. } => Command::Set,
        Write::SetIfAbsent { .. } => Command::SetIfAbsent,
        Write::CompareAndSet { .. } => Command::CompareAndSet,
        Write::Delete => Command::Delete,
    }
}

/// What a caller is told of a failure.
pub(super) fn down(failure: Failure) -> Down {
    match failure {
        Failure::Refused(down) | Failure::Silent(down) => down,
        Failure::Replica => Down::Replica,
        Failure::Moved => Down::Apart,
    }
}

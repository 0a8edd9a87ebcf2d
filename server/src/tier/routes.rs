//! The way of a key: its slot, the primary that has it, and the connection to that.
//!
//! The client crate could do it (rustis 0.27), but takes a dead primary for the end of the whole
//! cluster: every key is out of reach until a failover, and with Redis 7.0, which goes on listing
//! the dead node, longer than that.

use std::{collections::BTreeMap, sync::Arc};

use rustis::{
    Error, ErrorKind, RedisErrorKind,
    client::Client,
    resp::{Command, Value, cmd},
};

use super::primary::{Primary, Range};

/// The connections, by their primaries.
pub(super) type Clients = BTreeMap<Primary, Client>;

/// Which primary has which slots, and the connections to them.
#[derive(Default)]
pub(super) struct Routes {
    /// In the order of their slots.
    ranges: Vec<Range>,
    clients: Arc<Clients>,
}

/// A connection, and those that it may send a command on to.
#[derive(Clone)]
pub(super) struct Way {
    client: Client,
    clients: Arc<Clients>,
}

impl Routes {
    /// These are the primaries now. Returns them. Connections to others are given up.
    pub(super) fn set_ranges(&mut self, ranges: Vec<Range>) -> Vec<Primary> {
        let mut primaries: Vec<_> = ranges.iter().map(|range| range.primary.clone()).collect();
        primaries.sort_unstable();
        primaries.dedup();
        self.ranges = ranges;
        if self.clients.keys().any(|one| !primaries.contains(one)) {
            Arc::make_mut(&mut self.clients).retain(|one, _| primaries.contains(one));
        }
        primaries
    }

    pub(super) fn set_client(&mut self, primary: Primary, client: Client) {
        Arc::make_mut(&mut self.clients).insert(primary, client);
    }

    /// Gives up the connection to a primary.
    pub(super) fn give_up(&mut self, primary: &Primary) {
        Arc::make_mut(&mut self.clients).remove(primary);
    }

    /// Takes out the connections that have ended, and returns whose they were.
    pub(super) fn take_ended(&mut self) -> Vec<Primary> {
        let has_ended = |(primary, client): (&Primary, &Client)| {
            client.is_terminated().then(|| primary.clone())
        };
        let ended: Vec<_> = self.clients.iter().filter_map(has_ended).collect();
        if !ended.is_empty() {
            Arc::make_mut(&mut self.clients).retain(|primary, _| !ended.contains(primary));
        }
        ended
    }

    pub(super) fn clients(&self) -> Arc<Clients> {
        self.clients.clone()
    }

    /// The way to a slot. `None`: nobody has it, or is connected to.
    pub(super) fn way(&self, slot: u16) -> Option<Way> {
        let behind = self.ranges.partition_point(|range| range.first <= slot);
        let range = self.ranges[..behind].last().filter(|range| slot <= range.last)?;
        let client = self.clients.get(&range.primary)?.clone();
        Some(Way { client, clients: self.clients.clone() })
    }

    /// Whether every primary is connected to.
    pub(super) fn is_whole(&self) -> bool {
        !self.ranges.is_empty()
            && self.ranges.iter().all(|range| self.clients.contains_key(&range.primary))
    }
}

impl Way {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a command, and sends it on to where the slot has moved or is moving. A command that is
    /// sent on was not carried out.
    pub(super) async fn send(&self, command: Command) -> Result<Value, Error> {
        let refused = match self.client.send(command.clone(), None).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        match elsewhere(&refused).and_then(|(to, asks)| Some((self.clients.get(&to)?, asks))) {
            None => Err(refused),
            Some((client, false)) => client.send(command, None).await,
            Some((client, true)) => {
                let mut pipeline = client.create_pipeline();
                pipeline.queue_command(cmd("ASKING"));
                pipeline.queue_command(command);
                let mut answers: Vec<Value> = pipeline.execute().await?;
                Ok(answers.pop().unwrap_or_default())
            }
        }
    }
}

/// Where a server says that a slot is, and whether only for now, which takes the word ASKING.
fn elsewhere(error: &Error) -> Option<(Primary, bool)> {
    let ErrorKind::Redis(refusal) = error.kind() else { return None };
    let (RedisErrorKind::Moved { address, .. } | RedisErrorKind::Ask { address, .. }) =
        &refusal.kind
    else {
        return None;
    };
    let asks = matches!(refusal.kind, RedisErrorKind::Ask { .. });
    let (host, port) = address.clone();
    Some((Primary { host, port }, asks))
}

/// Whether a server says that a slot has moved for good.
pub(super) fn has_moved(error: &Error) -> bool {
    elsewhere(error).is_some()
}

//! A connection to one primary that tells of changes: `CLIENT TRACKING` in broadcast for the
//! prefix, on a connection of its own. It is given up as soon as a word may have been missed, and
//! made anew: what the loop does about the time between is its own business.
//!
//! Not on the connection of the reads and writes, whose answers may be megabytes before a word. So
//! this node hears of its own writes, too (`NOLOOP` is by the connection), and a key that it wrote
//! is near again with the next read.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use rustis::{
    client::Client,
    commands::{ClientTrackingOptions, ClientTrackingStatus, ConnectionCommands},
    resp::BulkString,
};
use tokio::{
    sync::{Notify, mpsc::UnboundedSender},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};

use super::{dialer::Dialer, primary::Primary};

/// Between two looks whether the primary still answers, and how long it has for that. A connection
/// that died without a word is noticed after twice this time, at the latest.
const PROBE: Duration = Duration::from_millis(500);

/// The pause before the next connection: as long as the first few are refused, and later.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(250)];

/// Attempts that the first pause is for.
const QUICK: u32 = 5;

/// What a primary tells.
#[derive(Debug)]
pub(super) enum Word {
    /// It tells of changes from now on.
    Heard(Primary),
    /// It no longer does.
    Lost(Primary),
    /// These keys have changed.
    Changed(Vec<BulkString>),
    /// All of them have.
    AllChanged,
}

/// One who listens to a primary.
#[derive(Debug)]
pub(super) struct Listener {
    task: JoinHandle<()>,
    anew: Arc<Notify>,
}

impl Listener {
    pub(super) fn start(
        primary: Primary,
        dialer: Dialer,
        prefix: String,
        words: UnboundedSender<Word>,
    ) -> Self {
        let anew = Arc::new(Notify::new());
        let task = tokio::spawn(listen(primary, dialer, (prefix, anew.clone()), words));
        Self { task, anew }
    }

    /// Connects anew. It says itself when it has stopped to listen, so that what it says comes in
    /// its order.
    pub(super) fn look_anew(&self) {
        self.anew.notify_one();
    }

    pub(super) fn end(&self) {
        self.task.abort();
    }
}

async fn listen(
    primary: Primary,
    dialer: Dialer,
    (prefix, anew): (String, Arc<Notify>),
    words: UnboundedSender<Word>,
) {
    let mut refused = 0;
    loop {
        let tells = connect(&dialer, &primary, &prefix).await;
        if let Some((client, changes)) = tells {
            refused = 0;
            // A loop that is gone needs no words.
            let _ = words.send(Word::Heard(primary.clone()));
            tokio::select! {
                () = pass_on(&client, changes, &words) => {}
                () = anew.notified() => {}
            }
            let _ = words.send(Word::Lost(primary.clone()));
        }
        sleep(PAUSES[usize::from(refused >= QUICK)]).await;
        refused = refused.saturating_add(1);
    }
}

type Changes = rustis::client::ClientTrackingInvalidationStream;

async fn connect(dialer: &Dialer, primary: &Primary, prefix: &str) -> Option<(Client, Changes)> {
    let client = dialer.connect_to_ask(primary, PROBE).await.ok()?;
    let changes = client.create_client_tracking_invalidation_stream().ok()?;
    let options = ClientTrackingOptions::default().broadcasting().prefix(prefix);
    client.client_tracking(ClientTrackingStatus::On, options).await.ok()?;
    Some((client, changes))
}

/// Passes on what the primary tells, until it may have told more than came.
async fn pass_on(client: &Client, mut changes: Changes, words: &UnboundedSender<Word>) {
    let mut probe = interval(PROBE);
    probe.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            changed = changes.next() => {
                let Some(keys) = changed else { return };
                if changes.dropped_messages() > 0 {
                    return;
                }
                // An empty list is all keys: the database was emptied.
                let word = if keys.is_empty() { Word::AllChanged } else { Word::Changed(keys) };
                if words.send(word).is_err() {
                    return;
                }
            }
            _ = probe.tick() => {
                if client.ping::<()>("").await.is_err() {
                    return;
                }
            }
        }
    }
}

//! The loop: takes what workers ask and what the tier says, one after another.

mod near; // the store, as the loop fills and empties it
mod presence; // whether the tier is there
mod queue; // what is to be sent
mod work; // what was sent and has not ended

use std::{
    io,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::FuturesUnordered};
use rustis::client::Client;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Interval, MissedTickBehavior, interval},
};

use self::{
    near::NearPart,
    presence::{OnChange, Presence},
    queue::{Queue, Queued},
    work::{Done, Sent, Work},
};
use super::{
    ask::{Ask, Down, ReadReply, Write, WriteReply},
    breaker::Breaker,
    coverage::{Coverage, Verdict},
    dialer::Dialer,
    figures::Figures,
    flights::{FetchId, Flights},
    handle::Tier,
    layout::{Layout, TierKey},
    primary::{Primary, Range},
    remote::Failure,
    routes::Routes,
    settings::TierSettings,
    tracking::{Listener, Word},
    transport::TierError,
};
use crate::store::{Lookup, StoreHandle, Value};

/// Things that are taken in one turn. What they ask goes into one pipeline.
const TURN: usize = 1024;

/// Between two looks at which primaries a cluster has, and at the clock of the near part.
const LOOK: Duration = Duration::from_millis(250);

/// The pause before the next attempt to connect.
const PAUSE: Duration = Duration::from_millis(100);

/// Between two times that the primary is looked for because it takes no writes. Each empties the near
/// part, and a URL that names a replica would have it emptied with every write.
const LEAVE: Duration = Duration::from_secs(2);

/// The loop's state.
pub(crate) struct Desk {
    asks: UnboundedReceiver<Ask>,
    words: UnboundedReceiver<Word>,
    /// For those who listen to primaries.
    telling: UnboundedSender<Word>,
    dialer: Dialer,
    layout: Layout,
    timeout: Duration,
    routes: Routes,
    /// A cluster is being asked for its primaries.
    is_discovering: bool,
    listeners: Vec<(Primary, Listener)>,
    /// When the primary was last looked for because it takes no writes.
    left: Option<Instant>,
    near: NearPart,
    flights: Flights,
    breaker: Breaker,
    coverage: Coverage,
    figures: Figures,
    queue: Queue,
    work: FuturesUnordered<Work>,
    presence: Presence,
}

impl Desk {
    /// The loop, and what workers ask it by. `near` is a handle of its own.
    ///
    /// # Errors
    /// [`TierError`] when a file cannot be used.
    pub(crate) fn new(
        settings: &TierSettings,
        near: StoreHandle,
        on_change: OnChange,
    ) -> Result<(Self, Tier, Figures), TierError> {
        let dialer = Dialer::new(settings)?;
        let is_cluster = dialer.is_cluster();
        let (asking, asks) = unbounded_channel();
        let (telling, words) = unbounded_channel();
        let (layout, figures) = (Layout::new(&settings.prefix), Figures::default());
        let tier = Tier::new(layout.clone(), asking, figures.clone(), dialer.only_server());
        let desk = Self {
            asks,
            words,
            telling,
            dialer,
            layout,
            timeout: settings.timeout,
            routes: Routes::default(),
            is_discovering: false,
            listeners: Vec::new(),
            left: None,
            near: NearPart::new(near),
            flights: Flights::default(),
            breaker: Breaker::new(is_cluster),
            coverage: Coverage::new(settings.stale_time),
            figures: figures.clone(),
            queue: Queue::new(is_cluster),
            work: FuturesUnordered::new(),
            presence: Presence::new(settings.to_string(), on_change, figures.clone()),
        };
        Ok((desk, tier, figures))
    }

    /// Works until it is dropped.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        if !self.dialer.is_cluster() {
            self.set_ranges(vec![Range::all_of(Primary::only())]);
        }
        let mut look = ticks();
        let mut asked = Vec::with_capacity(TURN);
        let mut told = Vec::with_capacity(TURN);
        loop {
            tokio::select! {
                biased;
                // What is known to be old is forgotten before anything is filled.
                _ = self.words.recv_many(&mut told, TURN) => {
                    told.drain(..).for_each(|word| self.hear(word));
                }
                Some(done) = self.work.next() => self.end(done),
                count = self.asks.recv_many(&mut asked, TURN) => {
                    if count == 0 {
                        // The workers are gone.
                        return std::future::pending().await;
                    }
                    self.take(&mut asked);
                }
                _ = look.tick() => self.look(),
            }
        }
    }
}

fn ticks() -> Interval {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// What workers ask.
impl Desk {
    fn take(&mut self, asked: &mut Vec<Ask>) {
        let mut fetches = Vec::new();
        for ask in asked.drain(..) {
            match ask {
                Ask::Read(key, reply) => fetches.extend(self.read(key, reply)),
                Ask::Write(key, write, reply) => {
                    // In the order in which they were asked.
                    self.queue.fetch(std::mem::take(&mut fetches));
                    self.write(key, write, reply);
                }
            }
        }
        self.queue.fetch(fetches);
        self.send();
    }

    /// Returns the fetch that is to be begun, if one is.
    fn read(&mut self, key: TierKey, reply: ReadReply) -> Option<(FetchId, TierKey)> {
        // It may have come since the worker looked.
        if let Some(found) = self.layout.decode(key.as_bytes()).and_then(|key| self.near.find(key))
        {
            self.figures.count_near_hits(1);
            let _ = reply.send(Ok(found));
            return None;
        }
        let begun = self.flights.join(&key, reply);
        if begun.is_none() {
            self.figures.count_joined();
        }
        begun.map(|id| (id, key))
    }

    fn write(&mut self, key: TierKey, write: Write, reply: WriteReply) {
        self.flights.begin_write(&key);
        self.forget(&key);
        self.queue.write(key, write, reply);
    }

    /// Sends what is to be sent.
    fn send(&mut self) {
        while let Some(next) = self.queue.next() {
            let Some(key) = next.key() else { continue };
            // One server has all slots.
            let slot = if self.dialer.is_cluster() { key.slot() } else { 0 };
            let (way, section) = (self.routes.way(slot), self.section(key));
            let through = way.filter(|_| self.breaker.lets_through(section, Instant::now()));
            match through {
                Some(way) => self.work.push(match next {
                    Queued::Fetch(ids, keys) => work::fetch(way, ids, keys, self.timeout),
                    Queued::Write(key, write, reply) => {
                        work::write(way, (key, write), reply, self.timeout)
                    }
                }),
                None => self.refuse(next),
            }
        }
    }

    fn refuse(&mut self, queued: Queued) {
        match queued {
            Queued::Fetch(ids, _) => {
                for landed in ids.into_iter().filter_map(|id| self.flights.land(id)) {
                    self.figures.count_refused();
                    for waits in landed.waiting {
                        let _ = waits.send(Err(Down::Apart));
                    }
                }
            }
            Queued::Write(key, _, reply) => {
                self.figures.count_refused();
                self.flights.end_write(&key);
                let _ = reply.send(Err(Down::Apart));
            }
        }
    }
}

/// What the tier says.
impl Desk {
    fn end(&mut self, done: Done) {
        match done {
            Done::Connected(primary, client) => self.connected(primary, client),
            Done::Discovered(ranges) => {
                self.is_discovering = false;
                if let Some(ranges) = ranges {
                    self.set_ranges(ranges);
                }
            }
            Done::Fetched(sent, fetched) => self.land(&sent, fetched),
            Done::Wrote(sent, key, outcome, reply) => {
                self.count(&sent, &key, &outcome);
                self.flights.end_write(&key);
                let _ = reply.send(outcome.map_err(work::down));
            }
        }
    }

    fn connected(&mut self, primary: Primary, client: Result<Client, rustis::Error>) {
        if !self.coverage.has(&primary) {
            return;
        }
        match client {
            Ok(client) => {
                self.routes.set_client(primary, client);
                self.judge_up();
            }
            Err(problem) => {
                self.presence.refused(&problem);
                self.work.push(work::connect(self.dialer.clone(), primary, PAUSE));
            }
        }
    }

    fn land(&mut self, sent: &Sent, fetched: Vec<work::FetchedOne>) {
        let whole = self.coverage.is_whole();
        for (id, key, found) in fetched {
            self.count(sent, &key, &found);
            let Some(landed) = self.flights.land(id) else { continue };
            let answer = match found {
                Ok(Some(found)) => {
                    self.figures.count_found(true);
                    let value = Value::holding(&found.value);
                    let fills = landed.may_fill && whole;
                    self.figures.count_fill(fills);
                    if fills && let Some(key) = self.layout.decode(landed.key.as_bytes()) {
                        self.near.fill(key, &found, sent.at);
                    }
                    Ok(Lookup::Hit(value))
                }
                Ok(None) => {
                    self.figures.count_found(false);
                    Ok(Lookup::Miss)
                }
                Err(failure) => Err(work::down(failure)),
            };
            for waits in landed.waiting {
                let _ = waits.send(answer.clone());
            }
        }
    }

    fn count<T>(&mut self, sent: &Sent, key: &TierKey, outcome: &Result<T, Failure>) {
        let answered = !matches!(outcome, Err(Failure::Silent(_)));
        if !answered {
            self.connect_again();
        }
        match outcome {
            Err(Failure::Moved) => self.discover(),
            Err(Failure::Replica) => self.leave(),
            Ok(_) | Err(Failure::Refused(_) | Failure::Silent(_)) => {}
        }
        self.figures.count_sent(sent.command, sent.at.elapsed(), outcome.is_ok());
        self.breaker.count(self.section(key), answered, Instant::now());
    }

    /// The part of the tier that a key is in.
    fn section(&self, key: &TierKey) -> usize {
        if self.dialer.is_cluster() { key.section() } else { 0 }
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Changed(keys) => {
                self.figures.count_changed(keys.len() as u64);
                for key in keys {
                    let key = Layout::name(key.into());
                    self.flights.change(&key);
                    self.forget(&key);
                }
            }
            Word::AllChanged => self.flush(),
            Word::Heard(primary) => {
                let verdict = self.coverage.set_heard(&primary, true, Instant::now());
                self.obey(verdict);
            }
            Word::Lost(primary) => {
                let verdict = self.coverage.set_heard(&primary, false, Instant::now());
                self.obey(verdict);
            }
        }
    }

    fn set_ranges(&mut self, ranges: Vec<Range>) {
        let primaries = self.routes.set_ranges(ranges);
        let (new, verdict) = self.coverage.set_primaries(&primaries, Instant::now());
        self.obey(verdict);
        let coverage = &self.coverage;
        self.listeners.retain(|(primary, listener)| {
            let stays = coverage.has(primary);
            if !stays {
                listener.end();
            }
            stays
        });
        for primary in new {
            let (dialer, prefix) = (self.dialer.clone(), self.layout.prefix().to_owned());
            self.work.push(work::connect(dialer.clone(), primary.clone(), Duration::ZERO));
            let listener = Listener::start(primary.clone(), dialer, prefix, self.telling.clone());
            self.listeners.push((primary, listener));
        }
    }

    /// Looks at the clock, at the connections and at the cluster.
    fn look(&mut self) {
        let verdict = self.coverage.judge(Instant::now());
        self.obey(verdict);
        self.figures.set_open(self.breaker.open_ratio());
        self.connect_again();
        self.discover();
        self.presence.look();
    }

    /// Makes connections anew that have ended.
    fn connect_again(&mut self) {
        for primary in self.routes.take_ended() {
            self.work.push(work::connect(self.dialer.clone(), primary, Duration::ZERO));
        }
    }

    /// Looks for the primary anew: what is connected to takes no writes. A failover without a broken
    /// connection would else go unnoticed. Those who listen are on the wrong server, too.
    fn leave(&mut self) {
        if self.dialer.is_cluster() {
            return self.discover();
        }
        if self.left.is_some_and(|left| left.elapsed() < LEAVE) {
            return;
        }
        self.left = Some(Instant::now());
        for (primary, listener) in &self.listeners {
            listener.look_anew();
            self.routes.give_up(primary);
            self.work.push(work::connect(self.dialer.clone(), primary.clone(), Duration::ZERO));
        }
        self.judge_up();
    }

    /// Asks a cluster for its primaries.
    fn discover(&mut self) {
        if self.dialer.is_cluster() && !self.is_discovering {
            self.is_discovering = true;
            self.work.push(work::discover(self.dialer.clone(), self.routes.clients()));
        }
    }
}

/// The near part.
impl Desk {
    fn obey(&mut self, verdict: Verdict) {
        if verdict == Verdict::Flush {
            self.flush();
        }
        self.figures.set_stale(self.coverage.is_stale());
        self.figures.set_coverage(self.coverage.counts());
        self.judge_up();
    }

    /// It is there when every primary tells of changes, and reads and writes have a connection.
    fn judge_up(&mut self) {
        self.presence.judge(self.coverage.is_whole() && self.routes.is_whole());
    }

    fn flush(&mut self) {
        self.flights.change_all();
        self.near.flush();
        self.figures.count_flush();
    }

    fn forget(&mut self, key: &TierKey) {
        if let Some(key) = self.layout.decode(key.as_bytes()) {
            self.near.forget(key);
        }
    }
}

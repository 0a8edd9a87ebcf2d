//! Has noted what is done to some of the keys: to sampled ones for what other memory would give, and
//! by some of the requests for the hottest keys.

use std::time::Duration;

use super::{
    capacity::window_bytes,
    clock::{Deadline, Moment},
    entry::{Content, HashedKey},
    handle::StoreHandle,
    hot::HotSums,
    outcome::Outcome,
    sharded::{Located, Store},
    ttl::Ttl,
    what_if::{Event, Footprint, What, WhatIf, WhatIfReport},
};

/// How often what was noted is simulated.
const PAUSE: Duration = Duration::from_millis(100);

impl Store {
    /// Begins a report of the hottest keys of the last minute.
    pub fn hot_keys(&self) -> HotSums<'_> {
        self.hot.sums()
    }

    /// What other memory would give, a tenth of a second ago, if the store was made to tell.
    pub fn what_if(&self) -> Option<WhatIfReport> {
        self.what_if.as_ref().map(WhatIf::report)
    }

    /// Simulates what was noted since the last time.
    pub(super) fn simulate(&self) {
        if let Some(what_if) = &self.what_if {
            what_if.absorb(self.reads(), self.clock().now());
        }
    }

    /// Simulates what is noted, until it is dropped.
    pub(super) async fn keep_simulating(&self) {
        while self.what_if.is_some() {
            tokio::time::sleep(PAUSE).await;
            self.simulate();
        }
    }
}

impl StoreHandle {
    /// Notes a request of a key for the report of the hottest.
    pub(super) fn note_request(&self, key: HashedKey<'_>, value_bytes: usize) {
        self.store().hot.note(self.worker(), key, value_bytes);
    }

    /// Notes a read that came to its value by a [claim](StoreHandle::claim_at), which may have taken
    /// several.
    pub(crate) fn note_claim(&self, place: Located<'_>, found: Option<usize>) {
        self.note_request(place.key, found.unwrap_or_default());
        self.sample_read(place, found.is_some());
    }

    /// Notes a read, if its key is sampled.
    pub(super) fn sample_read(&self, place: Located<'_>, found: bool) {
        let Some(what_if) = self.sampling(place.key.hash) else { return };
        if found {
            note_found(what_if, self.now(), place, What::Hit);
        } else {
            what_if.note(Event::new(place.key.hash, self.now(), What::Miss));
        }
    }

    /// Notes what became of a conditional write, if its key is sampled.
    pub(super) fn sample_write(&self, place: Located<'_>, outcome: Outcome, content: Content<'_>) {
        let Some(what_if) = self.sampling(place.key.hash) else { return };
        let now = self.now();
        match outcome {
            Outcome::Stored => {
                let written = footprint(place.key, content, now);
                what_if.note(Event::new(place.key.hash, now, What::Written(written)));
            }
            Outcome::NotFound => {}
            _ => note_found(what_if, now, place, What::Used),
        }
    }

    /// Notes a step of a counter, if its key is sampled.
    pub(super) fn sample_step(&self, place: Located<'_>) {
        if let Some(what_if) = self.sampling(place.key.hash) {
            note_found(what_if, self.now(), place, What::Written);
        }
    }

    /// Notes that a key has no entry any more, if it is sampled.
    pub(super) fn sample_removal(&self, hash: u64) {
        if let Some(what_if) = self.sampling(hash) {
            what_if.note(Event::new(hash, self.now(), What::Removed));
        }
    }

    fn sampling(&self, hash: u64) -> Option<&WhatIf> {
        self.store().what_if.as_ref().filter(|what_if| what_if.samples(hash))
    }

    fn now(&self) -> Moment {
        self.store().clock().now()
    }
}

/// Notes something done to the entry that is there. Where it has gone meanwhile, nothing is.
#[cold]
fn note_found(
    what_if: &WhatIf,
    now: Moment,
    Located { shard, key }: Located<'_>,
    what: impl FnOnce(Footprint) -> What,
) {
    let held = shard.footprint(key);
    let none =
        || Footprint::new(window_bytes(key.stored_len(), false), Ttl::Forever, Deadline::NEVER);
    what_if.note(Event::new(key.hash, now, what(held.unwrap_or_else(none))));
}

fn footprint(key: HashedKey<'_>, content: Content<'_>, now: Moment) -> Footprint {
    let life = content.life;
    let bytes = window_bytes(key.stored_len() + content.stored_len(), life.ttl != Ttl::Forever);
    Footprint::new(bytes, life.ttl, Deadline::after(now, life.ttl))
}

//! A scan: the keys of a namespace, a page at a time.
//!
//! It goes through the entries in an order that no write changes ([`Place`]), and a page goes on
//! behind the last entry of the one before. So a key that is there during the whole scan is listed
//! once, and no key is listed twice. Nothing is kept for a scan between two pages.

use tiny_cache_proto::key::Namespace;

use super::{cursor::Place, entry::Entry, seen::Listed, shard::Turn, sharded::Store};

/// A part of what a scan lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In no order that means anything.
    pub entries: Vec<Listed>,
    /// Where the next page goes on; empty: this is the last.
    pub cursor: Vec<u8>,
}

/// A page in the making. It counts neither as a use of an entry nor as a hit.
#[derive(Debug)]
pub struct Scan<'a> {
    store: &'a Store,
    namespace: Namespace<'a>,
    prefix: &'a str,
    /// `None`: all entries were passed.
    place: Option<Place>,
    turn: Turn,
    /// Entries that the page still takes.
    room: usize,
    /// Bytes that it still takes.
    bytes: usize,
    /// What was done so far.
    work: usize,
    entries: Vec<Listed>,
}

/// Work of a step, after which other calls get their turn: entries that were looked at, a tenth of a
/// microsecond each. A stripe may bring a step to twice as many.
const STEP: usize = 1024;

/// Work of a page. One that finds nothing ends by it.
const PAGE: usize = 10 * STEP;

/// Entries of a table that are passed in the time in which one is looked at.
const WALKED: usize = 64;

/// Bytes of a page, as far as its keys make them out.
const PAGE_BYTES: usize = 512 << 10;

/// What an entry takes in a message beside its key, at most.
const ENTRY_BYTES: usize = 40;

impl Store {
    /// Begins a page of at most so many entries: the first, or the one of this cursor. `None`: the
    /// cursor is none of this scan.
    pub fn scan<'a>(
        &'a self,
        (namespace, prefix): (Namespace<'a>, &'a str),
        cursor: &[u8],
        most: usize,
    ) -> Option<Scan<'a>> {
        let place = match cursor {
            [] => Place::default(),
            _ => self.cursors.open(cursor, namespace, prefix)?,
        };
        Some(Scan {
            store: self,
            namespace,
            prefix,
            place: Some(place),
            turn: Turn::default(),
            room: most,
            bytes: PAGE_BYTES,
            work: 0,
            entries: Vec::new(),
        })
    }
}

impl Scan<'_> {
    /// Goes on for some tenths of a millisecond. Returns whether there is more to be done for this
    /// page.
    pub fn step(&mut self) -> bool {
        let end = self.work + STEP;
        while self.work < end {
            let Some(place) = self.place.filter(|_| self.takes_more()) else { return false };
            self.take_turn(place);
        }
        self.place.is_some() && self.takes_more()
    }

    /// Ends the page.
    pub fn page(self) -> Page {
        let seal = |place| self.store.cursors.seal(place, self.namespace, self.prefix);
        Page { cursor: self.place.map(seal).unwrap_or_default(), entries: self.entries }
    }

    fn takes_more(&self) -> bool {
        self.room > 0 && self.bytes > 0 && self.work < PAGE
    }

    /// Lists the next entries of a stripe, and moves on behind them.
    fn take_turn(&mut self, place: Place) {
        let Self { store, namespace, prefix, .. } = *self;
        let (shard, stripe) = (&store.shards[usize::from(place.shard)], usize::from(place.stripe));
        let number = |hash| store.cursors.number(hash);
        shard.turn(stripe, place.from, number, &mut self.turn);
        let wanted = |entry: &Entry| {
            entry.namespace() == namespace.as_str() && entry.key().starts_with(prefix)
        };
        let (room, bytes, entries) = (&mut self.room, &mut self.bytes, &mut self.entries);
        let passed = shard.list(stripe, &self.turn.hashes, wanted, |listed| {
            *room -= 1;
            *bytes = bytes.saturating_sub(listed.key.len() + ENTRY_BYTES);
            entries.push(listed);
            *room > 0 && *bytes > 0
        });
        self.work += 1 + passed + self.turn.walked / WALKED;
        let is_whole = passed == self.turn.hashes.len() && !self.turn.more;
        let behind = match self.turn.hashes[..passed].last() {
            Some((last, _)) if !is_whole => last.checked_add(1),
            _ => None,
        };
        self.place = match behind {
            Some(from) => Some(Place { from, ..place }),
            None => self.next_stripe(place),
        };
    }

    fn next_stripe(&self, Place { shard, stripe, .. }: Place) -> Option<Place> {
        let shards = &self.store.shards;
        if usize::from(stripe) + 1 < shards[usize::from(shard)].stripes() {
            return Some(Place { shard, stripe: stripe + 1, from: 0 });
        }
        let next = usize::from(shard) + 1 < shards.len();
        next.then_some(Place { shard: shard + 1, stripe: 0, from: 0 })
    }
}

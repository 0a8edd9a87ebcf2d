//! A simulation of a store that holds one in so many keys in as much less room: its policy, without
//! the values (Waldspurger, Saemundsson, Ahmad and Park on miniature simulations, USENIX ATC 2017).

#[cfg(test)]
mod tests;

use super::{
    super::{clock::Moment, ghost::Ghost, outcome::EvictionPolicy},
    event::Footprint,
    frequency::Frequency,
    order::{Node, Order, PLACES, Place},
    room::Room,
};

/// Sweeps for which a write is taken for the fill of a miss.
const FILL_SWEEPS: u8 = 2;

/// A sweep looks at one in so many entries.
const SWEEP_PARTS: usize = 8;

/// Uses from which on an entry at the window's end becomes a resident.
const ENOUGH_HITS: u8 = 2;

#[derive(Debug)]
pub(super) struct Miniature {
    pub(super) room: Room,
    pub(super) order: Order,
    /// The weight in each place.
    weights: [u64; PLACES],
    /// Made when the first entry is dropped: until then the scale may change often.
    ghost: Option<Ghost>,
    /// Only under TinyLFU, from half of the room on.
    pub(super) frequency: Option<Frequency>,
    /// Slots of the ghost at most.
    most_slots: u64,
    pub(super) has_evicted: bool,
}

impl Miniature {
    pub(super) fn new(room: Room, most_slots: u64) -> Self {
        Self {
            room,
            order: Order::default(),
            weights: [0; PLACES],
            ghost: None,
            frequency: None,
            most_slots,
            has_evicted: false,
        }
    }

    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    pub(super) fn entries(&self) -> usize {
        self.order.len()
    }

    /// The part of its room that has been in use: all of it, once something had to go.
    pub(super) fn filled(&self) -> f64 {
        if self.has_evicted {
            return 1.0;
        }
        (self.weight() as f64 / self.room.weight().max(1) as f64).min(1.0)
    }

    /// Asks for a key, and counts a use of it. Returns whether it is there.
    pub(super) fn ask(&mut self, hash: u64, now: Moment) -> bool {
        if let Some(frequency) = &mut self.frequency {
            frequency.count(hash);
        }
        let Some(at) = self.order.find(hash) else { return false };
        if self.order.node(at).ends.passed(now) {
            self.remove(at);
            return false;
        }
        self.count_use(at);
        true
    }

    /// The real cache missed what is here: a write that comes soon would not have been made.
    pub(super) fn expect_fill(&mut self, hash: u64) {
        if let Some(at) = self.order.find(hash) {
            self.order.node_mut(at).fill = FILL_SWEEPS;
        }
    }

    /// The real cache has this entry until then.
    pub(super) fn prolong(&mut self, hash: u64, footprint: Footprint) {
        if let Some(at) = self.order.find(hash) {
            let node = self.order.node_mut(at);
            node.ends = node.ends.max(footprint.ends);
        }
    }

    /// Writes an entry, unless that is the fill of a miss that there was none of here.
    pub(super) fn write(&mut self, hash: u64, footprint: Footprint, now: Moment) {
        let held = self.order.find(hash);
        if let Some(at) = held {
            let node = self.order.node_mut(at);
            if std::mem::take(&mut node.fill) > 0 && !node.ends.passed(now) {
                return;
            }
        }
        match held {
            Some(at) => self.overwrite(at, footprint),
            None => self.insert(hash, footprint),
        }
        self.make_room(now);
    }

    pub(super) fn forget(&mut self, hash: u64) {
        if let Some(at) = self.order.find(hash) {
            self.remove(at);
        }
    }

    /// Removes what is over of a part of the entries.
    pub(super) fn sweep(&mut self, now: Moment) {
        for at in self.order.sweep(now, SWEEP_PARTS) {
            self.remove(at);
        }
    }

    /// Goes on with fewer keys, in less room.
    pub(super) fn thin(&mut self, room: Room, keep: impl Fn(u64) -> bool, now: Moment) {
        let by = room.scale() - self.room.scale();
        self.room = room;
        self.order = self.order.thinned(keep);
        self.ghost = None;
        self.frequency =
            self.frequency.as_ref().map(|before| before.thinned(by, self.order.hashes()));
        self.weights = [0; PLACES];
        for place in Place::ALL {
            let mut next = self.order.first(place);
            while let Some(at) = next {
                self.add_weight(at);
                next = self.order.after(at);
            }
        }
        self.make_room(now);
    }

    fn overwrite(&mut self, at: u32, footprint: Footprint) {
        let fits = self.room.fits_window(footprint.bytes);
        self.take_weight(at);
        let node = self.order.node_mut(at);
        (node.bytes, node.ends) = (footprint.bytes, footprint.ends);
        if node.place == Place::Residents || (node.place == Place::Window && !fits) {
            self.order.move_to(at, Place::Residents);
        }
        self.add_weight(at);
    }

    fn insert(&mut self, hash: u64, footprint: Footprint) {
        let mut node = Node::new(hash, footprint.bytes, footprint.ends);
        let held = self.order.len() as u64;
        let known = |ghost: &mut Ghost| ghost.take(hash, held);
        let waits = self.room.fits_window(node.bytes) && !self.ghost.as_mut().is_some_and(known);
        if !waits {
            node.place = Place::Residents;
            if self.room.weigh(node.bytes, true) > self.room.residents() {
                self.has_evicted = true;
                return;
            }
            // TinyLFU lets it in, or not, when enough others have come.
            if self.room.policy == EvictionPolicy::TinyLfu {
                node.place = Place::Pending;
            }
        }
        let at = self.order.push(node);
        self.add_weight(at);
    }

    fn make_room(&mut self, now: Moment) {
        while self.weight() > self.room.weight()
            && self.weight_in(Place::Window) > self.room.window()
            && let Some(at) = self.order.first(Place::Window)
        {
            self.has_evicted = true;
            self.judge(at, now);
        }
        if self.room.policy == EvictionPolicy::TinyLfu {
            self.admit_pending();
        }
        while self.weight_in(Place::Residents) > self.room.residents()
            && let Some(at) = self.order.first(Place::Residents)
        {
            self.has_evicted = true;
            self.remove(at);
        }
    }

    /// Makes the entry that came first into the window a resident, or drops it.
    fn judge(&mut self, at: u32, now: Moment) {
        let Node { hash, ends, hits, .. } = *self.order.node(at);
        if ends.passed(now) {
            self.remove(at);
        } else if hits >= ENOUGH_HITS {
            self.move_to(at, Place::Residents);
        } else {
            self.remove(at);
            let slots = self.room.ghost_slots().min(self.most_slots);
            self.ghost.get_or_insert_with(|| Ghost::new(slots)).put(hash);
        }
    }

    pub(super) fn move_to(&mut self, at: u32, place: Place) {
        self.take_weight(at);
        self.order.move_to(at, place);
        self.add_weight(at);
    }

    fn count_use(&mut self, at: u32) {
        let node = self.order.node_mut(at);
        match node.place {
            Place::Window => node.hits = (node.hits + 1).min(ENOUGH_HITS),
            Place::Pending => {}
            Place::Residents => self.order.move_to(at, Place::Residents),
        }
    }

    pub(super) fn remove(&mut self, at: u32) {
        self.take_weight(at);
        self.order.remove(at);
    }

    pub(super) fn weight(&self) -> u64 {
        self.weights.iter().sum()
    }

    pub(super) fn weight_in(&self, place: Place) -> u64 {
        self.weights[place as usize]
    }

    fn add_weight(&mut self, at: u32) {
        self.weights[self.order.node(at).place as usize] += self.weigh(at);
    }

    fn take_weight(&mut self, at: u32) {
        self.weights[self.order.node(at).place as usize] -= self.weigh(at);
    }

    pub(super) fn weigh(&self, at: u32) -> u64 {
        let node = self.order.node(at);
        self.room.weigh(node.bytes, node.place != Place::Window)
    }
}

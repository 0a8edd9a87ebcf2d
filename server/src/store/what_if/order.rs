//! The entries of a simulation in queues, and found by their hashes. Knows sizes and order; what
//! goes is not decided here.

use hashbrown::{HashTable, hash_table::Entry as Slot};

use super::super::clock::{Deadline, Moment};

/// No node.
const NONE: u32 = u32::MAX;

/// Which queue a node is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Window,
    /// Not let in yet, nor turned away.
    Pending,
    Residents,
}

/// How many there are.
pub(super) const PLACES: usize = Place::ALL.len();

/// An entry of a simulation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) hash: u64,
    pub(super) ends: Deadline,
    /// What it counts as in the window.
    pub(super) bytes: u32,
    next: u32,
    before: u32,
    pub(super) place: Place,
    /// Reads while it was in the window; 2 stands for more, too.
    pub(super) hits: u8,
    /// Sweeps for which a write is still taken for the fill of a read that missed in the real cache.
    pub(super) fill: u8,
    is_free: bool,
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
    len: usize,
}

/// Nodes in their queues.
#[derive(Debug)]
pub(super) struct Order {
    index: HashTable<u32>,
    nodes: Vec<Node>,
    free: Vec<u32>,
    queues: [Ends; PLACES],
    /// Where the next sweep goes on.
    hand: usize,
}

impl Place {
    pub(super) const ALL: [Self; 3] = [Self::Window, Self::Pending, Self::Residents];
}

impl Node {
    pub(super) fn new(hash: u64, bytes: u32, ends: Deadline) -> Self {
        Self {
            hash,
            ends,
            bytes,
            next: NONE,
            before: NONE,
            place: Place::Window,
            hits: 0,
            fill: 0,
            is_free: false,
        }
    }
}

impl Default for Order {
    fn default() -> Self {
        let none = Ends { first: NONE, last: NONE, len: 0 };
        Self {
            index: HashTable::new(),
            nodes: Vec::new(),
            free: Vec::new(),
            queues: [none; PLACES],
            hand: 0,
        }
    }
}

impl Order {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// How many are in this queue.
    pub(super) fn len_of(&self, place: Place) -> usize {
        self.queues[place as usize].len
    }

    pub(super) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.nodes.iter().filter(|node| !node.is_free).map(|node| node.hash)
    }

    pub(super) fn find(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |&at| self.nodes[at as usize].hash == hash).copied()
    }

    pub(super) fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }

    pub(super) fn node_mut(&mut self, at: u32) -> &mut Node {
        &mut self.nodes[at as usize]
    }

    /// The first of a queue.
    pub(super) fn first(&self, place: Place) -> Option<u32> {
        Some(self.queues[place as usize].first).filter(|&at| at != NONE)
    }

    /// The one behind this in its queue.
    pub(super) fn after(&self, at: u32) -> Option<u32> {
        Some(self.node(at).next).filter(|&at| at != NONE)
    }

    /// Adds a node, whose hash is not here, at the end of its queue.
    pub(super) fn push(&mut self, node: Node) -> u32 {
        let at = self.free.pop().unwrap_or(self.nodes.len() as u32);
        if at as usize == self.nodes.len() {
            self.nodes.push(node);
        } else {
            self.nodes[at as usize] = node;
        }
        let nodes = &self.nodes;
        let hash = node.hash;
        let slot = self.index.entry(
            hash,
            |&other| nodes[other as usize].hash == hash,
            |&other| nodes[other as usize].hash,
        );
        debug_assert!(matches!(slot, Slot::Vacant(_)), "a hash that is here");
        slot.insert(at);
        self.link(at);
        at
    }

    /// Puts a node at the end of a queue.
    pub(super) fn move_to(&mut self, at: u32, place: Place) {
        self.unlink(at);
        self.node_mut(at).place = place;
        self.link(at);
    }

    /// Takes a node out.
    pub(super) fn remove(&mut self, at: u32) -> Node {
        self.unlink(at);
        let node = *self.node(at);
        if let Ok(found) = self.index.find_entry(node.hash, |&other| other == at) {
            found.remove();
        }
        self.node_mut(at).is_free = true;
        self.free.push(at);
        node
    }

    #[cfg(test)]
    pub(super) fn each(&self) -> impl Iterator<Item = u32> {
        (0..self.nodes.len() as u32).filter(|&at| !self.node(at).is_free)
    }

    /// Looks at the next part of the nodes, one in `parts`: those that are over are returned, and
    /// the others wait a sweep less for a fill.
    pub(super) fn sweep(&mut self, now: Moment, parts: usize) -> Vec<u32> {
        let until = (self.hand + self.nodes.len().div_ceil(parts)).min(self.nodes.len());
        let mut over = Vec::new();
        for (at, node) in (self.hand as u32..).zip(&mut self.nodes[self.hand..until]) {
            node.fill = node.fill.saturating_sub(1);
            if !node.is_free && node.ends.passed(now) {
                over.push(at);
            }
        }
        self.hand = if until == self.nodes.len() { 0 } else { until };
        over
    }

    /// A copy of what is to be kept, in the same order.
    pub(super) fn thinned(&self, keep: impl Fn(u64) -> bool) -> Self {
        let mut thin = Self::default();
        for place in Place::ALL {
            let mut next = self.first(place);
            while let Some(at) = next {
                next = self.after(at);
                if keep(self.node(at).hash) {
                    thin.push(*self.node(at));
                }
            }
        }
        thin
    }

    fn link(&mut self, at: u32) {
        let place = self.node(at).place;
        let queue = &mut self.queues[place as usize];
        let last = std::mem::replace(&mut queue.last, at);
        if last == NONE {
            queue.first = at;
        }
        queue.len += 1;
        if last != NONE {
            self.node_mut(last).next = at;
        }
        let node = self.node_mut(at);
        (node.before, node.next) = (last, NONE);
    }

    fn unlink(&mut self, at: u32) {
        let Node { before, next, place, .. } = *self.node(at);
        match before {
            NONE => self.queues[place as usize].first = next,
            before => self.node_mut(before).next = next,
        }
        match next {
            NONE => self.queues[place as usize].last = before,
            next => self.node_mut(next).before = before,
        }
        self.queues[place as usize].len -= 1;
    }
}

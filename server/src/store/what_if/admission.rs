//! Who is let in under TinyLFU, as moka 0.12.16 has it: writes wait until some have come, and then each
//! is let in if it was asked for more often than those together that would have to go.

use super::{
    frequency::Frequency,
    miniature::Miniature,
    order::{Node, Place},
};

/// Writes of a shard that wait at most.
const BATCH: usize = 64;

impl Miniature {
    /// Lets in what waits, or turns it away, if it is time for that: enough has come, or it is more
    /// than a shard may be over its weight.
    pub(super) fn admit_pending(&mut self) {
        let is_over = self.weight() > self.room.residents() + self.room.slack();
        if !is_over && self.order.len_of(Place::Pending) < self.room.scaled_count(BATCH) {
            return;
        }
        while let Some(at) = self.order.first(Place::Pending) {
            if self.is_admitted(at) {
                self.move_to(at, Place::Residents);
            } else {
                self.has_evicted = true;
                self.remove(at);
            }
        }
        // From half of the room on uses are counted, with counters for a quarter of the entries that
        // there will be.
        let part = self.weight() as f64 / self.room.residents().max(1) as f64;
        if self.frequency.is_none() && part >= 0.5 {
            self.frequency = Some(Frequency::new((self.order.len() as f64 * part) as usize));
        }
    }

    /// Whether this one may come in. Those that have to go for it go then.
    fn is_admitted(&mut self, at: u32) -> bool {
        let weight = self.weigh(at);
        let Some(frequency) = &self.frequency else { return true };
        if self.weight_in(Place::Residents) + weight <= self.room.residents() {
            return true;
        }
        let wanted = u32::from(frequency.of(self.order.node(at).hash));
        let (mut victims, mut freed, mut asked_for) = (Vec::new(), 0, 0);
        let mut next = self.order.first(Place::Residents);
        while let Some(victim) = next
            && freed < weight
            && asked_for <= wanted
        {
            let Node { hash, .. } = *self.order.node(victim);
            freed += self.weigh(victim);
            asked_for += u32::from(frequency.of(hash));
            victims.push(victim);
            next = self.order.after(victim);
        }
        let is_admitted = freed >= weight && wanted > asked_for;
        if is_admitted {
            self.has_evicted = true;
            for victim in victims {
                self.remove(victim);
            }
        }
        is_admitted
    }
}

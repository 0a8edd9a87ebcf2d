//! The part of a shard's entries in the quotas of their namespaces: an entry that counts in one has a
//! ticket there.

use super::{
    super::{
        entry::Entry,
        ledger::Departure,
        namespaces::Slot,
        quotas::{Judged, Terms},
        ring::Item,
    },
    Shard,
};

impl Shard {
    /// Evicts the entry that the queue of a namespace knows as this item, as one that is beyond the
    /// namespace's quota. The caller holds no stripe.
    pub(in crate::store) fn judge_queued(
        &self,
        slot: Slot,
        (hash, ticket): Item,
        terms: Terms,
    ) -> Judged {
        let mut stripe = self.stripes.lock(hash);
        let is_it = |entry: &&Entry| entry.slot() == slot && entry.ticket() == Some(ticket);
        let Some(entry) = stripe.find(hash).filter(is_it) else { return Judged::Gone };
        let cause = self.cause(&stripe.noted, entry, Departure::OverQuota, || self.clock.now());
        let is_over = cause != Departure::OverQuota;
        let was_used = terms.second_chance && entry.take_use();
        if !is_over && (was_used || terms.written == Some(hash)) {
            return Judged::Spared;
        }
        let gone = self.take_if(&mut stripe, hash, |_| true);
        drop(stripe);
        if let Some(entry) = gone {
            self.ledger.remove(self.size(&entry), cause);
            self.bury();
        }
        if is_over { Judged::Gone } else { Judged::Evicted }
    }

    /// Whether the entry of a namespace's item is there.
    pub(in crate::store) fn is_queued(&self, slot: Slot, (hash, ticket): Item) -> bool {
        let is_it = |entry: &Entry| entry.slot() == slot && entry.ticket() == Some(ticket);
        self.stripes.lock(hash).find(hash).is_some_and(is_it)
    }

    /// Has the entries of one stripe count in the quotas that their namespaces have now, and under
    /// the numbers. The stripe is held meanwhile: some hundred microseconds where it is full.
    pub(in crate::store) fn count_anew(&self, stripe: usize) {
        let Some(quotas) = &self.quotas else { return };
        let mut counted_anew = false;
        let stripe = self.stripes.at(stripe);
        for (hash, entry) in stripe.entries_by_hash() {
            let slot = self.namespaces.find(entry.namespace());
            let lacks_ticket = entry.ticket().is_none() && quotas.of(slot).bounds();
            if slot == entry.slot() && !lacks_ticket {
                continue;
            }
            self.ledger.take_off(self.size(entry));
            entry.set_slot(slot);
            entry.set_ticket(None);
            quotas.give_ticket(hash, entry, None);
            if !entry.waits() {
                // It may weigh more now.
                self.make_resident(hash, entry);
            }
            self.ledger.add(self.size(entry));
            counted_anew = true;
        }
        if counted_anew {
            // As for an entry that is written over: before any of their handles is removed.
            self.residents.settle();
        }
        drop(stripe);
        self.bury();
    }
}

#[cfg(test)]
impl Shard {
    /// What counts in the quota of a namespace, by the table: entries and bytes.
    pub(in crate::store) fn with_ticket(&self, slot: Slot) -> (u64, u64) {
        let (mut entries, mut bytes) = (0, 0);
        for stripe in self.stripes.each() {
            let counted = stripe.entries().filter(|entry| entry.slot() == slot);
            for entry in counted.filter(|entry| entry.ticket().is_some()) {
                (entries, bytes) = (entries + 1, bytes + self.size(entry).bytes);
            }
        }
        (entries, bytes)
    }
}

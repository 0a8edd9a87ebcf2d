//! What a caller does that may fill a key: it claims the lease, waits for it, or gives it back.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::oneshot::Receiver;

use super::{
    handle::StoreHandle,
    leases::{Asked, Claim},
    seen::Seen,
    shard,
    sharded::{Located, Store},
    ttl::Ttl,
};

/// What a caller gets that reads a key and would fill it.
#[derive(Debug)]
pub enum Claimed {
    /// A live entry, or a stale one; with the lease to make it anew, if it wants that and nobody else
    /// has it.
    Found(Seen, Option<Grant>),
    /// Nothing is there, and it is this caller that fills.
    Granted(Grant),
    /// Another fills, and this caller waits.
    Waits(Waiting),
    /// Another fills.
    Taken,
    /// Nothing is there, and there are too many leases to give one.
    Missed,
}

/// A lease.
#[derive(Clone)]
pub struct Grant {
    store: Arc<Store>,
    hash: u64,
    token: u64,
}

/// A place among those that wait for a key. One that is given up while it is handed the lease passes
/// it on.
pub struct Waiting {
    store: Arc<Store>,
    hash: u64,
    granted: Receiver<u64>,
    lasts: Duration,
}

impl StoreHandle {
    /// Reads a live entry, or claims the lease for it: for so long, and with a place to wait if it
    /// `waits`. Counts nothing; see [`count_read`](Self::count_read).
    pub fn claim_at(
        &self,
        Located { shard, key }: Located<'_>,
        touch: Option<Ttl>,
        (span, waits): (Duration, bool),
    ) -> Claimed {
        let grant = |token| Grant { store: self.shared().clone(), hash: key.hash, token };
        loop {
            let asked = Asked { span, waits };
            if let Some((seen, touched)) = shard.read(key, touch) {
                if let Some(touched) = touched {
                    self.make_room(shard, touched);
                }
                let claimed =
                    seen.wants_refill.then(|| shard.claim(key, asked, Some(seen.version)));
                let granted = match claimed.flatten() {
                    Some(shard::Claimed { claim: Claim::Granted(token), .. }) => Some(grant(token)),
                    _ => None,
                };
                return Claimed::Found(seen, granted);
            }
            // It may be written in between.
            let Some(shard::Claimed { claim, stale }) = shard.claim(key, asked, None) else {
                continue;
            };
            return match (claim, stale) {
                (Claim::Granted(token), Some(stale)) => Claimed::Found(stale, Some(grant(token))),
                (_, Some(stale)) => Claimed::Found(stale, None),
                (Claim::Granted(token), None) => Claimed::Granted(grant(token)),
                (Claim::Waits(granted, ends), None) => Claimed::Waits(Waiting {
                    store: self.shared().clone(),
                    hash: key.hash,
                    granted,
                    lasts: shard.left(ends),
                }),
                (Claim::Taken, None) => Claimed::Taken,
                (Claim::Full, None) => Claimed::Missed,
            };
        }
    }

    /// Gives a lease back. Returns whether it had lasted.
    #[expect(clippy::unused_self, reason = "called as the verbs that count are")]
    pub fn release_at(&self, Located { shard, key }: Located<'_>, token: u64) -> bool {
        shard.release(key.hash, token)
    }
}

impl Grant {
    /// What its holder shows when it writes.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Gives it back, if it still lasts.
    pub fn release(&self) {
        self.store.shard_of(self.hash).release(self.hash, self.token);
    }
}

impl Waiting {
    /// How long the lease of the other lasted when this was last looked at.
    pub fn lasts(&self) -> Duration {
        self.lasts
    }

    /// Has the lease handed on that has lasted as long as it could, to whoever is the first that
    /// waits.
    pub fn pass_on_ended(&mut self) {
        self.lasts = self.store.shard_of(self.hash).pass_on_ended(self.hash);
    }

    /// Waits until the lease is handed on. `None`: look again, for there is a value.
    pub async fn granted(&mut self) -> Option<Grant> {
        let token = (&mut self.granted).await.ok()?;
        Some(Grant { store: self.store.clone(), hash: self.hash, token })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // A token that was sent and not taken is a lease that nobody knows of.
        self.granted.close();
        if let Ok(token) = self.granted.try_recv() {
            self.store.shard_of(self.hash).release(self.hash, token);
        }
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("token", &self.token).finish_non_exhaustive()
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("lasts", &self.lasts).finish_non_exhaustive()
    }
}

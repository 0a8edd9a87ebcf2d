//! What a shard keeps for one key, and the forms in which a key is looked up.

use std::{
    hash::{Hash, Hasher},
    time::{Duration, Instant},
};

use bytes::Bytes;
use compact_str::CompactString;
use equivalent::Equivalent;

use tiny_cache_proto::key::Key;

use super::{Ttl, namespaces::Slot};

/// A key as the shard keeps it. Up to 23 bytes of namespace and key need no allocation of
/// their own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StoredKey {
    hash: u64,
    /// The namespace's length in bytes as one character (at most 64, so one byte), then the
    /// namespace, then the key: no plain key can look like a namespaced one.
    text: CompactString,
}

impl StoredKey {
    pub(super) fn new(Wanted { hash, key }: Wanted<'_>) -> Self {
        let namespace = key.namespace().as_str();
        let mut text = CompactString::with_capacity(Wanted { hash, key }.stored_len());
        text.push(namespace_mark(namespace));
        text.push_str(namespace);
        text.push_str(key.text());
        Self { hash, text }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// Bytes of namespace and key, and the one that keeps them apart.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }
}

impl Hash for StoredKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// A request's key with its hash: looks a stored key up without making one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) hash: u64,
    pub(super) key: Key<'a>,
}

impl Wanted<'_> {
    /// Bytes that the stored key has, or would have.
    pub(super) fn stored_len(&self) -> usize {
        1 + self.key.namespace().as_str().len() + self.key.text().len()
    }
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<StoredKey> for Wanted<'_> {
    fn equivalent(&self, stored: &StoredKey) -> bool {
        let namespace = self.key.namespace().as_str();
        let text = stored.text.as_bytes();
        self.hash == stored.hash
            && text.len() == self.stored_len()
            && text[0] == namespace_mark(namespace) as u8
            && text[1..].starts_with(namespace.as_bytes())
            && text[1 + namespace.len()..] == *self.key.text().as_bytes()
    }
}

/// A hash alone: finds the entry that the expiry index speaks of.
#[derive(Clone, Copy, Debug)]
pub(super) struct HashOnly(pub(super) u64);

impl Hash for HashOnly {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

impl Equivalent<StoredKey> for HashOnly {
    fn equivalent(&self, stored: &StoredKey) -> bool {
        self.0 == stored.hash
    }
}

fn namespace_mark(namespace: &str) -> char {
    debug_assert!(namespace.len() <= 64);
    namespace.len() as u8 as char
}

/// A value with its deadline. moka clones it for a reader, which costs one reference count.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) value: Bytes,
    pub(super) deadline: Deadline,
    /// The shard's count of writes when this one was made; wraps.
    pub(super) write: u32,
    /// The namespace's number. It lies in what would be padding.
    pub(super) slot: Slot,
}

/// The moment from which an entry is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(u64);

impl Deadline {
    pub(super) const NEVER: Deadline = Deadline(u64::MAX);

    pub(super) fn after(now: Moment, ttl: Ttl) -> Self {
        match ttl {
            Ttl::Forever => Self::NEVER,
            Ttl::For(span) => {
                let span = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
                Self(now.0.saturating_add(span))
            }
        }
    }

    /// A nanosecond later.
    pub(super) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    pub(super) fn passed(self, now: Moment) -> bool {
        now.0 >= self.0
    }

    /// How long ago this was; zero when it is still to come.
    pub(super) fn lag(self, now: Moment) -> Duration {
        Duration::from_nanos(now.0.saturating_sub(self.0))
    }
}

/// Nanoseconds on the store's clock. Eight bytes where an `Instant` takes sixteen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(u64);

impl Moment {
    pub(super) fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The monotonic clock that deadlines are measured on.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    start: Instant,
    /// Lets a test pass time at once.
    #[cfg(test)]
    ahead: std::sync::Arc<std::sync::atomic::AtomicU64>,
    /// Passes whenever somebody looks.
    #[cfg(test)]
    each_look: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            start: Instant::now(),
            #[cfg(test)]
            ahead: Default::default(),
            #[cfg(test)]
            each_look: Default::default(),
        }
    }

    pub(super) fn now(&self) -> Moment {
        // 584 years fit.
        let now = self.start.elapsed().as_nanos() as u64;
        #[cfg(test)]
        let now = {
            use std::sync::atomic::Ordering::SeqCst;
            now + self.ahead.fetch_add(self.each_look.load(SeqCst), SeqCst)
        };
        Moment(now)
    }

    #[cfg(test)]
    pub(super) fn pass_at_each_look(&self, span: Duration) {
        self.each_look.store(span.as_nanos() as u64, std::sync::atomic::Ordering::SeqCst);
    }

    #[cfg(test)]
    pub(super) fn advance(&self, by: Duration) {
        self.ahead.fetch_add(by.as_nanos() as u64, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiny_cache_proto::key::Namespace;

    #[test]
    fn a_plain_key_never_equals_a_namespaced_one() {
        let team = Namespace::parse("team").unwrap();
        let stored = StoredKey::new(Wanted { hash: 7, key: Key::parse(team, "x").unwrap() });
        for plain in ["4:team:x", "teamx", "\u{4}teamx", "x"] {
            let key = Key::parse(Namespace::SHARED, plain).unwrap();
            assert!(!Wanted { hash: 7, key }.equivalent(&stored), "{plain:?}");
        }
        let te = Namespace::parse("te").unwrap();
        let key = Key::parse(te, "amx").unwrap();
        assert!(!Wanted { hash: 7, key }.equivalent(&stored));
        let key = Key::parse(team, "x").unwrap();
        assert!(Wanted { hash: 7, key }.equivalent(&stored));
    }

    /// `ENTRY_OVERHEAD_BYTES` was measured with entries of this size.
    #[test]
    fn an_entry_takes_48_bytes() {
        assert_eq!(size_of::<Entry>(), 48);
    }

    #[test]
    fn an_entry_is_gone_from_its_deadline_on() {
        let deadline = Deadline::after(Moment(5), Ttl::For(Duration::from_nanos(10)));
        assert!(!deadline.passed(Moment(14)));
        assert!(deadline.passed(Moment(15)));
        assert!(!Deadline::after(Moment(5), Ttl::Forever).passed(Moment(u64::MAX - 1)));
    }
}

//! What is kept for one key: a single block with header, key and value.

use std::{
    fmt,
    mem::MaybeUninit,
    sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tiny_cache_proto::key::Key;
use triomphe::{Arc, HeaderSlice, HeaderWithLength, ThinArc, UniqueArc};

use crate::pinned::{self, LENT_BYTES};

use super::{
    clock::{Deadline, Moment},
    life::{Life, SPANS_BYTES, Spans},
    lifetime::Lifetime,
    namespaces::Slot,
    prefetch,
    tags::{self, Tags},
    version::Stamp,
};

/// Bytes of a block before the key: the count of references, [`Header`], the length, and the key's.
pub(super) const HEADER_BYTES: usize = 8 + size_of::<Header>() + 8 + KEY_LEN_BYTES;

/// The length of the key stands before it, not in the header, which would take eight bytes more.
const KEY_LEN_BYTES: usize = size_of::<u16>();

/// What a write gives a key.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// The value.
    pub value: &'a [u8],
    /// How long it lives.
    pub life: Life,
    /// What it can be invalidated by.
    pub tags: Tags<'a>,
}

impl Content<'_> {
    /// Bytes that it takes behind the key.
    pub(super) fn stored_len(&self) -> usize {
        self.value.len() + self.tags.stored_len() + self.life.spans().map_or(0, |_| SPANS_BYTES)
    }
}

impl<'a> Content<'a> {
    /// One without tags.
    pub(super) fn plain(value: &'a [u8], life: impl Into<Life>) -> Self {
        Self { value, life: life.into(), tags: Tags::default() }
    }
}

/// A request's key with its hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct HashedKey<'a> {
    pub(super) hash: u64,
    pub(super) key: Key<'a>,
}

impl HashedKey<'_> {
    /// Bytes that the key takes in an entry: the length of its namespace (at most 64, so one
    /// byte), the namespace, and the key. So no plain key can look like a namespaced one.
    pub(super) fn stored_len(&self) -> usize {
        1 + self.key.namespace().as_str().len() + self.key.text().len()
    }

    fn parts(&self) -> (u8, &[u8], &[u8]) {
        let namespace = self.key.namespace().as_str().as_bytes();
        debug_assert!(namespace.len() <= 64);
        (namespace.len() as u8, namespace, self.key.text().as_bytes())
    }
}

/// An entry. Cloning it counts a reference; the block is freed with the last one.
#[derive(Clone)]
pub(super) struct Entry(ThinArc<Header, u8>);

/// What stands before the key. The atomics are written under the stripe that holds the entry,
/// so that plain loads and stores do.
#[derive(Debug)]
struct Header {
    /// When it was written ([`Stamp`]); in the two bits above that whether [`Tags`] and [`Spans`]
    /// stand behind the value; in the eight bits above that the shard's count of residents let in
    /// when moka was last told of a use, as far as eight bits show it.
    written: AtomicU64,
    /// How long it is kept from then on.
    lifetime: AtomicU32,
    /// The number under which the window's ring, or moka, knows the entry. It tells apart what
    /// they say of this entry from what they say of one that was there before.
    mark: AtomicU32,
    /// The number in the queue of a namespace with a quota, and [`USED`]; 0: none.
    ticket: AtomicU32,
    /// How many replies hold the entry, and [`GONE`] once it has left the store. Replies write it
    /// on any thread.
    loans: AtomicU16,
    place: AtomicU8,
    /// The number of the namespace.
    slot: AtomicU8,
}

/// Which part of the shard has the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The window, where it was read so often; 2 stands for more, too.
    Window { hits: u8 },
    /// The residents: moka keeps a handle to it.
    Resident,
}

const RESIDENT: u8 = u8::MAX;

/// Of a ticket: the entry was used since the queue last looked at it.
const USED: u32 = 1 << 31;

/// The bit of `loans` that says that the store no longer has the entry: what replies hold of it is
/// memory beside the store's from then on.
const GONE: u16 = 1 << 15;

/// Replies that may hold an entry at a time. Each thread may count one above it for a moment.
const MOST_LOANS: u16 = GONE - 1024;

/// Bits of `written` that are the stamp's.
const STAMP: u64 = (1 << Stamp::BITS) - 1;

/// The bit of `written` that says that there are spans.
const HAS_SPANS: u64 = 1 << Stamp::BITS;

/// The bit of `written` that says that there are tags.
const HAS_TAGS: u64 = 2 << Stamp::BITS;

/// Where in `written` moka's count begins.
const REPORTED: u32 = Stamp::BITS + 2;

impl Entry {
    /// An entry that is not written yet.
    pub(super) fn new(key: HashedKey<'_>, content: Content<'_>, slot: Slot) -> Self {
        let Content { value, life, tags } = content;
        let spans = life.spans().map(Spans::bytes);
        let tags = tags.stored();
        let has_tags = if tags.is_empty() { 0 } else { HAS_TAGS };
        let header = Header {
            written: AtomicU64::new(has_tags | if spans.is_some() { HAS_SPANS } else { 0 }),
            lifetime: AtomicU32::new(Lifetime::of(life.kept()).bits()),
            mark: AtomicU32::new(0),
            ticket: AtomicU32::new(0),
            loans: AtomicU16::new(0),
            place: AtomicU8::new(0),
            slot: AtomicU8::new(slot.number()),
        };
        // A key has at most 256 characters, a namespace 64 bytes.
        let [low, high] = (key.stored_len() as u16).to_le_bytes();
        let (mark, namespace, text) = key.parts();
        let spans = spans.as_ref().map_or(&[][..], |spans| &spans[..]);
        Self(block(header, [&[low, high, mark], namespace, text, value, &tags, spans]))
    }

    /// Whether this is the entry of `key`, and not of another with the same hash.
    pub(super) fn is_of(&self, key: HashedKey<'_>) -> bool {
        let (mark, namespace, text) = key.parts();
        let stored = &self.0.slice[KEY_LEN_BYTES..self.value_at()];
        stored.len() == key.stored_len()
            && stored[0] == mark
            && same(&stored[1..=namespace.len()], namespace)
            && same(&stored[1 + namespace.len()..], text)
    }

    /// Whether this is the entry of `key`, and fresh.
    pub(super) fn is_live_of(&self, key: HashedKey<'_>, now: impl FnOnce() -> Moment) -> bool {
        self.is_of(key) && self.is_fresh(now)
    }

    /// Bytes of its block.
    pub(super) fn block_bytes(&self) -> usize {
        HEADER_BYTES + self.0.slice.len() - KEY_LEN_BYTES
    }

    /// Has the processor fetch the block: its first lines, as far as a short key reaches.
    pub(super) fn fetch(&self) {
        prefetch::line_of(&self.0.header);
        prefetch::line_of(&self.0.slice[self.0.slice.len().min(48)..]);
    }

    pub(super) fn value(&self) -> &[u8] {
        let written = self.header().written.load(Relaxed);
        let end = self.tags_end(written);
        let tags = if written & HAS_TAGS == 0 { 0 } else { tags::len_at_end(&self.0.slice[..end]) };
        &self.0.slice[self.value_at()..end - tags]
    }

    /// Its tags.
    pub(super) fn tags(&self) -> Tags<'_> {
        let written = self.header().written.load(Relaxed);
        if written & HAS_TAGS == 0 {
            return Tags::default();
        }
        Tags::of_end(&self.0.slice[..self.tags_end(written)])
    }

    fn tags_end(&self, written: u64) -> usize {
        self.0.slice.len() - if written & HAS_SPANS == 0 { 0 } else { SPANS_BYTES }
    }

    fn has_spans(&self) -> bool {
        self.header().written.load(Relaxed) & HAS_SPANS != 0
    }

    /// What it has beside its lifetime.
    pub(super) fn spans(&self) -> Option<Spans> {
        let bytes = self.0.slice.last_chunk().filter(|_| self.has_spans())?;
        Some(Spans::of_bytes(*bytes))
    }

    /// Where in the block the value begins.
    fn value_at(&self) -> usize {
        let [low, high, ..] = self.0.slice[..] else { return KEY_LEN_BYTES };
        KEY_LEN_BYTES + usize::from(u16::from_le_bytes([low, high]))
    }

    /// When it was written.
    pub(super) fn written(&self) -> Stamp {
        Stamp::of_bits(self.header().written.load(Relaxed) & STAMP)
    }

    /// Notes that it is written now: the first thing that becomes of an entry.
    pub(super) fn set_written(&self, stamp: Stamp) {
        let has = self.header().written.load(Relaxed) & (HAS_SPANS | HAS_TAGS);
        self.header().written.store(has | stamp.bits(), Relaxed);
    }

    pub(super) fn lifetime(&self) -> Lifetime {
        Lifetime::of_bits(self.header().lifetime.load(Relaxed))
    }

    /// Gives it another time to live. Its deadline is that of the table, too.
    pub(super) fn set_lifetime(&self, lifetime: Lifetime) {
        self.header().lifetime.store(lifetime.bits(), Relaxed);
    }

    /// From when on it is of no use to anybody.
    pub(super) fn deadline(&self) -> Deadline {
        let early = self.spans().map_or(Duration::ZERO, Spans::early);
        self.lifetime().end(self.written()).earlier(early)
    }

    /// From when on it is stale: its deadline, unless it has spans.
    pub(super) fn fresh_until(&self) -> Deadline {
        let stale = self.spans().map_or(Duration::ZERO, Spans::stale);
        self.deadline().earlier(stale)
    }

    /// Whether it is not stale yet. Only an entry that has a deadline asks for the time.
    pub(super) fn is_fresh(&self, now: impl FnOnce() -> Moment) -> bool {
        self.lifetime() == Lifetime::FOREVER || !self.fresh_until().passed(now())
    }

    /// Whether somebody should make it anew: it is stale, or soon will be.
    pub(super) fn wants_refill(&self, now: Moment) -> bool {
        let Some(spans) = self.spans() else { return false };
        self.fresh_until().earlier(spans.refresh_before()).passed(now)
    }

    pub(super) fn slot(&self) -> Slot {
        Slot::of_number(self.header().slot.load(Relaxed))
    }

    pub(super) fn set_slot(&self, slot: Slot) {
        self.header().slot.store(slot.number(), Relaxed);
    }

    /// The name of its namespace; empty: it is of the shared keyspace.
    pub(super) fn namespace(&self) -> &str {
        let key = &self.0.slice[KEY_LEN_BYTES..];
        std::str::from_utf8(&key[1..=usize::from(key[0])]).unwrap_or_default()
    }

    /// Its key, without its namespace.
    pub(super) fn key(&self) -> &str {
        let key = &self.0.slice[KEY_LEN_BYTES..self.value_at()];
        std::str::from_utf8(&key[1 + usize::from(key[0])..]).unwrap_or_default()
    }

    /// Whether it is past its deadline. Only an entry that has one asks for the time.
    pub(super) fn is_over(&self, now: impl FnOnce() -> Moment) -> bool {
        self.lifetime() != Lifetime::FOREVER && self.deadline().passed(now())
    }

    pub(super) fn place(&self) -> Place {
        match self.header().place.load(Relaxed) {
            RESIDENT => Place::Resident,
            hits => Place::Window { hits },
        }
    }

    /// Whether it is in the window.
    pub(super) fn waits(&self) -> bool {
        self.place() != Place::Resident
    }

    /// Whether it is in the window under this number.
    pub(super) fn waits_as(&self, mark: u32) -> bool {
        self.waits() && self.mark() == mark
    }

    pub(super) fn mark(&self) -> u32 {
        self.header().mark.load(Relaxed)
    }

    pub(super) fn reported(&self) -> u8 {
        (self.header().written.load(Relaxed) >> REPORTED) as u8
    }

    pub(super) fn put(&self, place: Place, mark: u32) {
        let place = match place {
            Place::Window { hits } => hits,
            Place::Resident => RESIDENT,
        };
        self.header().place.store(place, Relaxed);
        self.header().mark.store(mark, Relaxed);
    }

    pub(super) fn count_hit(&self) {
        let place = &self.header().place;
        let hits = place.load(Relaxed);
        // No write once it is enough: a hot key's block stays readable in every core's cache.
        if hits < 2 {
            place.store(hits + 1, Relaxed);
        }
    }

    /// The number in the queue of its namespace, if that has a quota.
    pub(super) fn ticket(&self) -> Option<u32> {
        let ticket = self.header().ticket.load(Relaxed) & !USED;
        (ticket != 0).then_some(ticket)
    }

    /// Gives it a ticket, or takes it.
    pub(super) fn set_ticket(&self, ticket: Option<u32>) {
        self.header().ticket.store(ticket.unwrap_or(0), Relaxed);
    }

    /// Notes a use, if it has a ticket.
    pub(super) fn note_use(&self) {
        let ticket = self.header().ticket.load(Relaxed);
        // No write once it is noted: a hot key's block stays readable in every core's cache.
        if ticket != 0 && ticket & USED == 0 {
            self.header().ticket.store(ticket | USED, Relaxed);
        }
    }

    /// Whether it was used since this was last asked.
    pub(super) fn take_use(&self) -> bool {
        let ticket = self.header().ticket.load(Relaxed);
        self.header().ticket.store(ticket & !USED, Relaxed);
        ticket & USED != 0
    }

    pub(super) fn set_reported(&self, at: u8) {
        let written = self.header().written.load(Relaxed) & (STAMP | HAS_SPANS | HAS_TAGS);
        self.header().written.store(u64::from(at) << REPORTED | written, Relaxed);
    }

    /// A reply holds the entry, unless too many do.
    #[must_use]
    pub(super) fn lend(&self) -> bool {
        let loans = &self.header().loans;
        let before = loans.fetch_add(1, Relaxed);
        if before & !GONE >= MOST_LOANS {
            self.give_back();
            return false;
        }
        if before == GONE {
            pinned::add(self.block_bytes());
        }
        true
    }

    /// A reply holds it no more.
    pub(super) fn give_back(&self) {
        if self.header().loans.fetch_sub(1, Relaxed) == GONE | 1 {
            pinned::take_off(self.block_bytes());
        }
    }

    /// The store lets go of the entry. Small ones are never lent.
    pub(super) fn leave(&self) {
        if self.block_bytes() >= LENT_BYTES && self.header().loans.fetch_or(GONE, Relaxed) > 0 {
            pinned::add(self.block_bytes());
        }
    }

    fn header(&self) -> &Header {
        &self.0.header.header
    }
}

/// Whether two keys, or namespaces, are the same bytes. Eight at a time and in place: to compare 16
/// bytes, the C library's function took a third of what a MultiGet costs (glibc 2.36, which loads
/// them under a mask where the processor has AVX-512).
fn same(a: &[u8], b: &[u8]) -> bool {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    a.len() == b.len()
        && a_rest.len() == b_rest.len()
        && a.iter().zip(b).all(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b))
        && a_rest.iter().zip(b_rest).all(|(a, b)| a == b)
}

/// Copies the parts behind the header into one block.
fn block(header: Header, parts: [&[u8]; 6]) -> ThinArc<Header, u8> {
    type Block<T> = HeaderSlice<HeaderWithLength<Header>, [T]>;
    let len = parts.iter().map(|part| part.len()).sum();
    let header = HeaderWithLength::new(header, len);
    let mut block: UniqueArc<Block<MaybeUninit<u8>>> =
        UniqueArc::from_header_and_uninit_slice(header, len);
    let mut rest = &mut block.slice[..];
    for part in parts {
        let (room, behind) = rest.split_at_mut(part.len());
        room.write_copy_of_slice(part);
        rest = behind;
    }
    assert!(rest.is_empty());
    #[expect(unsafe_code, reason = "no safe function of triomphe copies from several slices")]
    // SAFETY: the parts have filled the slice to its end.
    let block: UniqueArc<Block<u8>> = unsafe { block.assume_init_slice_with_header() };
    Arc::into_thin(block.shareable())
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("header", self.header())
            .field("value_bytes", &self.value().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Ttl;
    use tiny_cache_proto::key::Namespace;

    fn entry(namespace: Namespace<'_>, key: &str, value: &[u8]) -> Entry {
        let key = HashedKey { hash: 7, key: Key::parse(namespace, key).unwrap() };
        Entry::new(key, Content::plain(value, Ttl::Forever), Slot::SHARED)
    }

    #[test]
    fn a_plain_key_never_equals_a_namespaced_one() {
        let team = Namespace::parse("team").unwrap();
        let stored = entry(team, "x", b"value");
        assert_eq!(stored.value(), b"value");
        for plain in ["4:team:x", "teamx", "\u{4}teamx", "x"] {
            let key = Key::parse(Namespace::SHARED, plain).unwrap();
            assert!(!stored.is_of(HashedKey { hash: 7, key }), "{plain:?}");
        }
        let te = Namespace::parse("te").unwrap();
        let key = Key::parse(te, "amx").unwrap();
        assert!(!stored.is_of(HashedKey { hash: 7, key }));
        let key = Key::parse(team, "x").unwrap();
        assert!(stored.is_of(HashedKey { hash: 7, key }));
    }

    #[test]
    fn bytes_are_the_same_when_all_of_them_are() {
        for len in 0..40 {
            let bytes: Vec<u8> = (0..len).collect();
            assert!(same(&bytes, &bytes.clone()));
            assert!(!same(&bytes, &[&bytes[..], &[7]].concat()));
            for place in 0..bytes.len() {
                let mut other = bytes.clone();
                other[place] ^= 0x80;
                assert!(!same(&bytes, &other), "{len} {place}");
            }
        }
    }

    #[test]
    fn an_empty_value_is_a_value() {
        assert_eq!(entry(Namespace::SHARED, "k", b"").value(), b"");
    }

    #[test]
    fn an_entry_is_lent_to_so_many_replies_at_a_time() {
        let entry = entry(Namespace::SHARED, "k", b"value");
        assert!((0..MOST_LOANS).all(|_| entry.lend()));
        assert!(!entry.lend());
        entry.give_back();
        assert!(entry.lend() && !entry.lend());
    }

    #[test]
    fn an_entry_with_spans_has_them_behind_its_value() {
        let key = HashedKey { hash: 7, key: Key::parse(Namespace::SHARED, "k").unwrap() };
        let ms = Duration::from_millis;
        for bytes in [0, 1, 100] {
            let value = vec![7; bytes];
            let life = Life { stale: ms(20), refresh_before: ms(10), ..Ttl::For(ms(50)).into() };
            let entry = Entry::new(key, Content::plain(&value, life), Slot::SHARED);
            entry.set_written(Stamp::default());
            entry.set_reported(3);
            assert!(entry.is_of(key) && entry.value() == value);
            let at = |milliseconds: u64| Moment::at(milliseconds * 1_000_000);
            for (now, is_due, is_fresh, is_over) in [
                (39, false, true, false),
                (40, true, true, false),
                (49, true, true, false),
                (50, true, false, false),
                (69, true, false, false),
                (70, true, false, true),
            ] {
                assert_eq!(entry.wants_refill(at(now)), is_due, "{now}");
                assert_eq!(entry.is_fresh(|| at(now)), is_fresh, "{now}");
                assert_eq!(entry.is_over(|| at(now)), is_over, "{now}");
            }
            let content = Content::plain(&value, Ttl::For(ms(50)));
            let plain = Entry::new(key, content, Slot::SHARED);
            assert_eq!(plain.block_bytes() + SPANS_BYTES, entry.block_bytes());
            assert_eq!((plain.spans(), plain.value()), (None, &value[..]));
        }
    }

    #[test]
    fn an_entry_with_tags_has_them_between_its_value_and_its_spans() {
        let key = HashedKey { hash: 7, key: Key::parse(Namespace::SHARED, "k").unwrap() };
        let tags: Tags<'_> = ["a", "of-team-7"].into_iter().collect();
        let stale = Duration::from_secs(1);
        for life in [Ttl::Forever.into(), Life { stale, ..Ttl::For(stale).into() }] {
            for value in [&b""[..], b"value"] {
                let entry = Entry::new(key, Content { value, life, tags }, Slot::SHARED);
                entry.set_written(Stamp::of_bits(STAMP));
                entry.set_reported(u8::MAX);
                assert_eq!((entry.tags(), entry.value()), (tags, value));
                assert_eq!(entry.spans().is_some(), life.spans().is_some());
                assert_eq!((entry.written(), entry.reported()), (Stamp::of_bits(STAMP), u8::MAX));
                let plain = Entry::new(key, Content::plain(value, life), Slot::SHARED);
                assert_eq!(plain.block_bytes() + tags.stored_len(), entry.block_bytes());
                assert_eq!(plain.tags(), Tags::default());
            }
        }
    }

    #[test]
    fn what_moka_was_told_and_when_it_was_written_stand_side_by_side() {
        let entry = entry(Namespace::SHARED, "k", b"value");
        let latest = Stamp::of_bits(STAMP);
        entry.set_written(latest);
        for at in [0, 7, u8::MAX] {
            entry.set_reported(at);
            assert_eq!((entry.reported(), entry.written()), (at, latest));
        }
    }

    /// What an entry is counted as was measured with blocks of this shape.
    #[test]
    fn a_block_has_42_bytes_before_the_key() {
        assert_eq!(HEADER_BYTES, 42);
        assert_eq!(size_of::<Entry>(), 8);
    }
}

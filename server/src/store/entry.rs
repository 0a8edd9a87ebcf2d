//! What is kept for one key: a single block with header, key and value.

use std::{
    fmt,
    mem::MaybeUninit,
    sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed},
};

use tiny_cache_proto::key::Key;
use triomphe::{Arc, HeaderSlice, HeaderWithLength, ThinArc, UniqueArc};

use super::{
    clock::{Deadline, Moment},
    namespaces::Slot,
    prefetch,
};

/// Bytes of a block before the key: the count of references, [`Header`], and the length.
pub(super) const HEADER_BYTES: usize = 8 + size_of::<Header>() + 8;

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
    deadline: Deadline,
    /// The number under which the window's ring, or moka, knows the entry. It tells apart what
    /// they say of this entry from what they say of one that was there before.
    mark: AtomicU32,
    /// The shard's count of residents let in when moka was last told of a use; wraps.
    reported: AtomicU32,
    key_len: u16,
    place: AtomicU8,
    /// The number of the namespace.
    slot: Slot,
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

impl Entry {
    pub(super) fn new(key: HashedKey<'_>, value: &[u8], deadline: Deadline, slot: Slot) -> Self {
        let key_len = key.stored_len();
        let header = Header {
            deadline,
            mark: AtomicU32::new(0),
            reported: AtomicU32::new(0),
            // A key has at most 256 characters, a namespace 64 bytes.
            key_len: key_len as u16,
            place: AtomicU8::new(0),
            slot,
        };
        let (mark, namespace, text) = key.parts();
        Self(block(header, [&[mark], namespace, text, value]))
    }

    /// Whether this is the entry of `key`, and not of another with the same hash.
    pub(super) fn is_of(&self, key: HashedKey<'_>) -> bool {
        let (mark, namespace, text) = key.parts();
        let stored = &self.0.slice[..usize::from(self.header().key_len)];
        stored.len() == key.stored_len()
            && stored[0] == mark
            && same(&stored[1..=namespace.len()], namespace)
            && same(&stored[1 + namespace.len()..], text)
    }

    /// Whether this is the entry of `key`, and not past its deadline.
    pub(super) fn is_live_of(&self, key: HashedKey<'_>, now: impl FnOnce() -> Moment) -> bool {
        self.is_of(key) && !self.is_over(now)
    }

    /// Bytes of its block.
    pub(super) fn block_bytes(&self) -> usize {
        HEADER_BYTES + self.0.slice.len()
    }

    /// Has the processor fetch the block: its first lines, as far as a short key reaches.
    pub(super) fn fetch(&self) {
        prefetch::line_of(&self.0.header);
        prefetch::line_of(&self.0.slice[self.0.slice.len().min(48)..]);
    }

    pub(super) fn value(&self) -> &[u8] {
        &self.0.slice[usize::from(self.header().key_len)..]
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.header().deadline
    }

    pub(super) fn slot(&self) -> Slot {
        self.header().slot
    }

    /// Whether it is past its deadline. Only an entry that has one asks for the time.
    pub(super) fn is_over(&self, now: impl FnOnce() -> Moment) -> bool {
        self.deadline() != Deadline::NEVER && self.deadline().passed(now())
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

    pub(super) fn reported(&self) -> u32 {
        self.header().reported.load(Relaxed)
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

    pub(super) fn set_reported(&self, at: u32) {
        self.header().reported.store(at, Relaxed);
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
fn block(header: Header, parts: [&[u8]; 4]) -> ThinArc<Header, u8> {
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
    use tiny_cache_proto::key::Namespace;

    fn entry(namespace: Namespace<'_>, key: &str, value: &[u8]) -> Entry {
        let key = HashedKey { hash: 7, key: Key::parse(namespace, key).unwrap() };
        Entry::new(key, value, Deadline::NEVER, Slot::SHARED)
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

    /// What an entry is counted as was measured with blocks of this shape.
    #[test]
    fn a_block_has_40_bytes_before_the_key() {
        assert_eq!(HEADER_BYTES, 40);
        assert_eq!(size_of::<Entry>(), 8);
    }
}

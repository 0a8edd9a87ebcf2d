//! The value that says whose it is: 60 bytes of header, and a filler that no other version
//! of the key has.
//!
//! | bytes | what, little-endian |
//! |---|---|
//! | 0–3 | `tcVS` |
//! | 4–7 | 1, the version of this layout |
//! | 8–11 | length of the value, header and all |
//! | 12–15 | time to live in seconds; 0 or less never expires |
//! | 16–23 | number of the run |
//! | 24–31 | hash of the namespace |
//! | 32–39 | hash of the key |
//! | 40–47 | version, from 1 for each key |
//! | 48–55 | when the write began, in nanoseconds since the start of the run |
//! | 56–59 | CRC-32 (ISO-HDLC, as in gzip) of all other bytes, in their order |
//! | 60– | filler |
//!
//! The filler's words of eight bytes count upwards from a number that follows from the stamp;
//! two versions of a key differ in each of them.

use bytes::Bytes;
use thiserror::Error;

use super::{
    name::{Hashed, scramble},
    nanos::Nanos,
};

/// The header alone. A value that is to be smaller becomes this long.
pub const MIN_SIZE: u32 = HEADER as u32;

const HEADER: usize = 60;
const CHECKSUM: usize = 56;
const MAGIC: [u8; 4] = *b"tcVS";
const FORMAT: u32 = 1;

/// 2^64 divided by the golden ratio, odd: multiples of it lie far apart.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a value says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    /// The run that wrote it.
    pub run: u64,
    /// Hash of its namespace.
    pub namespace: u64,
    /// Hash of its key.
    pub key: u64,
    /// Counted from 1 for each key.
    pub version: u64,
    /// When the write began.
    pub written: Nanos,
    /// Seconds; 0 or less never expires.
    pub ttl: i32,
}

/// Why bytes are no value that was written.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Damage {
    /// It does not begin as a value of this or any other run.
    #[error("no value of this load tester")]
    NotStamped,
    /// Another release of the load tester wrote it, in this version of the layout.
    #[error("layout {0}, where {FORMAT} is known")]
    Format(u32),
    /// There are fewer or more bytes than were written.
    #[error("{length} bytes, where {} were written", written.map_or(format!("at least {MIN_SIZE}"), |n| n.to_string()))]
    Length {
        /// Bytes there are.
        length: u64,
        /// Bytes that there should be; none if the header is cut off.
        written: Option<u64>,
    },
    /// The bytes are not those that were written.
    #[error("checksum {found:08x}, where {expected:08x} was written{}", from.map_or(String::new(), |at| format!("; bytes from {at} on are of no such value")))]
    Checksum {
        /// What was written.
        expected: u32,
        /// What the bytes add up to.
        found: u32,
        /// The first word of the filler that does not go with the header.
        from: Option<u64>,
    },
}

impl Damage {
    /// Whether bytes may be a leftover of other software rather than a value gone bad.
    pub(super) fn may_be_foreign(&self) -> bool {
        matches!(self, Self::NotStamped | Self::Format(_))
    }
}

impl Stamp {
    /// The value with this stamp, `size` bytes long but never less than [`MIN_SIZE`]. The
    /// same stamp and size give the same bytes.
    pub fn write(&self, size: u32) -> Bytes {
        let size = size.max(MIN_SIZE);
        let mut value = vec![0; size as usize];
        let (header, filler) = value.split_at_mut(HEADER);
        header[0..4].copy_from_slice(&MAGIC);
        header[4..8].copy_from_slice(&FORMAT.to_le_bytes());
        header[8..12].copy_from_slice(&size.to_le_bytes());
        header[12..16].copy_from_slice(&self.ttl.to_le_bytes());
        let words = [self.run, self.namespace, self.key, self.version, self.written.0];
        for (bytes, word) in header[16..CHECKSUM].chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut words = self.filler();
        let mut chunks = filler.chunks_exact_mut(8);
        for (chunk, word) in chunks.by_ref().zip(words.by_ref()) {
            chunk.copy_from_slice(&word);
        }
        if let Some(word) = words.next() {
            let rest = chunks.into_remainder();
            rest.copy_from_slice(&word[..rest.len()]);
        }
        let checksum = checksum(&value).to_le_bytes();
        value[CHECKSUM..HEADER].copy_from_slice(&checksum);
        value.into()
    }

    /// Reads the stamp of a value, after a look at all its bytes.
    ///
    /// # Errors
    ///
    /// These are not the bytes of a value that was written.
    pub fn read(value: &[u8]) -> Result<Self, Damage> {
        if !value.starts_with(&MAGIC) {
            return Err(Damage::NotStamped);
        }
        let length = value.len() as u64;
        if value.len() < HEADER {
            return Err(Damage::Length { length, written: None });
        }
        let format = narrow(value, 4);
        if format != FORMAT {
            return Err(Damage::Format(format));
        }
        let written = u64::from(narrow(value, 8));
        if length != written {
            return Err(Damage::Length { length, written: Some(written) });
        }
        let stamp = Self {
            ttl: narrow(value, 12).cast_signed(),
            run: wide(value, 16),
            namespace: wide(value, 24),
            key: wide(value, 32),
            version: wide(value, 40),
            written: Nanos(wide(value, 48)),
        };
        let (expected, found) = (narrow(value, CHECKSUM), checksum(value));
        if expected != found {
            let from = stamp.first_wrong(&value[HEADER..]);
            return Err(Damage::Checksum { expected, found, from });
        }
        Ok(stamp)
    }

    pub(super) fn hashed(&self) -> Hashed {
        Hashed { namespace: self.namespace, key: self.key }
    }

    /// The words of the filler. Versions begin at multiples of an odd number, so that no two
    /// of a key begin alike, and all count by the same step, so that they never meet.
    fn filler(&self) -> impl Iterator<Item = [u8; 8]> + use<> {
        let base = scramble(self.run ^ scramble(self.namespace ^ scramble(self.key)));
        let start = base.wrapping_add(self.version.wrapping_mul(0xd134_2543_de82_ef95));
        (0..).map(move |index: u64| {
            let word = start.wrapping_add(index.wrapping_mul(STRIDE));
            (word ^ (word >> 29)).to_le_bytes()
        })
    }

    /// Where in the value the filler stops to be this stamp's.
    fn first_wrong(&self, filler: &[u8]) -> Option<u64> {
        let mut words = filler.chunks(8).zip(self.filler());
        let wrong = words.position(|(chunk, word)| chunk != &word[..chunk.len()])?;
        Some((HEADER + 8 * wrong) as u64)
    }
}

fn narrow(value: &[u8], at: usize) -> u32 {
    value[at..at + 4].iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

fn wide(value: &[u8], at: usize) -> u64 {
    u64::from(narrow(value, at)) | u64::from(narrow(value, at + 4)) << 32
}

fn checksum(value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&value[..CHECKSUM]);
    hasher.update(&value[HEADER..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamp(version: u64) -> Stamp {
        Stamp { run: 7, namespace: 8, key: 9, version, written: Nanos(10), ttl: 60 }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let value = stamp(3).write(64);
        assert_eq!(value[..4], *b"tcVS");
        assert_eq!(value[4..8], 1_u32.to_le_bytes());
        assert_eq!(value[8..12], 64_u32.to_le_bytes());
        assert_eq!(value[12..16], 60_u32.to_le_bytes());
        let words: Vec<_> = [7, 8, 9, 3, 10_u64].into_iter().flat_map(u64::to_le_bytes).collect();
        assert_eq!(value[16..56], words);
        let all_others = [&value[..56], &value[60..]].concat();
        assert_eq!(value[56..60], crc32fast::hash(&all_others).to_le_bytes());
    }

    #[test]
    fn a_value_that_is_to_be_smaller_than_its_header_is_as_long_as_that() {
        for size in [0, 1, MIN_SIZE - 1, MIN_SIZE] {
            assert_eq!(stamp(1).write(size).len(), MIN_SIZE as usize);
        }
        assert_eq!(stamp(1).write(MIN_SIZE + 1).len(), MIN_SIZE as usize + 1);
    }

    #[test]
    fn two_versions_differ_in_each_word_of_their_filler() {
        let words = |version| stamp(version).write(4096).slice(HEADER..);
        for (one, other) in [(1, 2), (1, 3), (2, 258), (1, u64::MAX)] {
            let (one, other) = (words(one), words(other));
            assert!(one.chunks_exact(8).zip(other.chunks_exact(8)).all(|(a, b)| a != b));
        }
    }

    #[test]
    fn what_is_no_value_is_told_from_one_gone_bad() {
        for bytes in [&b""[..], b"tcV", b"hello, world", &[0; 100]] {
            assert_eq!(Stamp::read(bytes), Err(Damage::NotStamped));
        }
        let mut newer = stamp(1).write(100).to_vec();
        newer[4] = 2;
        assert_eq!(Stamp::read(&newer), Err(Damage::Format(2)));
    }

    #[test]
    fn damage_names_what_is_wrong() {
        let value = stamp(1).write(100);
        for (length, written) in [(59, None), (99, Some(100))] {
            let damage = Damage::Length { length: length as u64, written };
            assert_eq!(Stamp::read(&value[..length]), Err(damage));
        }
        let longer = [&value[..], b"x"].concat();
        assert_eq!(
            Stamp::read(&longer).unwrap_err().to_string(),
            "101 bytes, where 100 were written"
        );
        let torn = [&value[..80], &stamp(2).write(100)[80..]].concat();
        let error = Stamp::read(&torn).unwrap_err();
        // The third word begins at 76: its first half is of the header's version.
        assert!(matches!(error, Damage::Checksum { from: Some(76), .. }), "{error}");
    }

    proptest! {
        #[test]
        fn a_value_is_read_as_it_was_written(
            words in any::<[u64; 5]>(), ttl in any::<i32>(), size in 0_u32..3000
        ) {
            let [run, namespace, key, version, written] = words;
            let stamp = Stamp { run, namespace, key, version, written: Nanos(written), ttl };
            prop_assert_eq!(Stamp::read(&stamp.write(size)), Ok(stamp));
            prop_assert_eq!(stamp.write(size), stamp.write(size));
        }

        #[test]
        fn any_flipped_bit_is_noticed(size in 0_u32..300, bit in any::<prop::sample::Index>()) {
            let mut value = stamp(1).write(size).to_vec();
            let bit = bit.index(value.len() * 8);
            value[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Stamp::read(&value).is_err());
        }

        #[test]
        fn a_value_of_two_halves_is_one_of_them_or_damaged(
            size in 0_u32..300, cut in any::<prop::sample::Index>()
        ) {
            let (old, new) = (stamp(1).write(size), stamp(2).write(size));
            let cut = cut.index(old.len() + 1);
            let torn = [&old[..cut], &new[cut..]].concat();
            prop_assert_eq!(Stamp::read(&torn).is_ok(), torn == old || torn == new);
        }

        #[test]
        fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _any = Stamp::read(&bytes);
            let _any = Stamp::read(&[&b"tcVS\x01\0\0\0"[..], &bytes].concat());
        }
    }
}

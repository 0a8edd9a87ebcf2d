//! What random calls ask: namespaces as callers spell them, keys of every length, values of every
//! size class, and TTLs; some of each that must be refused.

use bytes::Bytes;
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::model::{MAX_BATCH, MAX_VALUE, Name};

/// Names of keys in each lane; each may be in each namespace.
const KEYS: usize = 48;

/// A namespace as a caller spells it, and what it means; nothing, if it is refused.
#[derive(Clone, Copy)]
pub(crate) struct Spelt {
    pub(crate) sent: Option<&'static str>,
    pub(crate) meant: Option<&'static str>,
}

/// No namespace.
pub(crate) const NONE: Spelt = Spelt { sent: None, meant: Some("") };

const fn spelt(sent: &'static str, meant: &'static str) -> Spelt {
    Spelt { sent: Some(sent), meant: Some(meant) }
}

const fn refused(sent: &'static str) -> Spelt {
    Spelt { sent: Some(sent), meant: None }
}

impl Spelt {
    /// The namespace of a name, as it is.
    pub(crate) fn of(name: &Name) -> Self {
        Self { sent: name.namespace, meant: name.namespace }
    }
}

const LONGEST: &str = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";

const NAMESPACES: [Spelt; 12] = [
    NONE,
    NONE,
    NONE,
    NONE,
    spelt("", ""),
    spelt("  ", ""),
    spelt("team", "team"),
    spelt("team", "team"),
    spelt(" team\t", "team"),
    spelt("Team.a_b-c", "Team.a_b-c"),
    spelt(LONGEST, LONGEST),
    refused("-team"),
];

/// The choices of one lane.
pub(crate) struct Choose {
    pub(crate) random: Pcg64,
    names: Vec<String>,
}

impl Choose {
    pub(crate) fn new(number: usize, seed: u64) -> Self {
        let name = |index: usize| {
            let start = format!("{number}/{index}/");
            let (length, filling) = match index {
                0 => (256, "k"),
                1 => (256, "🗝"),
                2 => (248, "é"),
                3 => (180, "鍵"),
                4..10 => (40, "k"),
                _ => (0, ""),
            };
            let missing = usize::saturating_sub(length, start.len());
            start + &filling.repeat(missing)
        };
        Self {
            random: Pcg64::seed_from_u64(seed * 1000 + number as u64),
            names: (0..KEYS).map(name).collect(),
        }
    }

    pub(crate) fn name(&mut self) -> (Spelt, Name) {
        let spelt = NAMESPACES[self.random.random_range(0..NAMESPACES.len())];
        (spelt, self.name_in(spelt))
    }

    fn name_in(&mut self, spelt: Spelt) -> Name {
        let key = match self.random.random_range(0..200) {
            0 => String::new(),
            1 => "k".repeat(257),
            _ => self.names[self.random.random_range(0..KEYS)].clone(),
        };
        Name { namespace: spelt.meant, key }
    }

    /// Names for a batch, some of them twice.
    pub(crate) fn names(&mut self) -> (Spelt, Vec<Name>) {
        let spelt = NAMESPACES[self.random.random_range(0..NAMESPACES.len())];
        let count = match self.random.random_range(0..200) {
            0 => MAX_BATCH + 1,
            1 => MAX_BATCH,
            2 => 0,
            3..12 => self.random.random_range(100..MAX_BATCH),
            _ => self.random.random_range(1..16),
        };
        (spelt, (0..count).map(|_| self.name_in(spelt)).collect())
    }

    /// Random bytes of every size class; the largest are seldom, and one is too large.
    pub(crate) fn value(&mut self) -> Bytes {
        const BLOCK: usize = 4093;
        let length = match self.random.random_range(0..2000) {
            0 => MAX_VALUE + 1,
            1 => MAX_VALUE - self.random.random_range(0..2),
            2..6 => 256 << 10,
            // About the window of a stream.
            6..40 => self.random.random_range(63 << 10..70 << 10),
            40..160 => self.random.random_range(3_000..17_000),
            _ => [0, 1, 2, 7, 8, 15, 16, 100, 1000][self.random.random_range(0..9)],
        };
        let mut block = vec![0; length.min(BLOCK)];
        self.random.fill_bytes(&mut block);
        let mut value = block.repeat(length.div_ceil(BLOCK));
        value.truncate(length);
        value.into()
    }

    pub(crate) fn ttl(&mut self) -> i32 {
        match self.random.random_range(0..100) {
            0..50 => 0,
            50..55 => -1,
            55 => i32::MIN,
            56 => i32::MAX,
            57..65 => 3600,
            65..75 => 2,
            _ => 1,
        }
    }
}

//! The work that every server does: operation, values, keys, and how many requests at a time.

use std::fmt;

use anyhow::{Context, Result, bail};

/// Keys of one MultiGet.
pub const BATCH: usize = 100;
/// Keys of [`Keys::Few`]: enough to reach every shard, few enough for the processor's caches.
pub const FEW: u32 = 1_000;
/// Keys of [`Keys::Million`] and [`Keys::Zipf`].
pub const MILLION: u32 = 1_000_000;
/// The skew of [`Keys::Zipf`].
pub const SKEW: f64 = 0.99;

/// What one request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The value of a key.
    Get,
    /// A write.
    Set,
    /// The values of [`BATCH`] keys.
    MultiGet,
}

/// Which operations a work consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// One operation alone.
    Only(Operation),
    /// Nine Gets, then a Set.
    NineToOne,
}

/// Where the keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// [`FEW`], each as likely.
    Few,
    /// [`MILLION`], each as likely.
    Million,
    /// [`MILLION`], by Zipf's law with [`SKEW`].
    Zipf,
    /// None twice.
    New,
}

impl Keys {
    /// How many there are before the clock starts.
    pub fn count(self) -> u32 {
        match self {
            Self::Few => FEW,
            Self::Million | Self::Zipf | Self::New => MILLION,
        }
    }
}

/// The size of every value of a work. Keys of different sizes are different keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// 64 bytes.
    Small,
    /// 1 KiB.
    Large,
}

/// Bytes of a key.
pub const KEY_BYTES: usize = 16;

impl Value {
    /// Bytes of the value.
    pub fn bytes(self) -> usize {
        match self {
            Self::Small => 64,
            Self::Large => 1024,
        }
    }

    /// The first byte of the keys, by which a server without a store knows what to answer.
    fn tag(self) -> u8 {
        match self {
            Self::Small => b's',
            Self::Large => b'l',
        }
    }

    /// The value that [`Value::key`] stands for.
    pub fn of_key(key: &[u8]) -> Self {
        if key.first() == Some(&b'l') { Self::Large } else { Self::Small }
    }

    /// The bytes of every value of this size.
    pub fn content(self) -> Vec<u8> {
        vec![b'v'; self.bytes()]
    }

    /// The key with a number, in decimal digits.
    pub fn key(self, mut number: u32) -> [u8; KEY_BYTES] {
        let mut key = [b'0'; KEY_BYTES];
        key[0] = self.tag();
        for digit in key[1..].iter_mut().rev() {
            if number == 0 {
                break;
            }
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        key
    }
}

/// Connections, and requests in flight on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Connections.
    pub connections: usize,
    /// Requests in flight on each.
    pub in_flight: usize,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.connections, self.in_flight)
    }
}

const fn shape(connections: usize, in_flight: usize) -> Shape {
    Shape { connections, in_flight }
}

const SHAPES: &[Shape] = &[shape(1, 1), shape(50, 1), shape(16, 32), shape(64, 100)];
/// 6,400 batches at once are 65 MB of replies, which measures the kernel's memory.
const BATCHES: &[Shape] = &[shape(1, 1), shape(50, 1), shape(16, 32)];
const ENCRYPTED: &[Shape] = &[shape(50, 1), shape(16, 32)];

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// The name on the command line and in the output.
    pub name: &'static str,
    /// Its operations.
    pub mix: Mix,
    /// The size of its values.
    pub value: Value,
    /// Its keys.
    pub keys: Keys,
    /// Whether it goes over TLS, which only tiny-cache is asked for.
    pub tls: bool,
    /// Whether the servers may keep less than there is.
    pub full: bool,
    /// How many requests at a time.
    pub shapes: &'static [Shape],
}

const fn work(name: &'static str, mix: Mix, value: Value, keys: Keys) -> Work {
    Work { name, mix, value, keys, tls: false, full: false, shapes: SHAPES }
}

const fn batches(name: &'static str, keys: Keys) -> Work {
    Work { shapes: BATCHES, ..work(name, Mix::Only(Operation::MultiGet), Value::Small, keys) }
}

const GET: Mix = Mix::Only(Operation::Get);
const SET: Mix = Mix::Only(Operation::Set);

/// Every kind, in the order in which they are measured.
pub const WORKS: &[Work] = &[
    work("get-64", GET, Value::Small, Keys::Few),
    work("get-1k", GET, Value::Large, Keys::Few),
    work("set-64", SET, Value::Small, Keys::Few),
    work("set-1k", SET, Value::Large, Keys::Few),
    Work { full: true, ..work("set-new", SET, Value::Small, Keys::New) },
    batches("multi-get", Keys::Few),
    batches("multi-random", Keys::Million),
    batches("multi-zipf", Keys::Zipf),
    work("random", GET, Value::Small, Keys::Million),
    work("mix-zipf", Mix::NineToOne, Value::Small, Keys::Zipf),
    Work { tls: true, shapes: ENCRYPTED, ..work("tls-get-64", GET, Value::Small, Keys::Few) },
];

/// The word that asks for response times, beside the names of [`WORKS`].
pub const LATENCY: &str = "latency";

/// A work at one of its shapes: a row group of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What is asked.
    pub work: Work,
    /// How many at a time.
    pub shape: Shape,
}

impl Cell {
    /// Whose rates tell what a server can do; the open loop asks for a part of it.
    pub const CAPACITY: Self = Self { work: WORKS[0], shape: shape(16, 32) };
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.work.name, self.shape)
    }
}

/// What a run measures.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Costs and rates, in this order.
    pub cells: Vec<Cell>,
    /// Whether response times are measured, too.
    pub latency: bool,
}

impl Plan {
    /// Everything.
    pub fn full() -> Self {
        let mut plan = Self { cells: Vec::new(), latency: true };
        for work in WORKS {
            plan.add(*work, None);
        }
        plan
    }

    /// Reads words such as `get-64`, `get-64@16x32` and `latency`. No word: everything.
    ///
    /// # Errors
    ///
    /// A word names no work, or no shape of its work.
    pub fn parse(words: &str) -> Result<Self> {
        if words.trim().is_empty() {
            return Ok(Self::full());
        }
        let mut plan = Self::default();
        for word in words.split_whitespace() {
            if word == LATENCY {
                plan.latency = true;
                continue;
            }
            let (name, shape) = word.split_once('@').map_or((word, None), |(n, s)| (n, Some(s)));
            let work = WORKS.iter().find(|work| work.name == name);
            let work = work.with_context(|| {
                let names: Vec<_> = WORKS.iter().map(|work| work.name).collect();
                format!("no work is called {name:?}; there are {} and latency", names.join(", "))
            })?;
            if plan.add(*work, shape) == 0 {
                let shapes: Vec<_> = work.shapes.iter().map(Shape::to_string).collect();
                bail!("{name} is not measured at {word:?}; at {}", shapes.join(", "));
            }
        }
        plan.capacity_for_latency();
        Ok(plan)
    }

    /// Response times want a rate, which comes from the capacity.
    fn capacity_for_latency(&mut self) {
        if self.latency && !self.cells.contains(&Cell::CAPACITY) {
            self.cells.insert(0, Cell::CAPACITY);
        }
    }

    fn add(&mut self, work: Work, only: Option<&str>) -> usize {
        let wanted = |shape: &&Shape| only.is_none_or(|only| shape.to_string() == only);
        let before = self.cells.len();
        self.cells.extend(work.shapes.iter().filter(wanted).map(|&shape| Cell { work, shape }));
        self.cells.len() - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_tag_and_its_number() {
        assert_eq!(&Value::Small.key(0), b"s000000000000000");
        assert_eq!(&Value::Large.key(1_234_567), b"l000000001234567");
        assert_eq!(&Value::Small.key(u32::MAX), b"s000004294967295");
    }

    #[test]
    fn a_key_tells_its_value() {
        for value in [Value::Small, Value::Large] {
            assert_eq!(Value::of_key(&value.key(7)), value);
        }
    }

    #[test]
    fn words_choose_works_shapes_and_response_times() {
        let plan = Plan::parse("get-64@16x32  multi-get latency").unwrap();
        let named: Vec<_> = plan.cells.iter().map(Cell::to_string).collect();
        assert_eq!(named, ["get-64@16x32", "multi-get@1x1", "multi-get@50x1", "multi-get@16x32"]);
        assert!(plan.latency);
        assert_eq!(Plan::parse(" ").unwrap(), Plan::full());
    }

    #[test]
    fn response_times_bring_the_capacity_with_them() {
        assert_eq!(Plan::parse("latency").unwrap().cells, [Cell::CAPACITY]);
        assert_eq!(Plan::parse("latency get-64").unwrap().cells.len(), 4);
    }

    #[test]
    fn a_word_that_names_nothing_is_refused() {
        assert!(Plan::parse("get-65").unwrap_err().to_string().contains("get-65"));
        assert!(Plan::parse("tls-get-64@1x1").unwrap_err().to_string().contains("50x1, 16x32"));
    }
}

//! What the workers saw, put together.

use std::{cmp::Reverse, collections::HashMap, time::Duration};

use super::{minute::Part, name::Name};

/// The keys that were asked for most in the last minute, and those with the largest values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HotReport {
    /// How long the minute was: up to 65 s, and less while the process is young.
    pub span: Duration,
    /// Requests in it, about.
    pub requests: u64,
    /// Most first.
    pub hottest: Vec<HotKey>,
    /// Largest first.
    pub largest: Vec<LargeKey>,
}

/// A key that was asked for often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotKey {
    /// Empty: the shared keyspace.
    pub namespace: String,
    /// Without its namespace.
    pub key: String,
    /// Reads and writes of it, about.
    pub requests: u64,
    /// By so much they may be more or fewer.
    pub error: u64,
}

/// A key with a large value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeKey {
    /// Empty: the shared keyspace.
    pub namespace: String,
    /// Without its namespace.
    pub key: String,
    /// Bytes of the largest value that was read or written.
    pub value_bytes: usize,
}

/// Sums of parts.
#[derive(Debug, Default)]
pub(super) struct Sums {
    counts: HashMap<u64, Count>,
    sizes: HashMap<u64, (usize, Name)>,
    total: u64,
    /// What a key may have had that no part has.
    unseen: u64,
}

#[derive(Debug, Default)]
struct Count {
    count: u64,
    /// As much of it may be too much.
    over: u64,
    /// What it may have had in parts that have it, if they had not.
    seen: u64,
    /// Of the sum of what each look stood for.
    variance: u64,
    name: Name,
}

impl Sums {
    pub(super) fn add(&mut self, part: &Part) {
        self.total += part.total;
        self.unseen += part.unseen;
        for key in part.keys() {
            let sum = self.counts.entry(key.hash).or_default();
            sum.count += key.count;
            sum.over += key.error;
            sum.seen += part.unseen;
            sum.variance += key.count * (part.one_in - 1);
            sum.name.copy(&key.name);
        }
        for key in part.largest.each() {
            let (bytes, name) = self.sizes.entry(key.hash).or_default();
            *bytes = key.value_bytes.max(*bytes);
            name.copy(&key.name);
        }
    }

    /// The first so many of each.
    pub(super) fn report(self, span: Duration, most: usize) -> HotReport {
        let Self { counts, sizes, total, unseen } = self;
        let mut counts: Vec<_> = counts.into_values().collect();
        counts.sort_unstable_by(|a, b| order(a.count, &a.name).cmp(&order(b.count, &b.name)));
        let mut sizes: Vec<_> = sizes.into_values().collect();
        sizes.sort_unstable_by(|a, b| order(a.0, &a.1).cmp(&order(b.0, &b.1)));
        let hottest = counts.into_iter().take(most).map(|sum| {
            let (namespace, key) = owned(&sum.name);
            // Three standard deviations of what was drawn, beside what the counters leave open.
            let drawn = 3.0 * (sum.variance as f64).sqrt();
            let error = sum.over.max(unseen - sum.seen) + drawn.ceil() as u64;
            HotKey { namespace, key, requests: sum.count, error }
        });
        let largest = sizes.into_iter().take(most).map(|(value_bytes, name)| {
            let (namespace, key) = owned(&name);
            LargeKey { namespace, key, value_bytes }
        });
        HotReport { span, requests: total, hottest: hottest.collect(), largest: largest.collect() }
    }
}

/// The most first; those that have as many, by name.
fn order<T: Ord>(number: T, name: &Name) -> impl Ord {
    (Reverse(number), name.parts())
}

fn owned(name: &Name) -> (String, String) {
    let (namespace, key) = name.parts();
    (namespace.to_owned(), key.to_owned())
}

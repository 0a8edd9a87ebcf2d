//! The command `trace optimum`: the hit ratio that no policy can exceed.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    hash::{BuildHasher, RandomState},
    num::NonZeroU64,
};

use crate::{
    access::{Access, Action},
    error::Error,
    spec::TraceSpec,
    trace::{Trace, TraceError},
};

/// The best hit ratios of a trace.
#[derive(Debug)]
pub struct Optimum {
    /// Reads of the trace.
    reads: u64,
    /// Keys of the trace.
    keys: usize,
    /// Of caches for so many entries, the reads that hit.
    hits: Vec<(NonZeroU64, u64)>,
}

/// Reads a trace, and finds the optimum of caches for so many entries.
///
/// # Errors
///
/// The trace cannot be read.
pub fn run(spec: &TraceSpec, entries: &[NonZeroU64]) -> Result<Optimum, Error> {
    let most = spec.limit.map_or(u64::MAX, NonZeroU64::get);
    let accesses = Trace::open(&spec.files, spec.reading.clone())?;
    // No access behind the last one is read.
    let future = Future::of((0..most).zip(accesses).map(|(_, access)| access))?;
    let hits = entries.iter().map(|&entries| (entries, future.hits(entries))).collect();
    Ok(Optimum { reads: future.reads, keys: future.keys, hits })
}

/// When the key of each access is read next.
///
/// Belady's rule (L. A. Belady: "A study of replacement algorithms for a virtual-storage computer",
/// IBM Systems Journal 5(2), 1966): of all entries, and the one that comes, the one goes whose next
/// read is farthest away. Entries count as equally large.
#[derive(Debug, Default)]
struct Future {
    /// Of each access, the place of the next access of its key if that reads it.
    next_read: Vec<Option<u64>>,
    reads: u64,
    keys: usize,
}

impl Future {
    fn of(accesses: impl Iterator<Item = Result<Access, TraceError>>) -> Result<Self, TraceError> {
        let hasher = RandomState::new();
        // By the hash of the key: of two keys in a thousand million, one in 37 has the other's.
        let mut last = HashMap::<u64, Option<usize>>::new();
        let mut future = Self::default();
        for access in accesses {
            let Access { key, action, .. } = access?;
            let place = future.next_read.len();
            future.next_read.push(None);
            // What is deleted is not there for the next access.
            let kept = (action != Action::Delete).then_some(place);
            let before = last.insert(hasher.hash_one(key), kept).flatten();
            if matches!(action, Action::Read(_)) {
                future.reads += 1;
                if let Some(before) = before {
                    future.next_read[before] = Some(place as u64);
                }
            }
        }
        future.keys = last.len();
        Ok(future)
    }

    /// Reads that hit in a cache for so many entries.
    fn hits(&self, entries: NonZeroU64) -> u64 {
        // What the cache holds: of each entry, when it is read next.
        let mut held = BTreeSet::<u64>::new();
        let mut hits = 0;
        for (place, next) in (0..).zip(&self.next_read) {
            hits += u64::from(held.remove(&place));
            held.extend(next);
            if held.len() as u64 > entries.get() {
                held.pop_last();
            }
        }
        hits
    }
}

impl fmt::Display for Optimum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reads, keys, hits } = self;
        writeln!(f, "reads: {reads}, keys: {keys}\n")?;
        writeln!(f, "{:>12} {:>12}", "entries", "best hits")?;
        for (entries, hits) in hits {
            if *reads == 0 {
                writeln!(f, "{entries:>12} {:>12}", "no reads")?;
                continue;
            }
            let percent = 100.0 * *hits as f64 / *reads as f64;
            writeln!(f, "{entries:>12} {percent:>10.2} %")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{self, Content, ValueSize};
    use proptest::prelude::*;

    fn future(accesses: &str) -> Future {
        let content =
            Content { size: ValueSize::from_bytes(1).unwrap(), ttl: access::ttl("0").unwrap() };
        let access = |(key, kind): (&str, Action)| {
            Ok(Access { line: 1, at: None, key: key.to_owned(), action: kind })
        };
        let words = accesses.split_whitespace().map(|word| match word.split_at(1) {
            (key, "") => (key, Action::Read(content)),
            (key, "=") => (key, Action::Write(content)),
            (key, _) => (key, Action::Delete),
        });
        Future::of(words.map(access)).unwrap()
    }

    fn hits(accesses: &str, entries: u64) -> u64 {
        future(accesses).hits(NonZeroU64::new(entries).unwrap())
    }

    #[test]
    fn the_entry_that_is_read_last_goes() {
        // Belady's own example has one hit more than the least recently used.
        assert_eq!(hits("a b c a b d a b c d", 3), 5);
        assert_eq!(hits("a b c a b c a b c", 2), 4);
        // One that is not read again is not let in at all.
        assert_eq!(hits("a x a y a z a", 1), 3);
    }

    #[test]
    fn what_is_written_or_deleted_before_it_is_read_is_worth_nothing() {
        assert_eq!(hits("a a= a", 1), 1);
        assert_eq!(hits("a a- a", 1), 0);
        assert_eq!(hits("a= a a", 1), 2);
        let Future { reads, keys, .. } = future("a= a b b-");
        assert_eq!((reads, keys), (2, 2));
    }

    /// The most hits that any choice of what to keep brings.
    fn tried_out(accesses: &[u8], room: usize, held: &[u8]) -> u64 {
        let Some((key, rest)) = accesses.split_first() else { return 0 };
        let hit = held.contains(key);
        let mut with: Vec<u8> = held.to_vec();
        if !hit {
            with.push(*key);
        }
        let choices = (0..with.len()).map(|out| {
            let mut less = with.clone();
            less.remove(out);
            less
        });
        let whole = (with.len() <= room).then(|| with.clone());
        let best = choices.chain(whole).map(|held| tried_out(rest, room, &held)).max();
        u64::from(hit) + best.unwrap_or(0)
    }

    proptest! {
        #[test]
        fn no_choice_does_better(accesses in prop::collection::vec(b'a'..b'e', 0..8), room in 1usize..3) {
            let text: Vec<String> = accesses.iter().map(|&key| char::from(key).to_string()).collect();
            prop_assert_eq!(hits(&text.join(" "), room as u64), tried_out(&accesses, room, &[]));
        }
    }
}

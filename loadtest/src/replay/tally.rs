//! Counts what became of the calls of one thread. Tallies are merged at the end; none
//! is shared.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::transport::{CallError, Lookup};

/// Longest latency told apart; a call that took longer counts as one of an hour.
const LONGEST: Duration = Duration::from_secs(3600);

/// The calls that a replay makes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Call {
    /// Get.
    Get,
    /// Set.
    Set,
    /// Delete.
    Delete,
}

impl Call {
    /// The name to report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Delete => "delete",
        }
    }
}

/// What an access was, as far as the hit ratio is concerned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Served {
    /// A Get that found a value.
    Hit,
    /// A Get that found none.
    Miss,
    /// No Get, or one that failed.
    NoLookup,
}

/// The calls of one kind.
#[derive(Clone, Debug)]
pub struct CallTally {
    /// Calls made, failed ones among them.
    pub made: u64,
    /// Nanoseconds from the call to its reply, answered calls only, kept to three
    /// significant digits.
    pub latency: Histogram<u64>,
}

impl Default for CallTally {
    fn default() -> Self {
        let latency = Histogram::new_with_max(nanos(LONGEST), 3)
            .expect("an hour of nanoseconds and 3 significant digits are within bounds");
        Self { made: 0, latency }
    }
}

/// The errors of one kind.
#[derive(Clone, Debug)]
pub struct ErrorTally {
    /// The kind's name.
    pub kind: &'static str,
    /// How many there were.
    pub count: u64,
    /// The call of the first one in the trace's order.
    pub call: Call,
    /// The line of the trace that led to it.
    pub line: u64,
    /// What was said.
    pub message: String,
}

/// What became of all calls.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Accesses that were issued.
    pub accesses: u64,
    /// Gets that found a value.
    pub hits: u64,
    /// Gets that found none.
    pub misses: u64,
    /// Gets.
    pub get: CallTally,
    /// Sets.
    pub set: CallTally,
    /// Deletes.
    pub delete: CallTally,
    /// One entry for each kind of error.
    pub errors: Vec<ErrorTally>,
}

impl Tally {
    /// Counts an access.
    pub fn access(&mut self) {
        self.accesses += 1;
    }

    /// Counts a Get and says what it was for the hit ratio.
    pub fn get(&mut self, line: u64, took: Duration, reply: Result<Lookup, CallError>) -> Served {
        match self.call(Call::Get, line, took, reply) {
            Some(Lookup::Hit(_)) => {
                self.hits += 1;
                Served::Hit
            }
            Some(Lookup::Miss) => {
                self.misses += 1;
                Served::Miss
            }
            None => Served::NoLookup,
        }
    }

    /// Counts a call; gives back its reply if there was one.
    pub fn call<T>(
        &mut self,
        call: Call,
        line: u64,
        took: Duration,
        reply: Result<T, CallError>,
    ) -> Option<T> {
        let calls = match call {
            Call::Get => &mut self.get,
            Call::Set => &mut self.set,
            Call::Delete => &mut self.delete,
        };
        calls.made += 1;
        match reply {
            Ok(reply) => {
                calls.latency.saturating_record(nanos(took));
                Some(reply)
            }
            Err(error) => {
                let (kind, message) = (error.name(), error.to_string());
                self.error(ErrorTally { kind, count: 1, call, line, message });
                None
            }
        }
    }

    /// Adds what another thread has counted.
    pub fn merge(&mut self, other: Self) {
        self.accesses += other.accesses;
        self.hits += other.hits;
        self.misses += other.misses;
        for (mine, theirs) in [
            (&mut self.get, other.get),
            (&mut self.set, other.set),
            (&mut self.delete, other.delete),
        ] {
            mine.made += theirs.made;
            mine.latency += theirs.latency;
        }
        for error in other.errors {
            self.error(error);
        }
    }

    /// All calls made.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.get.made + self.set.made + self.delete.made
    }

    /// All calls that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errors.iter().map(|error| error.count).sum()
    }

    fn error(&mut self, error: ErrorTally) {
        match self.errors.iter_mut().find(|known| known.kind == error.kind) {
            Some(known) => {
                let count = known.count + error.count;
                if error.line < known.line {
                    *known = error;
                }
                known.count = count;
            }
            None => self.errors.push(error),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tiny_cache_client::transport::Failure;

    use super::*;

    const TOOK: Duration = Duration::from_micros(100);

    fn failed<T>(message: &str) -> Result<T, CallError> {
        Err(Failure::BadReply(message.to_owned()).into())
    }

    #[test]
    fn hits_and_misses_are_of_answered_gets() {
        let mut tally = Tally::default();
        assert_eq!(tally.get(1, TOOK, Ok(Lookup::Hit(Bytes::new()))), Served::Hit);
        assert_eq!(tally.get(2, TOOK, Ok(Lookup::Miss)), Served::Miss);
        assert_eq!(tally.get(3, TOOK, failed("gone")), Served::NoLookup);
        assert_eq!((tally.hits, tally.misses, tally.get.made, tally.failed()), (1, 1, 3, 1));
        assert_eq!(tally.get.latency.len(), 2, "a failed call has no latency");
    }

    #[test]
    fn latencies_are_told_apart_up_to_an_hour() {
        let mut tally = Tally::default();
        for took in [TOOK, Duration::from_secs(60), Duration::MAX] {
            tally.call(Call::Set, 1, took, Ok(()));
        }
        let latency = tally.set.latency;
        assert!(latency.min().abs_diff(nanos(TOOK)) < 100);
        assert!(
            latency.value_at_quantile(0.5).abs_diff(nanos(Duration::from_secs(60))) < 100_000_000
        );
        assert!(latency.max() >= nanos(LONGEST));
    }

    #[test]
    fn a_merge_adds_up_and_keeps_the_first_error_of_the_trace() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        one.call(Call::Set, 9, TOOK, failed::<()>("late"));
        one.call(Call::Set, 10, TOOK, Ok(()));
        other.call(Call::Delete, 4, TOOK, failed::<()>("early"));
        other.call(Call::Delete, 5, TOOK, failed::<()>("later"));
        one.merge(other);
        assert_eq!((one.requests(), one.failed(), one.set.latency.len()), (4, 3, 1));
        let [error] = one.errors.as_slice() else { panic!("{:?}", one.errors) };
        assert_eq!((error.kind, error.count, error.line), ("BAD_REPLY", 3, 4));
        assert_eq!((error.call, error.message.as_str()), (Call::Delete, "bad reply: early"));
    }
}

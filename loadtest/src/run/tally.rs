//! Counts what became of the requests of one thread. Tallies are merged at the end; none
//! is shared while it is written to.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::{target::Answer, workload::Call};
use crate::transport::CallError;

/// Longest time told apart; what took longer counts as an hour.
const LONGEST: Duration = Duration::from_secs(3600);

/// When a request was to be sent, was sent and was done, since the start of the run.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The planned instant; in a closed loop, the actual one.
    pub intended: Duration,
    /// The actual instant.
    pub sent: Duration,
    /// When the reply was there, or its failure.
    pub done: Duration,
}

/// The requests of one kind. Times are nanoseconds to three significant digits, of answered
/// requests only.
#[derive(Clone, Debug)]
pub struct CallTally {
    /// Requests made, failed ones among them.
    pub made: u64,
    /// From the intended instant to the reply.
    pub response: Histogram<u64>,
    /// From the actual sending to the reply.
    pub service: Histogram<u64>,
}

/// The errors of one kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ErrorTally {
    /// The kind's name.
    pub kind: &'static str,
    /// How many there were.
    pub count: u64,
    /// The request of the first one.
    pub call: Call,
    /// When that was sent.
    pub sent: Duration,
    /// What was said.
    pub message: String,
}

/// What became of all requests.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Requests sent before the warm-up was over, which count nowhere else.
    pub warm_up: u64,
    /// Keys read that had a value.
    pub hits: u64,
    /// Keys read that had none.
    pub misses: u64,
    /// Conditional writes that were made.
    pub stored: u64,
    /// Conditional writes whose condition did not hold.
    pub not_stored: u64,
    /// Fetches from the origin, each with the set that follows it.
    pub fetches: u64,
    /// From the intended instant to the actual sending, failed requests among them.
    pub slip: Histogram<u64>,
    /// One entry for each kind of error.
    pub errors: Vec<ErrorTally>,
    /// The last reply.
    pub last: Duration,
    calls: [CallTally; Call::ALL.len()],
}

impl Default for CallTally {
    fn default() -> Self {
        Self { made: 0, response: histogram(), service: histogram() }
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            warm_up: 0,
            hits: 0,
            misses: 0,
            stored: 0,
            not_stored: 0,
            fetches: 0,
            slip: histogram(),
            errors: Vec::new(),
            last: Duration::ZERO,
            calls: Default::default(),
        }
    }
}

impl Tally {
    /// Counts a request.
    pub fn record(&mut self, call: Call, times: Times, reply: Result<Answer, CallError>) {
        let Times { intended, sent, done } = times;
        let calls = &mut self.calls[call as usize];
        calls.made += 1;
        self.last = self.last.max(done);
        self.slip.saturating_record(nanos(sent.saturating_sub(intended)));
        match reply {
            Ok(answer) => {
                calls.response.saturating_record(nanos(done.saturating_sub(intended)));
                calls.service.saturating_record(nanos(done.saturating_sub(sent)));
                self.answered(answer);
            }
            Err(error) => {
                let (kind, message) = (error.name(), error.to_string());
                self.error(ErrorTally { kind, count: 1, call, sent, message });
            }
        }
    }

    /// Counts a fetch from the origin and the set that followed it, which was sent and done
    /// at these times.
    pub fn fetched(&mut self, sent: Duration, done: Duration, reply: Result<Answer, CallError>) {
        self.fetches += 1;
        self.last = self.last.max(done);
        if let Err(error) = reply {
            let (kind, message) = (error.name(), error.to_string());
            self.error(ErrorTally { kind, count: 1, call: Call::Set, sent, message });
        }
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Read { hits, misses } => {
                self.hits += hits;
                self.misses += misses;
            }
            Answer::Done => {}
            Answer::Conditional { stored: true } => self.stored += 1,
            Answer::Conditional { stored: false } => self.not_stored += 1,
        }
    }

    /// Adds what another thread has counted.
    pub fn merge(&mut self, other: Self) {
        self.warm_up += other.warm_up;
        self.hits += other.hits;
        self.misses += other.misses;
        self.stored += other.stored;
        self.not_stored += other.not_stored;
        self.fetches += other.fetches;
        self.slip += other.slip;
        self.last = self.last.max(other.last);
        for (mine, theirs) in self.calls.iter_mut().zip(other.calls) {
            mine.made += theirs.made;
            mine.response += theirs.response;
            mine.service += theirs.service;
        }
        for error in other.errors {
            self.error(error);
        }
    }

    /// The requests of one kind.
    #[must_use]
    pub fn of(&self, call: Call) -> &CallTally {
        &self.calls[call as usize]
    }

    /// The requests of every kind together.
    #[must_use]
    pub fn all(&self) -> CallTally {
        self.calls.iter().fold(CallTally::default(), |mut all, calls| {
            all.made += calls.made;
            all.response += &calls.response;
            all.service += &calls.service;
            all
        })
    }

    /// All requests made.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.calls.iter().map(|calls| calls.made).sum()
    }

    /// All requests that failed, sets after a fetch among them.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errors.iter().map(|error| error.count).sum()
    }

    fn error(&mut self, error: ErrorTally) {
        match self.errors.iter_mut().find(|known| known.kind == error.kind) {
            Some(known) => {
                let count = known.count + error.count;
                if error.sent < known.sent {
                    *known = error;
                }
                known.count = count;
            }
            None => self.errors.push(error),
        }
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(nanos(LONGEST), 3)
        .expect("an hour of nanoseconds and 3 significant digits are within bounds")
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tiny_cache_client::transport::Failure;

    use super::*;

    fn times(intended: u64, sent: u64, done: u64) -> Times {
        let [intended, sent, done] = [intended, sent, done].map(Duration::from_millis);
        Times { intended, sent, done }
    }

    #[test]
    fn response_counts_from_the_plan_and_service_from_the_sending() {
        let mut tally = Tally::default();
        tally.record(Call::Get, times(100, 140, 150), Ok(Answer::Read { hits: 1, misses: 0 }));
        let near = |found: u64, millis: u64| found.abs_diff(millis * 1_000_000) < millis * 2000;
        let get = tally.of(Call::Get);
        assert!(near(get.response.max(), 50), "{}", get.response.max());
        assert!(near(get.service.max(), 10), "{}", get.service.max());
        assert!(near(tally.slip.max(), 40), "{}", tally.slip.max());
    }

    #[test]
    fn merged_threads_add_up_and_keep_the_first_error() {
        let failed = |text: &str| Err(Failure::BadReply(text.to_owned()).into());
        let (mut one, mut other) = (Tally::default(), Tally::default());
        one.record(Call::Set, times(9, 9, 10), failed("late"));
        one.record(Call::Get, times(9, 9, 10), Ok(Answer::Read { hits: 2, misses: 1 }));
        other.record(Call::Delete, times(4, 4, 11), failed("early"));
        other.record(Call::SetIfAbsent, times(5, 5, 6), Ok(Answer::Conditional { stored: true }));
        one.merge(other);
        assert_eq!((one.requests(), one.failed(), one.hits, one.misses), (4, 2, 2, 1));
        assert_eq!((one.stored, one.all().service.len(), one.slip.len()), (1, 2, 4));
        assert_eq!(one.last, Duration::from_millis(11));
        let [error] = one.errors.as_slice() else { panic!("{:?}", one.errors) };
        assert_eq!((error.count, error.call), (2, Call::Delete));
        assert_eq!(error.message, "bad reply: early");
    }
}

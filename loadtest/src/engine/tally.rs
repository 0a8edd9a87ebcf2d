//! Counts what became of the requests of one thread. Tallies are merged at the end; none
//! is shared while it is written to.

use std::{borrow::Cow, time::Duration};

use super::second::Second;
use crate::{
    hdr::{histogram, nanos, record_growing},
    peers::{Answer, CallError},
    verify::Findings,
    workload::Call,
};
use hdrhistogram::Histogram;
use strum::{EnumCount, VariantArray};

/// When a request was to be sent, was sent and was done, since the start of the course.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The planned instant; none in a closed loop.
    pub intended: Option<Duration>,
    /// When the sender got to it.
    pub due: Duration,
    /// When it was put on the wire: later, where there was no room.
    pub sent: Duration,
    /// When the reply was there, or its failure.
    pub done: Duration,
}

/// The requests of one kind. Times are nanoseconds to three significant digits, of answered
/// requests only.
#[derive(Clone, Debug, PartialEq)]
pub struct CallTally {
    /// Requests made, failed ones among them.
    pub made: u64,
    /// From the intended instant to the reply; empty in a closed loop.
    pub response: Histogram<u64>,
    /// From the actual sending to the reply.
    pub service: Histogram<u64>,
}

/// The errors of one kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ErrorTally {
    /// The kind's name.
    pub kind: Cow<'static, str>,
    /// How many there were.
    pub count: u64,
    /// The request of the first one.
    pub call: Call,
    /// When that was sent.
    pub sent: Duration,
    /// The line of the trace that led to it.
    pub line: Option<u64>,
    /// What was said.
    pub message: String,
}

/// What became of all requests.
#[derive(Clone, Debug, PartialEq)]
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
    /// From the intended instant to the one at which the sender got to it, failed requests
    /// among them; empty in a closed loop.
    pub slip: Histogram<u64>,
    /// One entry for each kind of error.
    pub errors: Vec<ErrorTally>,
    /// Requests that were due and never sent, since the course was stopped.
    pub unsent: u64,
    /// What the first of them had waited by then.
    pub unsent_longest: Duration,
    /// Calls that the peer handed back unprocessed and that were sent again, those of warm-up
    /// and fills among them.
    pub resent: u64,
    /// Requests that were sent and whose replies were not waited for.
    pub abandoned: u64,
    /// The last reply.
    pub last: Duration,
    /// What was found of the values, warm-up and prefill included, if they are verified.
    pub findings: Option<Findings>,
    calls: [CallTally; Call::COUNT],
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
            slip: histogram(),
            errors: Vec::new(),
            unsent: 0,
            unsent_longest: Duration::ZERO,
            abandoned: 0,
            resent: 0,
            last: Duration::ZERO,
            findings: None,
            calls: Default::default(),
        }
    }
}

impl Tally {
    /// Counts a request.
    pub fn record(
        &mut self,
        call: Call,
        line: Option<u64>,
        times: Times,
        reply: Result<Answer, CallError>,
    ) {
        let Times { intended, due, sent, done } = times;
        let calls = &mut self.calls[call as usize];
        calls.made += 1;
        self.last = self.last.max(done);
        if let Some(intended) = intended {
            self.slip.saturating_record(nanos(due.saturating_sub(intended)));
        }
        match reply {
            Ok(answer) => {
                if let Some(intended) = intended {
                    calls.response.saturating_record(nanos(done.saturating_sub(intended)));
                }
                calls.service.saturating_record(nanos(done.saturating_sub(sent)));
                self.answered(answer);
            }
            Err(error) => {
                let (kind, message) = (Cow::Borrowed(error.name()), error.to_string());
                self.error(ErrorTally { kind, count: 1, call, sent, line, message });
            }
        }
    }

    fn answered(&mut self, answer: Answer) {
        let [hits, misses] = answer.reads();
        self.hits += hits;
        self.misses += misses;
        if let Answer::Conditional { stored } = answer {
            let of = if stored { &mut self.stored } else { &mut self.not_stored };
            *of += 1;
        }
    }

    /// Adds what another thread has counted.
    pub fn merge(&mut self, other: Self) {
        self.warm_up += other.warm_up;
        self.hits += other.hits;
        self.misses += other.misses;
        self.stored += other.stored;
        self.not_stored += other.not_stored;
        self.slip += other.slip;
        self.last = self.last.max(other.last);
        self.unsent += other.unsent;
        self.abandoned += other.abandoned;
        self.resent += other.resent;
        self.unsent_longest = self.unsent_longest.max(other.unsent_longest);
        match (&mut self.findings, other.findings) {
            (Some(mine), Some(theirs)) => mine.merge(theirs),
            (mine @ None, theirs) => *mine = theirs,
            (Some(_), None) => {}
        }
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
    pub fn of(&self, call: Call) -> &CallTally {
        &self.calls[call as usize]
    }

    /// The requests of every kind together, but for fills: a user does not wait for those.
    pub fn all(&self) -> CallTally {
        let calls = Call::VARIANTS.iter().filter(|call| **call != Call::Fill);
        calls.map(|call| self.of(*call)).fold(CallTally::default(), |mut all, of| {
            all.made += of.made;
            all.response += &of.response;
            all.service += &of.service;
            all
        })
    }

    /// All requests made, but for fills.
    pub fn requests(&self) -> u64 {
        self.rpcs() - self.of(Call::Fill).made
    }

    /// All requests made, fills among them.
    pub fn rpcs(&self) -> u64 {
        self.calls.iter().map(|calls| calls.made).sum()
    }

    /// All requests that failed, fills among them.
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

impl Second {
    /// Counts a request.
    pub(super) fn record(&mut self, times: Times, reply: &Result<Answer, CallError>) {
        let Times { intended, sent, done, .. } = times;
        self.requests += 1;
        if reply.is_err() {
            self.failed += 1;
            return;
        }
        if let Ok(answer) = reply {
            let [hits, misses] = answer.reads();
            self.hits += hits;
            self.misses += misses;
        }
        if let Some(intended) = intended {
            record_growing(&mut self.response, done.saturating_sub(intended));
        }
        record_growing(&mut self.service, done.saturating_sub(sent));
    }
}

#[cfg(test)]
mod tests {
    use tiny_cache_client::transport::Failure;

    use super::*;

    fn times(intended: u64, due: u64, sent: u64, done: u64) -> Times {
        let [intended, due, sent, done] = [intended, due, sent, done].map(Duration::from_millis);
        Times { intended: Some(intended), due, sent, done }
    }

    fn near(found: u64, millis: u64) -> bool {
        found.abs_diff(millis * 1_000_000) < millis * 2000
    }

    #[test]
    fn response_counts_from_the_plan_and_service_from_the_sending() {
        let (mut tally, mut second) = (Tally::default(), Second::default());
        let times = times(100, 110, 140, 150);
        let hit = Ok(Answer::Read { hits: 1, misses: 0 });
        second.record(times, &hit);
        tally.record(Call::Get, None, times, hit);
        let get = tally.of(Call::Get);
        assert!(near(get.response.max(), 50) && near(second.response.max(), 50));
        assert!(near(get.service.max(), 10) && near(second.service.max(), 10));
        assert!(near(tally.slip.max(), 10), "{}", tally.slip.max());
    }

    #[test]
    fn a_closed_loop_has_a_service_time_alone() {
        let mut tally = Tally::default();
        tally.record(
            Call::Set,
            None,
            Times { intended: None, ..times(0, 1, 1, 3) },
            Ok(Answer::Done),
        );
        let all = tally.all();
        assert_eq!((all.response.len(), all.service.len(), tally.slip.len()), (0, 1, 0));
    }

    #[test]
    fn merged_threads_add_up_and_keep_the_first_error() {
        let failed = |text: &str| Err(Failure::BadReply(text.to_owned()).into());
        let (mut one, mut other) = (Tally::default(), Tally::default());
        one.record(Call::Set, Some(7), times(9, 9, 9, 10), failed("late"));
        one.record(Call::Get, None, times(9, 9, 9, 10), Ok(Answer::Read { hits: 2, misses: 1 }));
        other.record(Call::Delete, Some(3), times(4, 4, 4, 11), failed("early"));
        let stored = Ok(Answer::Conditional { stored: true });
        other.record(Call::SetIfAbsent, None, times(5, 5, 5, 6), stored);
        other.record(Call::Fill, None, times(5, 5, 5, 6), Ok(Answer::Done));
        one.merge(other);
        assert_eq!((one.requests(), one.rpcs(), one.failed()), (4, 5, 2));
        assert_eq!((one.hits, one.misses), (2, 1));
        assert_eq!((one.stored, one.all().service.len(), one.slip.len()), (1, 2, 5));
        assert_eq!(one.last, Duration::from_millis(11));
        let [error] = one.errors.as_slice() else { panic!("{:?}", one.errors) };
        assert_eq!((error.count, error.call, error.line), (2, Call::Delete, Some(3)));
        assert_eq!(error.message, "bad reply: early");
    }
}

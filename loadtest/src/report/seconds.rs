//! Takes down the seconds of a run in bounded memory: counts and percentiles of each second,
//! and histograms of spans of seconds. A span is one second long at first; whenever there are
//! too many of them, neighbours are merged, so that a day takes no more histograms than an
//! hour.

use std::fmt;

use hdrhistogram::Histogram as Hdr;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};

use super::latency::{Histogram, Latency};
use crate::{engine::Second, hdr::growing};

/// Histograms of a run. Encoded they take about 2 KiB each, and a comparison draws from them.
const MOST_SPANS: usize = 1024;

/// Histograms of each step at least: a comparison needs some ten to draw from.
const SPANS_OF_A_STEP: usize = 32;

/// What became of the requests that were done within one second.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct SecondReport {
    /// The step, counted from 0.
    pub step: usize,
    /// Seconds since the step's warm-up, at the beginning of this one.
    pub second: u64,
    /// Requests done, failed ones among them.
    pub requests: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// Keys read that had a value.
    pub hits: u64,
    /// Keys read that had none.
    pub misses: u64,
    /// From the intended instant to the reply, or from the sending in a closed loop.
    pub latency_us: Option<Latency>,
    /// The latencies in full, of this second and of those after it up to `histogram_seconds`; none
    /// in a second that an earlier histogram covers. Up to 1024 seconds each has its own. In longer
    /// runs histograms cover 2, 4, 8 or more seconds, so that there are never more than 1024 of
    /// them, or 32 for each step.
    pub histogram: Option<Histogram>,
    /// Seconds that the histogram covers; none without one.
    pub histogram_seconds: Option<u64>,
}

/// The seconds so far.
#[derive(Debug)]
pub struct Seconds {
    seconds: Vec<SecondReport>,
    /// Seconds in a span.
    length: u64,
    /// Histograms among the seconds.
    spans: usize,
    /// Histograms from which on spans are merged.
    most: usize,
    /// The span that is not over: its first second, and what was counted since.
    open: Option<(usize, Hdr<u64>)>,
}

impl Default for Seconds {
    fn default() -> Self {
        Self { seconds: Vec::new(), length: 1, spans: 0, most: MOST_SPANS, open: None }
    }
}

impl Seconds {
    /// Adds a second of a step. Those of a step follow each other.
    pub fn push(&mut self, step: usize, index: u64, second: &Second) {
        let times = second.times();
        let counted = SecondReport {
            step,
            second: index,
            requests: second.requests,
            failed: second.failed,
            hits: second.hits,
            misses: second.misses,
            latency_us: Latency::of(times),
            histogram: None,
            histogram_seconds: None,
        };
        if !self.open.as_ref().is_some_and(|(first, _)| self.spans_both(*first, &counted)) {
            self.close();
        }
        let (first, sum) = self.open.get_or_insert_with(|| (self.seconds.len(), growing()));
        *sum += times;
        let first = *first;
        self.seconds.push(counted);
        *self.seconds[first].histogram_seconds.get_or_insert(0) += 1;
    }

    /// All seconds, in order.
    #[must_use]
    pub fn finish(mut self) -> Vec<SecondReport> {
        self.close();
        self.align();
        self.seconds
    }

    /// Adds a second that was read.
    fn read(&mut self, mut report: SecondReport) {
        let step = report.step;
        let has_times = report.histogram.is_some();
        if has_times {
            report.histogram_seconds.get_or_insert(1);
        }
        self.seconds.push(report);
        if has_times {
            self.count_span(step + 1);
        }
    }

    fn spans_both(&self, first: usize, second: &SecondReport) -> bool {
        let first = &self.seconds[first];
        first.step == second.step && first.second / self.length == second.second / self.length
    }

    /// Ends the open span.
    fn close(&mut self) {
        let Some((first, times)) = self.open.take() else { return };
        self.seconds[first].histogram = Some(Histogram::of(&times));
        self.count_span(self.seconds[first].step + 1);
    }

    fn count_span(&mut self, steps: usize) {
        self.spans += 1;
        while self.spans > self.most.max(SPANS_OF_A_STEP * steps) {
            self.double();
        }
    }

    /// Doubles the length of spans.
    fn double(&mut self) {
        self.length *= 2;
        self.align();
        // Steps of a second or two cannot be merged: do not try again with each of them.
        self.most = MOST_SPANS.max(self.spans * 2);
    }

    /// Merges what lies within one span.
    fn align(&mut self) {
        let mut earlier: Option<usize> = None;
        for at in 0..self.seconds.len() {
            if self.seconds[at].histogram.is_none() {
                continue;
            }
            match earlier.filter(|first| self.spans_both(*first, &self.seconds[at])) {
                Some(first) => {
                    self.merge(first, at);
                    self.spans -= 1;
                }
                None => earlier = Some(at),
            }
        }
    }

    fn merge(&mut self, first: usize, second: usize) {
        let mut sum = growing();
        let [first_covers, second_covers] = [first, second].map(|at| {
            let report = &mut self.seconds[at];
            if let Some(histogram) = &report.histogram {
                sum += histogram.decode();
            }
            report.histogram_seconds.take().unwrap_or(1)
        });
        self.seconds[second].histogram = None;
        let report = &mut self.seconds[first];
        report.histogram = Some(Histogram::of(&sum));
        report.histogram_seconds = Some(first_covers + second_covers);
    }
}

/// The seconds that share a histogram, which their first one has.
pub(crate) fn spans(seconds: &[SecondReport]) -> impl Iterator<Item = &[SecondReport]> {
    seconds.chunk_by(|one, other| one.step == other.step && other.histogram.is_none())
}

/// Reads the seconds of a report one by one, so that one of a day that has a histogram for each
/// is not in memory as a whole. Those of other versions have no `histogram_seconds`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<SecondReport>, D::Error> {
    struct Reader;
    impl<'de> Visitor<'de> for Reader {
        type Value = Vec<SecondReport>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a list of seconds")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut seconds = Seconds::default();
            while let Some(report) = list.next_element()? {
                seconds.read(report);
            }
            Ok(seconds.finish())
        }
    }
    deserializer.deserialize_seq(Reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(micros: u64) -> Second {
        let mut second = Second { requests: 2, hits: 1, misses: 1, ..Second::default() };
        second.service.record_n(micros * 1_000, 2).unwrap();
        second
    }

    fn played(steps: usize, seconds: u64) -> Vec<SecondReport> {
        let mut all = Seconds::default();
        for step in 0..steps {
            for index in 0..seconds {
                all.push(step, index, &second(1 + index % 1000));
            }
        }
        all.finish()
    }

    #[test]
    fn a_short_run_has_a_histogram_for_each_second() {
        let seconds = played(2, 300);
        assert!(seconds.iter().all(|second| second.histogram_seconds == Some(1)));
        assert_eq!(spans(&seconds).count(), 600);
    }

    #[test]
    fn a_long_run_has_fewer_histograms_and_loses_no_request() {
        let seconds = played(1, 10_000);
        assert_eq!(seconds.len(), 10_000);
        let lengths: Vec<_> = spans(&seconds).map(<[_]>::len).collect();
        assert!((512..=1024).contains(&lengths.len()), "{}", lengths.len());
        assert!(lengths[..lengths.len() - 1].iter().all(|length| *length == 16), "{lengths:?}");
        for span in spans(&seconds) {
            assert_eq!(span[0].histogram_seconds, Some(span.len() as u64));
            let times = span[0].histogram.as_ref().unwrap().decode();
            assert_eq!(times.len(), 2 * span.len() as u64);
            assert!(span.iter().all(|second| second.latency_us.is_some()));
        }
    }

    #[test]
    fn a_span_never_crosses_two_steps() {
        let seconds = played(40, 100);
        assert!(spans(&seconds).all(|span| span.iter().all(|of| of.step == span[0].step)));
        let of_step = spans(&seconds).filter(|span| span[0].step == 3).count();
        assert!(of_step >= 13, "{of_step} histograms are too few to draw from");
    }

    #[test]
    fn steps_of_a_second_keep_their_histograms() {
        let seconds = played(3000, 1);
        assert_eq!(spans(&seconds).count(), 3000);
    }

    #[test]
    fn what_was_written_is_what_is_read() {
        #[derive(serde::Deserialize)]
        struct Read(#[serde(deserialize_with = "deserialize")] Vec<SecondReport>);
        for seconds in [played(1, 5), played(1, 5_000), played(7, 400)] {
            let json = serde_json::to_string(&seconds).unwrap();
            let Read(read) = serde_json::from_str(&json).unwrap();
            assert_eq!(read, seconds);
        }
    }

    /// Reports of a day that an earlier version wrote have 86,400 histograms.
    #[test]
    fn a_report_of_an_earlier_version_is_read_with_fewer_histograms() {
        #[derive(serde::Deserialize)]
        struct Read(#[serde(deserialize_with = "deserialize")] Vec<SecondReport>);
        let histogram = Histogram::of(second(7).times());
        let old: Vec<_> = (0..3000)
            .map(|at| {
                serde_json::json!({
                    "step": 0, "second": at, "requests": 2, "failed": 0, "hits": 1, "misses": 1,
                    "latency_us": null, "histogram": histogram,
                })
            })
            .collect();
        let Read(read) = serde_json::from_value(old.into()).unwrap();
        assert_eq!(read.len(), 3000);
        let lengths: Vec<_> = spans(&read).map(<[_]>::len).collect();
        assert!((128..=1024).contains(&lengths.len()), "{}", lengths.len());
        assert!(lengths[1..lengths.len() - 1].iter().all(|of| *of == lengths[0]), "{lengths:?}");
        let times = spans(&read).map(|span| span[0].histogram.as_ref().unwrap().decode().len());
        assert_eq!(times.sum::<u64>(), 6000);
    }
}

//! The last readings of the view, and the state of the server.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{
    meter::{Meter, Reading},
    plain,
    source::News,
};
use crate::error::{Target, one_line, told};

/// Readings kept: more than a terminal has columns.
const KEPT: usize = 1024;

/// The readings so far.
#[derive(Debug)]
pub(super) struct History {
    meter: Meter,
    /// The latest first; none for an interval without an answer.
    readings: VecDeque<Option<Reading>>,
    /// When the last answer came, or the view began.
    heard: Instant,
    pub(super) state: State,
    pub(super) target: Target,
    /// The wall-clock time of the last reading.
    read: Option<SystemTime>,
}

/// The state of the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// It has not answered yet.
    Connecting,
    /// It answered the last sample.
    Live,
    /// It takes longer than an interval for this sample.
    Late,
    /// It did not answer the last sample, for this reason.
    Away(String),
}

impl History {
    pub(super) fn new(target: Target) -> Self {
        Self {
            meter: Meter::default(),
            readings: VecDeque::new(),
            heard: Instant::now(),
            state: State::Connecting,
            target,
            read: None,
        }
    }

    /// Records an answer or its absence.
    pub(super) fn record(&mut self, news: News) {
        let reading = match news {
            News::Answer { at, stats: Ok(stats) } => {
                (self.heard, self.state) = (at, State::Live);
                self.read = Some(SystemTime::now());
                Some(self.meter.read(at, stats))
            }
            News::Answer { stats: Err(error), .. } => {
                self.meter.lose();
                self.state = State::Away(one_line(&told(&error, Some(&self.target))));
                None
            }
            News::Waiting => {
                if self.state == State::Live {
                    self.state = State::Late;
                }
                None
            }
        };
        self.readings.truncate(KEPT - 1);
        self.readings.push_front(reading);
    }

    /// The last reading.
    pub(super) fn latest(&self) -> Option<&Reading> {
        self.readings.iter().flatten().next()
    }

    /// The last reading in one line.
    pub(super) fn last_line(&self) -> Option<String> {
        self.read.zip(self.latest()).map(|(time, reading)| plain::text(time, reading))
    }

    /// Whether the server has not answered since the last reading.
    pub(super) fn is_stale(&self) -> bool {
        self.state != State::Live
    }

    /// The text for a wait, with its limit.
    pub(super) fn wait(&self, what: &str) -> String {
        let Target { address, timeout, .. } = &self.target;
        let timeout = humantime::format_duration(*timeout);
        format!("waiting for a {what} from {address}, for {timeout} at most")
    }

    /// The reason for the missing answer as a line, with the time.
    pub(super) fn outage(&self) -> Option<String> {
        let State::Away(reason) = &self.state else { return None };
        Some(plain::failure(SystemTime::now(), reason))
    }

    /// Time since the last answer.
    pub(super) fn silence(&self) -> Duration {
        self.heard.elapsed()
    }

    /// One figure of all readings, the latest first.
    pub(super) fn series(
        &self,
        figure: fn(&Reading) -> Option<f64>,
    ) -> impl Iterator<Item = Option<f64>> {
        self.readings.iter().map(move |reading| reading.as_ref().and_then(figure))
    }
}

#[cfg(test)]
mod tests {
    use tiny_cache_client::{Address, InvalidAddress, Stats};
    use tokio::time::advance;

    use super::*;

    fn answer() -> News {
        News::Answer { at: Instant::now(), stats: Ok(Stats::default()) }
    }

    fn failure() -> News {
        let error: InvalidAddress = "".parse::<Address>().unwrap_err();
        News::Answer { at: Instant::now(), stats: Err(error.into()) }
    }

    /// A server that hung was called live until its sample's deadline, and then away for 0 s.
    #[tokio::test(start_paused = true)]
    async fn silence_counts_from_the_last_answer() {
        let mut history = History::new(Target {
            address: "grpc://cache:7".to_owned(),
            timeout: Duration::ZERO,
            option: "",
        });
        assert_eq!(history.state, State::Connecting);
        history.record(answer());
        for seconds in 1..=2 {
            advance(Duration::from_secs(1)).await;
            history.record(News::Waiting);
            assert_eq!(history.state, State::Late);
            assert_eq!(history.silence(), Duration::from_secs(seconds));
        }
        history.record(failure());
        history.record(News::Waiting);
        assert!(matches!(history.state, State::Away(_)));
        assert_eq!(history.silence(), Duration::from_secs(2));
        let gaps = history.series(|_| Some(1.0)).take_while(Option::is_none).count();
        assert_eq!(gaps, 4, "one for each interval");
        history.record(answer());
        assert_eq!((&history.state, history.silence()), (&State::Live, Duration::ZERO));
    }
}

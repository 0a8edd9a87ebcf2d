//! A stretch of a run that has an end of its own: the prefill, or a course.

use std::time::Duration;

use crate::{
    engine::{Course, Length, Pace, Rate},
    trace::Meter,
};

/// What 100 % are.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    /// So many requests.
    Requests(u64),
    /// So much time.
    Time(Duration),
    /// A whole file. How many accesses are in it is not known without reading it.
    File(Meter),
}

impl Goal {
    /// That of a course, if it is known before.
    pub(crate) fn of(course: &Course) -> Option<Self> {
        match course.length {
            Length::Time(time) => Some(Self::Time(course.warm_up + time)),
            Length::Requests(requests) => Some(Self::Requests(requests.get())),
            Length::Whole => None,
        }
    }

    /// How much of it is reached after a time and a number of requests, 0 to 1; none if the end
    /// is unknown, as with a pipe.
    pub(super) fn share(&self, time: Duration, done: u64) -> Option<f64> {
        let (part, whole) = match self {
            Self::Requests(requests) => (done as f64, *requests as f64),
            Self::Time(whole) => (time.as_secs_f64(), whole.as_secs_f64()),
            Self::File(meter) => (meter.read() as f64, meter.total as f64),
        };
        (whole > 0.0).then(|| (part / whole).min(1.0))
    }
}

/// What is about to happen.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    /// Its name, for people.
    pub(crate) name: String,
    /// When it is over.
    pub(crate) goal: Goal,
    /// What is played; none in a prefill.
    pub(crate) course: Option<Course>,
}

impl Phase {
    /// Time before anything is measured.
    pub(super) fn warm_up(&self) -> Duration {
        self.course.map_or(Duration::ZERO, |course| course.warm_up)
    }

    /// Whether requests have an instant that they were meant for.
    pub(super) fn is_open(&self) -> bool {
        self.course.is_some_and(|course| course.pace.is_open())
    }

    /// Requests in a second that are asked for, if that is a number.
    pub(super) fn rate(&self) -> Option<Rate> {
        match self.course?.pace {
            Pace::Open { rate, .. } => Some(rate),
            Pace::Traced { .. } | Pace::Closed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_the_time_or_of_the_requests() {
        let second = Duration::from_secs(1);
        assert_eq!(Goal::Time(4 * second).share(second, 7), Some(0.25));
        assert_eq!(Goal::Time(second).share(2 * second, 7), Some(1.0), "the last replies");
        assert_eq!(Goal::Requests(10).share(second, 7), Some(0.7));
    }
}

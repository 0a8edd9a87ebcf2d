//! What a call had the second tier do, for its trace.

use std::{sync::Arc, time::Instant};

/// An exchange with the second tier: one command, or the same for several keys in one pipeline.
#[derive(Debug)]
pub(crate) struct Trip {
    /// The command.
    pub(crate) verb: &'static str,
    pub(crate) keys: u64,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    /// Why it failed, if it did, in a word: of a pipeline, the first.
    pub(crate) problem: Option<&'static str>,
    /// The host and the port that it went to, where there is one alone.
    pub(crate) server: Option<(Arc<str>, u16)>,
}

/// The trips of one call.
#[derive(Debug, Default)]
pub(crate) struct Trips(Vec<Trip>);

impl Trips {
    /// Adds a trip. One that began while the one before was on its way, with the same command, went
    /// in its pipeline, and is counted with it.
    pub(crate) fn add(&mut self, trip: Trip) {
        match self.0.last_mut() {
            Some(last) if last.verb == trip.verb && trip.began <= last.ended => {
                last.keys += trip.keys;
                last.ended = last.ended.max(trip.ended);
                last.problem = last.problem.or(trip.problem);
            }
            _ => self.0.push(trip),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Trip> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_on_its_way_together_is_one_trip() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let trip = |verb, began, ended, problem| Trip {
            verb,
            keys: 1,
            began: at(began),
            ended: at(ended),
            problem,
            server: None,
        };
        let mut trips = Trips::default();
        trips.add(trip("GET", 0, 5, None));
        trips.add(trip("GET", 1, 9, Some("silent")));
        trips.add(trip("GET", 1, 4, Some("full")));
        trips.add(trip("SET", 2, 6, None));
        trips.add(trip("SET", 7, 8, None));
        let seen = trips.iter().map(|trip| (trip.verb, trip.keys, trip.ended, trip.problem));
        assert_eq!(
            seen.collect::<Vec<_>>(),
            [("GET", 3, at(9), Some("silent")), ("SET", 1, at(6), None), ("SET", 1, at(8), None)]
        );
    }
}

//! Spreads the accesses of one time over the interval that it stands for. Traces have whole
//! seconds or fractions of them: unspread, all accesses of a second would be sent at its start.

use std::{collections::VecDeque, time::Duration};

use super::error::TraceError;
use crate::access::Access;

/// Most accesses of one time that are held. More of them in a second mean a clock that stands
/// still: the rest is sent where the held ones end.
const HELD: usize = 1 << 20;

/// Accesses with times evenly spaced until the next tick of the trace, or the next access of a
/// later time. Holds the accesses of one time.
pub struct Spread<I> {
    accesses: I,
    tick: Duration,
    /// Accesses of one time, those before given away.
    group: VecDeque<Access>,
    /// What follows them: of a later time, or an error.
    next: Option<Result<Access, TraceError>>,
    /// The time of a group that was too large, and where its accesses end.
    cut: Option<(Duration, Duration)>,
}

impl<I: Iterator<Item = Result<Access, TraceError>>> Spread<I> {
    /// Spreads the accesses of an iterator, whose times have a resolution of `tick`. An access
    /// without a time passes unchanged.
    pub fn new(accesses: I, tick: Duration) -> Self {
        Self { accesses, tick, group: VecDeque::new(), next: None, cut: None }
    }

    fn read_group(&mut self) {
        self.next = None;
        for read in self.accesses.by_ref() {
            match (read, self.group.front()) {
                (Ok(access), None) => self.group.push_back(access),
                (Ok(access), Some(first))
                    if first.at == access.at && access.at.is_some() && self.group.len() < HELD =>
                {
                    self.group.push_back(access);
                }
                (read, _) => {
                    self.next = Some(read);
                    break;
                }
            }
        }
        let Some(at) = self.group.front().and_then(|first| first.at) else { return };
        if let Some((_, end)) = self.cut.filter(|(cut, _)| *cut == at) {
            self.group.iter_mut().for_each(|access| access.at = Some(end));
            return;
        }
        let next = match &self.next {
            Some(Ok(next)) => next.at.filter(|next| *next > at),
            _ => None,
        };
        let room = next.map_or(self.tick, |next| self.tick.min(next - at)).as_secs_f64();
        let count = self.group.len() as f64;
        for (index, access) in self.group.iter_mut().enumerate() {
            access.at = Some(at + Duration::from_secs_f64(room * index as f64 / count));
        }
        let last = self.group.back().and_then(|last| last.at);
        self.cut = last.filter(|_| self.group.len() >= HELD).map(|last| (at, last));
    }
}

impl<I: Iterator<Item = Result<Access, TraceError>>> Iterator for Spread<I> {
    type Item = Result<Access, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.group.is_empty() {
            match self.next.take() {
                Some(Ok(access)) => self.group.push_back(access),
                Some(Err(error)) => return Some(Err(error)),
                None => {}
            }
            self.read_group();
            if self.group.is_empty() {
                return self.next.take();
            }
        }
        self.group.pop_front().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{access::Action, trace::Problem};

    const SECOND: Duration = Duration::from_secs(1);

    fn spread(accesses: Vec<Result<Option<u64>, ()>>) -> Vec<Result<Option<f64>, ()>> {
        spread_in(SECOND, SECOND, accesses)
    }

    fn spread_in(
        unit: Duration,
        tick: Duration,
        accesses: Vec<Result<Option<u64>, ()>>,
    ) -> Vec<Result<Option<f64>, ()>> {
        let accesses = accesses.into_iter().map(|at| match at {
            Ok(at) => Ok(Access {
                line: 1,
                at: at.map(|at| unit * at as u32),
                key: "k".to_owned(),
                action: Action::Delete,
            }),
            Err(()) => Err(TraceError::in_file(Path::new("t"), Problem::Empty)),
        });
        Spread::new(accesses, tick)
            .map(|read| read.map(|access| access.at.map(|at| at.as_secs_f64())).map_err(|_| ()))
            .collect()
    }

    #[test]
    fn the_accesses_of_a_second_are_evenly_spaced_in_it() {
        let trace = [0, 0, 0, 0, 3, 5, 5].map(|at| Ok(Some(at))).to_vec();
        let expected = [0.0, 0.25, 0.5, 0.75, 3.0, 5.0, 5.5].map(|at| Ok(Some(at)));
        assert_eq!(spread(trace), expected);
    }

    #[test]
    fn accesses_are_spread_no_further_than_times_are_told() {
        let milli = Duration::from_millis(1);
        let trace = || [0, 0, 4, 4].map(|at| Ok(Some(at))).to_vec();
        let to_the_milli = [0.0, 0.0005, 0.004, 0.0045].map(|at| Ok(Some(at)));
        assert_eq!(spread_in(milli, milli, trace()), to_the_milli);
        // Times whose first is a whole second, and others not.
        let to_the_next = [0.0, 0.002, 0.004, 0.504].map(|at| Ok(Some(at)));
        assert_eq!(spread_in(milli, SECOND, trace()), to_the_next);
    }

    /// A trace whose times stand still was held in memory whole.
    #[test]
    fn times_that_stand_still_are_not_waited_for() {
        let access = || {
            Ok(Access {
                line: 1,
                at: Some(Duration::ZERO),
                key: String::new(),
                action: Action::Delete,
            })
        };
        let mut spread = Spread::new(std::iter::repeat_with(access), SECOND);
        let times: Vec<_> = (0..=HELD).map(|_| spread.next().unwrap().unwrap().at).collect();
        assert!(times.is_sorted() && times[HELD] == times[HELD - 1]);
    }

    #[test]
    fn what_has_no_time_and_what_is_broken_goes_through_in_its_place() {
        assert_eq!(spread(vec![Ok(None), Ok(None)]), [Ok(None), Ok(None)]);
        let broken = vec![Ok(Some(1)), Ok(Some(1)), Err(()), Ok(Some(1))];
        assert_eq!(spread(broken), [Ok(Some(1.0)), Ok(Some(1.5)), Err(()), Ok(Some(1.0))]);
        assert_eq!(spread(vec![Err(())]), [Err(())]);
        assert_eq!(spread(vec![]), []);
    }
}

//! Spreads the accesses of a second over it. Traces tell whole seconds; sent as they stand, all
//! accesses of a second would come at its beginning.

use std::{collections::VecDeque, time::Duration};

use super::TraceError;
use crate::access::Access;

/// Accesses with times evenly spaced within their second. Holds the accesses of one second.
pub struct Spread<I> {
    accesses: I,
    /// Accesses of one second, those before given away.
    second: VecDeque<Access>,
    /// What follows them: of a later second, or an error.
    next: Option<Result<Access, TraceError>>,
}

impl<I: Iterator<Item = Result<Access, TraceError>>> Spread<I> {
    /// Spreads what an iterator gives. An access without a time is left as it is.
    pub fn new(accesses: I) -> Self {
        Self { accesses, second: VecDeque::new(), next: None }
    }

    fn read_second(&mut self) {
        self.next = None;
        for read in self.accesses.by_ref() {
            match (read, self.second.front()) {
                (Ok(access), None) => self.second.push_back(access),
                (Ok(access), Some(first)) if first.at == access.at && access.at.is_some() => {
                    self.second.push_back(access);
                }
                (read, _) => {
                    self.next = Some(read);
                    break;
                }
            }
        }
        let count = self.second.len() as f64;
        for (index, access) in self.second.iter_mut().enumerate() {
            access.at = access.at.map(|at| at + Duration::from_secs_f64(index as f64 / count));
        }
    }
}

impl<I: Iterator<Item = Result<Access, TraceError>>> Iterator for Spread<I> {
    type Item = Result<Access, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.second.is_empty() {
            match self.next.take() {
                Some(Ok(access)) => self.second.push_back(access),
                Some(Err(error)) => return Some(Err(error)),
                None => {}
            }
            self.read_second();
            if self.second.is_empty() {
                return self.next.take();
            }
        }
        self.second.pop_front().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{access::Operation, trace::Problem};

    fn spread(accesses: Vec<Result<Option<u64>, ()>>) -> Vec<Result<Option<f64>, ()>> {
        let accesses = accesses.into_iter().map(|at| match at {
            Ok(at) => Ok(Access {
                line: 1,
                at: at.map(Duration::from_secs),
                key: "k".to_owned(),
                operation: Operation::Delete,
            }),
            Err(()) => Err(TraceError::in_file(Path::new("t"), Problem::Empty)),
        });
        Spread::new(accesses)
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
    fn what_has_no_time_and_what_is_broken_goes_through_in_its_place() {
        assert_eq!(spread(vec![Ok(None), Ok(None)]), [Ok(None), Ok(None)]);
        let broken = vec![Ok(Some(1)), Ok(Some(1)), Err(()), Ok(Some(1))];
        assert_eq!(spread(broken), [Ok(Some(1.0)), Ok(Some(1.5)), Err(()), Ok(Some(1.0))]);
        assert_eq!(spread(vec![Err(())]), [Err(())]);
        assert_eq!(spread(vec![]), []);
    }
}

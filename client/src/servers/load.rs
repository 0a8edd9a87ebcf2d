//! The bound on what a server of a ring has to do, against that of all servers: consistent hashing
//! with bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2016), where the load is the number of
//! this client's calls in flight. Knows neither keys nor who is down.

use super::{member::Member, members::Members};

/// A server takes its keys up to so many calls in flight in any case. With a few calls, one more is
/// far above the average, and keys would leave their servers for nothing.
const FREE: f64 = 8.0;

/// The bound at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    /// Calls for each unit of weight.
    calls: f64,
}

impl Bound {
    /// `factor` times the average of all servers, this call included.
    pub(super) fn of(members: &Members, factor: f64) -> Self {
        let sum = |(calls, weight), member: &Member| {
            (calls + member.pool.calls(), weight + u64::from(member.weight))
        };
        let (calls, weight) = members.all().iter().fold((1, 0), |sums, member| sum(sums, member));
        Self { calls: factor * calls as f64 / weight as f64 }
    }

    /// Whether a server may have one more call.
    pub(super) fn has_room(self, member: &Member) -> bool {
        (member.pool.calls() as f64) < self.limit(member.weight)
    }

    fn limit(self, weight: u32) -> f64 {
        (self.calls * f64::from(weight)).ceil().max(FREE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_factor_times_the_average_by_weight_and_never_a_few_calls() {
        // 100 calls on weights of 5: 20 for each unit.
        let bound = Bound { calls: 1.25 * 100.0 / 5.0 };
        assert_eq!((bound.limit(1), bound.limit(3)), (25.0, 75.0));
        let bound = Bound { calls: 1.25 * 3.0 / 5.0 };
        assert_eq!((bound.limit(1), bound.limit(3)), (FREE, FREE));
    }
}

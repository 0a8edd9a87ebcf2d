//! Which calls are retried, after which pause, and how many of them.

use std::time::{Duration, SystemTime};

use retry_policies::{Jitter, RetryDecision, RetryPolicy, policies::ExponentialBackoff};
use tonic::Code;
use tower::retry::budget::{Budget as _, TpsBudget};

use crate::transport::{Failure, Reach};

/// Whether a call may be repeated after this failure. A call that is not idempotent may be
/// repeated only if the server has not executed it: a conditional write that was applied would
/// find its own value and report the wrong outcome.
pub(crate) fn may_retry(is_idempotent: bool, failure: &Failure) -> bool {
    match failure.code() {
        Code::Unavailable => is_idempotent || failure.reach() == Reach::NotExecuted,
        Code::DeadlineExceeded => is_idempotent,
        _ => false,
    }
}

/// The pauses between tries: exponential, with full jitter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
}

/// A pause before a retry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pause {
    /// At random, from zero to `limit`.
    pub(crate) drawn: Duration,
    pub(crate) limit: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The pause before retry number `n`, from 0.
    pub(crate) fn pause(self, n: u32) -> Pause {
        let policy = ExponentialBackoff::builder()
            .retry_bounds(self.first.min(self.longest), self.longest)
            .jitter(Jitter::Full)
            .base(2)
            .build_with_max_retries(u32::MAX);
        let now = SystemTime::now();
        let drawn = match policy.should_retry(now, n) {
            RetryDecision::Retry { execute_after } => {
                execute_after.duration_since(now).unwrap_or_default()
            }
            RetryDecision::DoNotRetry => Duration::ZERO,
        };
        let factor = 2u32.checked_pow(n).unwrap_or(u32::MAX);
        let limit = self.first.saturating_mul(factor).min(self.longest);
        // The policy reads the system's clock a moment after us, and adds that moment.
        Pause { drawn: drawn.min(limit), limit }
    }
}

/// Limits the retries of all calls together, so that retries do not multiply the load on a
/// failing server: a share of the calls of the last ten seconds, plus a reserve for clients that
/// make few calls.
#[derive(Debug)]
pub(crate) struct RetryBudget(TpsBudget);

impl RetryBudget {
    const WINDOW: Duration = Duration::from_secs(10);

    /// A budget of `share` retries for each call, and `per_second` in reserve.
    pub(crate) fn new(share: f32, per_second: u32) -> Self {
        Self(TpsBudget::new(Self::WINDOW, per_second, share))
    }

    /// Counts a call.
    pub(crate) fn deposit(&self) {
        self.0.deposit();
    }

    /// Takes a retry from the budget; false if it is spent.
    pub(crate) fn withdraw(&self) -> bool {
        self.0.withdraw()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff =
        Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };

    #[test]
    fn limits_double_up_to_the_longest() {
        let limits: Vec<_> = (0..8).map(|n| BACKOFF.pause(n).limit.as_secs()).collect();
        assert_eq!(limits, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(BACKOFF.pause(u32::MAX).limit.as_secs(), 30);
    }

    #[test]
    fn a_first_pause_beyond_the_longest_is_cut() {
        let backoff = Backoff::new(Duration::from_secs(9), Duration::from_secs(2));
        assert_eq!(backoff.pause(0).limit, Duration::from_secs(2));
        assert!(backoff.pause(0).drawn <= Duration::from_secs(2));
    }

    #[test]
    fn jitter_is_full() {
        // 2,000 draws, in tenths of the limit: each tenth gets its 200, give or take.
        let mut tenths = [0u32; 10];
        for _ in 0..2_000 {
            let pause = BACKOFF.pause(2);
            let place = pause.drawn.as_secs_f64() / pause.limit.as_secs_f64();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10")]
            let tenth = (place * 10.0) as usize;
            tenths[tenth.min(9)] += 1;
        }
        // Six standard deviations of a binomial with p = 0.1.
        assert!(tenths.iter().all(|count| (120..=280).contains(count)), "{tenths:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_budget_is_a_share_of_the_calls_and_a_reserve() {
        let budget = RetryBudget::new(0.2, 1);
        for _ in 0..100 {
            budget.deposit();
        }
        // 20 for the calls, and 1 a second for the ten seconds of the window.
        let granted = (0..100).filter(|_| budget.withdraw()).count();
        assert_eq!(granted, 30);
        tokio::time::advance(Duration::from_secs(11)).await;
        assert!(budget.withdraw());
    }
}

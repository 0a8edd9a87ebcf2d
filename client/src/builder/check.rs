//! Refuses invalid settings, with the value and what is expected.

use std::time::Duration;

use super::Builder;
use crate::{
    error::{Error, Result},
    patience::{Patience, positive},
};

/// Most connections of one client.
const MOST_CONNECTIONS: usize = 1024;

/// Largest reserve of a retry budget, in retries a second.
const MOST_RETRIES: u32 = 1_000_000;

/// Longest pause, check interval and connection age.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Builder {
    /// Refuses the first invalid setting.
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |text: String| Err(Error::validation(text));
        let Patience { first_backoff, longest_backoff, .. } = self.patience;
        self.patience.check()?;
        self.check_ring()?;
        positive("connect timeout", self.connect_timeout)?;
        positive("health check deadline", self.upkeep.check_deadline)?;
        positive("look-up interval", self.ring.look_up_every)?;
        for (name, time) in [
            ("first back-off", first_backoff),
            ("longest back-off", longest_backoff),
            ("health check interval", self.upkeep.check_every),
            ("max connection age", self.upkeep.max_age),
            ("warm-up", self.ring.warm_up),
            ("look-up interval", self.ring.look_up_every),
        ] {
            if time > LONGEST {
                return refuse(format!("{name} of {time:?}; expected at most a day"));
            }
        }
        if !(1..=MOST_CONNECTIONS).contains(&self.connections) {
            return refuse(format!(
                "{} connections; expected 1 to {MOST_CONNECTIONS}",
                self.connections
            ));
        }
        let (share, per_second) = self.retry_budget;
        if per_second > MOST_RETRIES {
            return refuse(format!(
                "retry budget of {per_second} a second; expected at most {MOST_RETRIES}"
            ));
        }
        if !(0.0..=10.0).contains(&share) {
            return refuse(format!("retry budget of {share} for each call; expected 0 to 10"));
        }
        Ok(())
    }
}

//! The lease that a read asks for: one caller fills a key that is not there, and the others wait in
//! the server, if they want to, until there is a value or it is their turn to fill.

use std::{ops::RangeInclusive, time::Duration};

use tiny_cache_proto::v1::LeaseRequest;
use tokio::time::{Instant, sleep_until};

use super::durations::span;
use crate::{
    command::contract::Context,
    rejection::Rejection,
    store::{Claimed, Grant, Located, Seen, Ttl, Waiting},
};

/// Milliseconds that a lease may last.
const LEASE_MS: RangeInclusive<i64> = 1..=60_000;

/// Milliseconds that its caller may wait for it.
const WAIT_MS: RangeInclusive<i64> = 0..=60_000;

/// How long a lease is to last, and how long its caller waits for it, as they were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseTerms {
    lease_ms: i64,
    wait_ms: i64,
}

/// A lease, and how long it lasts.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) token: u64,
    pub(super) lasts: Duration,
}

/// What a read with a lease comes to.
#[derive(Debug)]
pub(super) enum Leased {
    /// An entry, perhaps with the lease to make it anew.
    Found(Seen, Option<Granted>),
    /// Its caller fills.
    Granted(Granted),
    /// Another fills.
    Busy,
    /// Nobody knows who fills.
    Missed,
}

impl LeaseTerms {
    pub(super) fn of(message: &LeaseRequest) -> Self {
        Self { lease_ms: message.lease_ms, wait_ms: message.wait_ms }
    }

    /// How long the lease, and the wait.
    fn parse(self) -> Result<(Duration, Duration), Rejection> {
        let Self { lease_ms, wait_ms } = self;
        let lease = span("lease.lease_ms", lease_ms, LEASE_MS)?;
        Ok((lease, span("lease.wait_ms", wait_ms, WAIT_MS)?))
    }

    /// Claims the lease without waiting for it.
    pub(super) fn claim(
        self,
        context: &Context<'_>,
        place: Located<'_>,
        touch: Option<Ttl>,
    ) -> Result<Leased, Rejection> {
        let (lasts, wait) = self.parse()?;
        if !wait.is_zero() {
            let text = format!("lease.wait_ms is {}: in a batch it is 0", self.wait_ms);
            return Err(Rejection::Invalid(text));
        }
        let claimed = context.store.claim_at(place, touch, (lasts, false));
        Ok(leased(context, claimed, lasts).unwrap_or(Leased::Busy))
    }

    /// Claims the lease, and waits while another has it.
    #[expect(
        clippy::manual_async_fn,
        reason = "that keeps its arguments twice: many may wait here"
    )]
    pub(super) fn wait(
        self,
        context: &Context<'_>,
        place: &Located<'_>,
        touch: Option<Ttl>,
    ) -> impl Future<Output = Result<Leased, Rejection>> + Send {
        async move {
            let (lasts, wait) = self.parse()?;
            let (waits, end) = (!wait.is_zero(), Instant::now() + wait);
            loop {
                let claimed = context.store.claim_at(*place, touch, (lasts, waits));
                let mut waiting = match leased(context, claimed, lasts) {
                    Ok(leased) => return Ok(leased),
                    Err(waiting) => waiting,
                };
                loop {
                    // Nobody but those that wait sees a lease end by its time.
                    let until = end.min(Instant::now() + waiting.lasts());
                    tokio::select! {
                        biased;
                        grant = waiting.granted() => match grant {
                            Some(grant) => {
                                return Ok(Leased::Granted(granted(context, grant, lasts)));
                            }
                            None => break,
                        },
                        () = context.drain.cancelled() => return Err(Rejection::Draining),
                        () = sleep_until(until) => {
                            if Instant::now() >= end {
                                return Ok(Leased::Busy);
                            }
                            waiting.pass_on_ended();
                        }
                    }
                }
            }
        }
    }
}

/// What a claim comes to, unless its caller is to wait.
fn leased(context: &Context<'_>, claimed: Claimed, lasts: Duration) -> Result<Leased, Waiting> {
    Ok(match claimed {
        Claimed::Found(seen, grant) => {
            Leased::Found(seen, grant.map(|grant| granted(context, grant, lasts)))
        }
        Claimed::Granted(grant) => Leased::Granted(granted(context, grant, lasts)),
        Claimed::Taken => Leased::Busy,
        Claimed::Missed => Leased::Missed,
        Claimed::Waits(waiting) => return Err(waiting),
    })
}

/// A lease that its caller gets. It is given back when the reply is not sent, or when the caller's
/// connection ends.
fn granted(context: &Context<'_>, grant: Grant, lasts: Duration) -> Granted {
    let token = grant.token();
    if let Some(hands) = context.hands {
        hands.add(lasts, move || grant.release());
    }
    Granted { token, lasts }
}

//! Makes a call: tries it, and tries again where that is safe and worth it.

use std::{borrow::Cow, time::Duration};

use tiny_cache_proto::key::{Key, Namespace};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    client::{Client, Core},
    error::Error,
    pool::Unconnected,
    request::{CallOptions, metadata},
    retry::{Backoff, Pause, Repetition},
    trace,
    transport::{Failure, Head, rpc::Rpc},
};

/// How long and how often a call is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For each try.
    pub(crate) deadline: Duration,
    /// For all tries and pauses.
    pub(crate) total_deadline: Option<Duration>,
    pub(crate) retries: u32,
    pub(crate) first_backoff: Duration,
    pub(crate) longest_backoff: Duration,
}

/// A call with everything that holds for it.
#[derive(Debug)]
pub struct Call<'c> {
    core: &'c Core,
    head: Cow<'c, Head>,
    namespace: Cow<'c, str>,
    patience: Patience,
    /// When all of it must be over, the parts of a batch together; none where that was not
    /// set.
    end: Option<Instant>,
}

impl<'c> Call<'c> {
    /// Brings the client's settings and those of the call together.
    pub(crate) fn new(client: &'c Client, options: Option<&CallOptions>) -> Result<Self, Error> {
        let (core, scope) = client.parts();
        let mut call = Self {
            core,
            head: Cow::Borrowed(&scope.head),
            namespace: Cow::Borrowed(&scope.namespace),
            patience: core.patience,
            end: None,
        };
        if let Some(options) = options {
            call.apply(options)?;
        }
        call.adopt_span();
        Ok(call)
    }

    /// Makes the call part of the span that is active now, if there is one.
    fn adopt_span(&mut self) {
        if trace::is_active() {
            trace::inject(self.head.to_mut().headers_mut());
        }
    }

    fn apply(&mut self, options: &CallOptions) -> Result<(), Error> {
        let CallOptions {
            deadline,
            total_deadline,
            retries,
            first_backoff,
            longest_backoff,
            namespace,
            metadata: entries,
        } = options;
        let patience = &mut self.patience;
        patience.retries = retries.unwrap_or(patience.retries);
        patience.first_backoff = first_backoff.unwrap_or(patience.first_backoff);
        patience.longest_backoff = longest_backoff.unwrap_or(patience.longest_backoff);
        if [deadline, total_deadline].into_iter().flatten().any(Duration::is_zero) {
            return Err(Error::validation("deadline of 0 s; expected more"));
        }
        if deadline.is_some() || total_deadline.is_some() {
            patience.deadline = deadline.unwrap_or(patience.deadline);
            patience.total_deadline = total_deadline.or(patience.total_deadline);
            self.head.to_mut().set_timeout(patience.first_try());
        }
        for (name, value) in entries {
            let (name, value) = metadata(name, value)?;
            self.head.to_mut().headers_mut().insert(name, value);
        }
        if let Some(namespace) = namespace {
            self.head.to_mut().set_namespace(namespace)?;
            self.namespace = Cow::Owned(namespace.clone());
        }
        Ok(())
    }

    /// Begins the time that the call has altogether, in the span that is active by then.
    pub(crate) fn begin(mut self) -> Self {
        self.adopt_span();
        self.end = self.patience.total_deadline.map(after);
        self
    }

    /// Makes every try last no longer than this.
    pub(crate) fn at_most(mut self, deadline: Duration) -> Self {
        self.patience.deadline = self.patience.deadline.min(deadline);
        self.head.to_mut().set_timeout(self.patience.first_try());
        self
    }

    /// Checks a key, in the namespace of the call.
    pub(crate) fn check_key(&self, key: &str) -> Result<(), Error> {
        let namespace = Namespace::parse(&self.namespace)?;
        Key::parse(namespace, key).map(drop).map_err(|error| {
            let shown: String = key.chars().take(32).collect();
            let error = Error::from(error);
            if key.is_empty() { error } else { error.remark(&format!(": `{shown}`…")) }
        })
    }

    /// The client's state that calls share.
    pub(crate) fn core(&self) -> &'c Core {
        self.core
    }

    /// Makes the call, again and again if need be.
    pub(crate) async fn make<R: Rpc>(
        &self,
        rpc: &R,
        repetition: Repetition,
    ) -> Result<R::Reply, Error> {
        let patience = &self.patience;
        let backoff = Backoff::new(patience.first_backoff, patience.longest_backoff);
        self.core.budget.deposit();

        let mut may_move = true;
        let mut tries = 0;
        // What one try leaves open the failure of the next does not settle.
        let mut applied = false;
        loop {
            let failure = match self.attempt(rpc).await {
                Ok(reply) => return Ok(reply),
                Err(Missed::Closed) => return Err(Error::closed().perhaps_applied(applied)),
                Err(Missed::Failed(failure)) => failure,
            };
            // Nothing was lost but the way: once in a call this is free of charge, as in
            // gRPC's retry design (gRFC A6, "transparent retries").
            if may_move && failure.was_turned_away() {
                may_move = false;
                continue;
            }
            tries += 1;
            applied |= failure.may_have_been_applied();
            let give_up = |failure| {
                let server = self.core.pool.endpoint().address();
                Error::of_failure(failure, server, tries).perhaps_applied(applied)
            };
            if tries > patience.retries || !repetition.allows_retry(&failure) {
                return Err(give_up(failure));
            }
            let pause = backoff.pause(tries - 1);
            if self.is_over(Instant::now() + pause.drawn) {
                return Err(give_up(failure));
            }
            // A connection that does not come about is no load on the server, and the calls
            // that wait for it share one try.
            let free = matches!(failure, Failure::Connect(_));
            if !free && !self.core.budget.withdraw() {
                return Err(give_up(failure).remark("; the retry budget is spent"));
            }
            self.pause(pause, &failure).await;
            if self.is_over(Instant::now()) {
                return Err(give_up(failure));
            }
        }
    }

    /// Waits the pause out, and uses what is left of it to get the connection back.
    async fn pause(&self, pause: Pause, failure: &Failure) {
        let limit = after(pause.limit);
        let limit = self.end.map_or(limit, |end| limit.min(end));
        sleep(pause.drawn).await;
        if failure.is_connection_lost() {
            self.core.pool.reconnected(limit).await;
        }
    }

    async fn attempt<R: Rpc>(&self, rpc: &R) -> Result<R::Reply, Missed> {
        let time = self.time_left();
        let until = after(time);
        let connection = match self.core.pool.least_busy() {
            Some(connection) => connection,
            None => timeout_at(until, self.core.pool.connection())
                .await
                .map_err(|_elapsed| Failure::NoConnection(time))??,
        };
        let reads = connection.reads();
        match timeout_at(until, connection.call(rpc, &self.head)).await {
            Ok(reply) => reply.map_err(Missed::Failed),
            Err(_elapsed) => {
                if connection.reads() == reads {
                    self.core.pool.suspect(connection);
                }
                Err(Missed::Failed(Failure::Deadline(time)))
            }
        }
    }

    /// How long a try that begins now may take.
    fn time_left(&self) -> Duration {
        let deadline = self.patience.deadline;
        self.end.map_or(deadline, |end| deadline.min(end.saturating_duration_since(Instant::now())))
    }

    fn is_over(&self, at: Instant) -> bool {
        self.end.is_some_and(|end| at >= end)
    }
}

impl Patience {
    /// How long the first try may take.
    pub(crate) fn first_try(&self) -> Duration {
        self.total_deadline.map_or(self.deadline, |total| total.min(self.deadline))
    }
}

/// Why a try brought nothing.
enum Missed {
    Closed,
    Failed(Failure),
}

impl From<Failure> for Missed {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Unconnected> for Missed {
    fn from(unconnected: Unconnected) -> Self {
        match unconnected {
            Unconnected::Closed => Self::Closed,
            Unconnected::Failed(error) => Self::Failed(error.into()),
        }
    }
}

/// The instant that is this far away, as far as the clock goes.
pub(crate) fn after(time: Duration) -> Instant {
    Instant::now().checked_add(time).unwrap_or_else(far_future)
}

/// Later than any call lasts: 30 years.
fn far_future() -> Instant {
    Instant::now() + Duration::from_secs(30 * 365 * 24 * 60 * 60)
}

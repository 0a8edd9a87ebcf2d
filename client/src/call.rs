//! Makes a call: tries it, and tries again where that is safe and worth it.

use std::{borrow::Cow, sync::Arc, time::Duration};

use tiny_cache_proto::key::{InvalidKey, Key, Namespace};
use tokio::{
    task::yield_now,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    client::{Client, Core},
    error::Error,
    patience::{Patience, Total},
    pool::{Pool, Pooled, Unconnected},
    request::{CallOptions, metadata, set_namespace},
    retry::{Backoff, Pause, Repetition},
    trace,
    transport::{Failure, Head, rpc::Rpc},
};

/// Moves of one call that cost it nothing, at most.
const MOST_MOVES: u32 = 100;

/// A call with everything that holds for it.
#[derive(Debug)]
pub struct Call<'c> {
    core: &'c Core,
    head: Cow<'c, Head>,
    namespace: Cow<'c, str>,
    patience: Patience,
    /// When all of it must be over, the parts of a batch together; none where no such time was
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
        for (name, time) in [("deadline", deadline), ("total deadline", total_deadline)] {
            if time.is_some_and(|time| time.is_zero()) {
                return Err(Error::validation(format!("{name} of 0 s; expected more")));
            }
        }
        if deadline.is_some() || total_deadline.is_some() {
            patience.deadline = deadline.unwrap_or(patience.deadline);
            patience.total = total_deadline.map_or(patience.total, Total::Set);
            self.head.to_mut().set_timeout(patience.first_try());
        }
        for (name, value) in entries {
            let (name, value) = metadata(name, value)?;
            self.head.to_mut().headers_mut().insert(name, value);
        }
        if let Some(namespace) = namespace {
            set_namespace(self.head.to_mut(), namespace)?;
            self.namespace = Cow::Owned(namespace.clone());
        }
        Ok(())
    }

    /// Begins the time that the call has altogether, in the span that is active by then.
    pub(crate) fn begin(mut self) -> Self {
        self.adopt_span();
        if let Total::Set(time) = self.patience.total {
            self.end = Some(after(time));
        }
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
        let Err(error) = Key::parse(namespace, key) else { return Ok(()) };
        let (chars, shown) = (key.chars().count(), key.chars().take(32).collect::<String>());
        let remark = match error {
            InvalidKey::Empty => String::new(),
            InvalidKey::TooLong => format!(": `{shown}`… has {chars} characters"),
            InvalidKey::NamespacedTooLong => format!(
                ": `{shown}`… has {chars} characters; beside namespace `{}` there is room for {}",
                namespace.as_str(),
                namespace.max_key_chars()
            ),
        };
        Err(Error::from(error).remark(&remark))
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

        let mut begin = Instant::now();
        let end = self.end.or_else(|| later(begin, patience.total()?));
        let is_over = |at| end.is_some_and(|end| at >= end);
        let (mut moves, mut tries) = (Moves::begin(&self.core.pool), 0);
        // What one try leaves open the failure of the next does not settle.
        let mut applied = false;
        loop {
            let Missed { failure, over } = match self.attempt(rpc, begin, end).await {
                Ok(reply) => return Ok(reply),
                Err(None) => return Err(Error::closed().perhaps_applied(applied)),
                Err(Some(missed)) => missed,
            };
            // Nothing was lost but the way.
            if failure.was_turned_away() && moves.allow(&self.core.pool, over.as_deref()).await {
                begin = Instant::now();
                if !is_over(begin) {
                    continue;
                }
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
            if is_over(Instant::now() + pause.drawn) {
                return Err(give_up(failure));
            }
            // A connection that does not come about is no load on the server, and the calls
            // that wait for it share one try.
            let free = matches!(failure, Failure::Connect(_));
            if !free && !self.core.budget.withdraw() {
                return Err(give_up(failure).remark("; the retry budget is spent"));
            }
            self.pause(pause, &failure, end).await;
            begin = Instant::now();
            if is_over(begin) {
                return Err(give_up(failure));
            }
        }
    }

    /// Waits the pause out, and uses what is left of it to get the connection back.
    async fn pause(&self, pause: Pause, failure: &Failure, end: Option<Instant>) {
        let limit = after(pause.limit);
        let limit = end.map_or(limit, |end| limit.min(end));
        sleep(pause.drawn).await;
        if failure.is_connection_lost() {
            self.core.pool.reconnected(limit).await;
        }
    }

    /// Makes one try; an error of nothing means that the client is closed.
    async fn attempt<R: Rpc>(
        &self,
        rpc: &R,
        begin: Instant,
        end: Option<Instant>,
    ) -> Result<R::Reply, Option<Missed>> {
        let deadline = self.patience.deadline;
        let time = end.map_or(deadline, |end| deadline.min(end.saturating_duration_since(begin)));
        let until = later(begin, time).unwrap_or_else(far_future);
        let pool = &self.core.pool;
        let connection = match pool.least_busy() {
            Some(connection) => connection,
            None => match timeout_at(until, pool.connection()).await {
                Ok(Ok(connection)) => connection,
                Ok(Err(Unconnected::Closed)) => return Err(None),
                Ok(Err(Unconnected::Failed(error))) => {
                    return Err(Some(Missed::from(Failure::from(error))));
                }
                Err(_elapsed) => return Err(Some(Missed::from(Failure::NoConnection(time)))),
            },
        };
        let reads = connection.reads();
        match timeout_at(until, connection.call(rpc, &self.head)).await {
            Ok(Ok(reply)) => {
                pool.note_answer(&connection);
                Ok(reply)
            }
            Ok(Err(failure)) => {
                if matches!(failure, Failure::Status(_)) {
                    pool.note_answer(&connection);
                }
                Err(Some(Missed { failure, over: Some(connection) }))
            }
            Err(_elapsed) => {
                if connection.reads() == reads {
                    pool.suspect(connection);
                }
                Err(Some(Missed::from(Failure::Deadline(time))))
            }
        }
    }
}

/// The moves of a call that cost it none of its tries. One is free in any case, as in gRPC's
/// retry design (gRFC A6, "transparent retries"), and further ones while calls get on: a proxy
/// that ends each connection after some calls can hit the same call again and again. A peer
/// that turns all calls away gets the tries of a call and no more.
struct Moves {
    made: u32,
    /// Moves, one after the other, between which no call got on.
    barren: u32,
    answered: usize,
}

impl Moves {
    fn begin(pool: &Pool) -> Self {
        Self { made: 0, barren: 0, answered: pool.answered() }
    }

    /// Whether a call that this connection turned away may move on.
    async fn allow(&mut self, pool: &Pool, over: Option<&Pooled>) -> bool {
        // The calls that were turned away with this one get their turn first. Those that are
        // left then the peer has taken on: their answers come behind the GOAWAY.
        yield_now().await;
        let answered = pool.answered();
        let progress = over.is_some_and(|connection| {
            connection.is_retired()
                && (connection.calls() > 0 || connection.has_answered() || answered > self.answered)
        });
        self.answered = answered;
        self.barren = if progress { 0 } else { self.barren + 1 };
        self.made += 1;
        self.barren <= 1 && self.made <= MOST_MOVES
    }
}

/// Why a try brought nothing.
struct Missed {
    failure: Failure,
    /// The connection that it was made over, if there was one and it is not given up.
    over: Option<Arc<Pooled>>,
}

impl From<Failure> for Missed {
    fn from(failure: Failure) -> Self {
        Self { failure, over: None }
    }
}

/// The instant that is this far away, as far as the clock goes.
pub(crate) fn after(time: Duration) -> Instant {
    later(Instant::now(), time).unwrap_or_else(far_future)
}

/// The instant that is this much later; none where the clock does not go that far.
fn later(begin: Instant, time: Duration) -> Option<Instant> {
    begin.checked_add(time)
}

/// Later than any call lasts: 30 years.
fn far_future() -> Instant {
    Instant::now() + Duration::from_secs(30 * 365 * 24 * 60 * 60)
}

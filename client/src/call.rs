//! Makes a call: tries it, and tries again while that is safe and allowed.

use std::{borrow::Cow, sync::Arc, time::Duration};

use tiny_cache_proto::key::{InvalidKey, Key, Namespace};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    clock::after,
    error::{Error, Result},
    moves::Moves,
    options::{CallOptions, set_metadata, set_namespace},
    patience::{Patience, Total},
    pool::{Pool, Pooled, Unconnected},
    retry::{Backoff, Pause, may_retry},
    shared::{Core, Handle},
    trace,
    transport::{Failure, Head, rpc::Rpc},
    ttl::Ttl,
};

/// A call with its options applied.
#[derive(Debug)]
pub struct Call<'c> {
    pub(crate) core: &'c Core,
    head: Cow<'c, Head>,
    namespace: Cow<'c, str>,
    patience: Patience,
    ttl: Option<Duration>,
    /// The end of the whole call, all parts of a batch together; none without a total deadline.
    end: Option<Instant>,
}

impl<'c> Call<'c> {
    /// Applies the options of the call to the client's settings.
    pub(crate) fn new(
        handle: &'c Handle,
        options: Option<&CallOptions>,
        ttl: Option<Duration>,
    ) -> Result<Self> {
        let Handle { core, scope } = handle;
        let mut call = Self {
            core,
            head: Cow::Borrowed(&scope.head),
            namespace: Cow::Borrowed(&scope.namespace),
            patience: core.patience,
            ttl,
            end: None,
        };
        if let Some(options) = options {
            call.apply(options)?;
        }
        call.adopt_span();
        Ok(call)
    }

    /// Makes the call a child of the span that is active now.
    fn adopt_span(&mut self) {
        if trace::is_active() {
            trace::inject(self.head.to_mut().headers_mut());
        }
    }

    fn apply(&mut self, options: &CallOptions) -> Result<()> {
        let CallOptions { patience, namespace, metadata } = options;
        patience.check()?;
        self.limit(*patience);
        for (name, value) in metadata {
            set_metadata(self.head.to_mut(), name, value)?;
        }
        if let Some(namespace) = namespace {
            set_namespace(self.head.to_mut(), namespace)?;
            self.namespace = Cow::Owned(namespace.clone());
        }
        Ok(())
    }

    fn limit(&mut self, patience: Patience) {
        if patience.first_try() != self.patience.first_try() {
            self.head.to_mut().set_timeout(patience.first_try());
        }
        self.patience = patience;
    }

    /// Starts the total deadline, in the span that is active when the future is first polled.
    pub(crate) fn begin(mut self) -> Self {
        self.adopt_span();
        if let Total::Set(time) = self.patience.total {
            self.end = Some(after(Instant::now(), time));
        }
        self
    }

    /// Limits every try to `deadline`.
    pub(crate) fn at_most(mut self, deadline: Duration) -> Self {
        self.limit(Patience { deadline: self.patience.deadline.min(deadline), ..self.patience });
        self
    }

    /// Checks a key, in the namespace of the call.
    pub(crate) fn check_key(&self, key: &str) -> Result<()> {
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

    /// The TTL of a write: its own, or that of the call, or the client's default.
    pub(crate) fn ttl(&self, own: Option<Duration>) -> Result<Ttl> {
        own.or(self.ttl).map_or(Ok(self.core.ttl), Ttl::try_from)
    }

    /// Makes the call, and repeats it where that is safe and allowed.
    pub(crate) async fn make<R: Rpc>(&self, rpc: &R) -> Result<R::Reply> {
        let patience = &self.patience;
        let backoff = Backoff::new(patience.first_backoff, patience.longest_backoff);
        let pool = &self.core.pool;
        self.core.budget.deposit();

        let mut begin = Instant::now();
        let end = self.end.or_else(|| Some(after(begin, patience.total()?)));
        let is_over = |at| end.is_some_and(|end| at >= end);
        let (mut moves, mut tries) = (Moves::begin(pool), 0);
        // If an earlier try may have been applied, a later clean failure does not change that.
        let mut applied = false;
        loop {
            let Missed { failure, over } = match self.attempt(rpc, begin, end).await {
                Ok(reply) => return Ok(reply),
                Err(None) => return Err(Error::closed().perhaps_applied(applied)),
                Err(Some(missed)) => missed,
            };
            if failure.was_turned_away() && moves.allow(pool, over.as_deref()).await {
                begin = Instant::now();
                if !is_over(begin) {
                    continue;
                }
            }
            tries += 1;
            applied |= failure.may_have_been_applied();
            let give_up = |failure| {
                Error::of_failure(failure, pool.endpoint.address(), tries).perhaps_applied(applied)
            };
            if tries > patience.retries || !may_retry(R::IS_IDEMPOTENT, &failure) {
                return Err(give_up(failure));
            }
            let pause = backoff.pause(tries - 1);
            if is_over(Instant::now() + pause.drawn) {
                return Err(give_up(failure));
            }
            // Reconnecting costs no budget: it puts no load on the server, and all waiting calls
            // share one attempt.
            let is_free = matches!(failure, Failure::Connect(_));
            if !is_free && !self.core.budget.withdraw() {
                return Err(give_up(failure).remark("; the retry budget is spent"));
            }
            self.pause(pause, &failure, end).await;
            begin = Instant::now();
            if is_over(begin) {
                return Err(give_up(failure));
            }
        }
    }

    /// Sleeps for the drawn pause, then reconnects until the pause's limit if the connection was
    /// lost.
    async fn pause(&self, pause: Pause, failure: &Failure, end: Option<Instant>) {
        let limit = after(Instant::now(), pause.limit);
        sleep(pause.drawn).await;
        if failure.is_connection_lost() {
            self.core.pool.reconnected(end.map_or(limit, |end| limit.min(end))).await;
        }
    }

    /// Makes one try.
    async fn attempt<R: Rpc>(
        &self,
        rpc: &R,
        begin: Instant,
        end: Option<Instant>,
    ) -> Tried<R::Reply> {
        let deadline = self.patience.deadline;
        let time = end.map_or(deadline, |end| deadline.min(end.saturating_duration_since(begin)));
        let until = after(begin, time);
        let pool = &self.core.pool;
        let connection = connection(pool, until, time).await?;
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

/// A connection for one try, which has `time`, until `until`.
async fn connection(pool: &Arc<Pool>, until: Instant, time: Duration) -> Tried<Arc<Pooled>> {
    if let Some(connection) = pool.least_busy() {
        return Ok(connection);
    }
    match timeout_at(until, pool.connection()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(Unconnected::Closed)) => Err(None),
        Ok(Err(Unconnected::Failed(error))) => Err(Some(Missed::from(Failure::from(error)))),
        Err(_elapsed) => Err(Some(Missed::from(Failure::NoConnection(time)))),
    }
}

/// The result of a try; `Err(None)` if the client is closed.
type Tried<T> = std::result::Result<T, Option<Missed>>;

/// A try that failed.
struct Missed {
    failure: Failure,
    /// The connection of the try; none if there was none, or if the pool now suspects it.
    over: Option<Arc<Pooled>>,
}

impl From<Failure> for Missed {
    fn from(failure: Failure) -> Self {
        Self { failure, over: None }
    }
}

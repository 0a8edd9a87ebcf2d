//! Makes a call: tries it, and tries again while that is safe and allowed.

use std::{borrow::Cow, sync::Arc, time::Duration};

use http::HeaderValue;
use tiny_cache_proto::key::{InvalidKey, Key, Namespace};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    clock::after,
    error::{Error, Result},
    milliseconds,
    moves::Moves,
    options::{CallOptions, set_metadata, set_namespace},
    patience::{Patience, Total},
    pool::{Pool, Pooled, Unconnected},
    retry::{Backoff, Pause, may_retry},
    ring,
    ring_key::{metadata, ring_key},
    servers::{Chosen, Member, RingServers, Servers, no_server},
    shared::{Core, Handle, Scope},
    trace,
    transport::{Failure, Head, Pushback, rpc::Rpc},
    ttl::Ttl,
};

/// A call with its options applied.
#[derive(Clone, Debug)]
pub struct Call<'c> {
    handle: &'c Handle,
    pub(crate) core: &'c Core,
    scope: &'c Scope,
    aim: Aim,
    /// The value of `x-cache-key`. Apart from the head, which most calls borrow.
    key: Option<HeaderValue>,
    head: Cow<'c, Head>,
    namespace: Cow<'c, str>,
    patience: Patience,
    ttl: Option<Duration>,
    /// The end of the whole call, all parts of a batch together; none without a total deadline.
    end: Option<Instant>,
}

/// A call that outlives its caller.
#[derive(Clone, Debug)]
pub(crate) struct Detached {
    handle: Handle,
    namespace: String,
}

/// What decides on the server of a call, if there are several.
#[derive(Clone, Debug)]
enum Aim {
    /// Nothing yet.
    None,
    /// The hash of its key: the server may change between tries.
    Key(u64),
    /// This server and no other.
    Server(Arc<Member>),
}

impl Detached {
    /// Makes a call of this key, in the keyspace of the caller.
    pub(crate) async fn make<R: Rpc>(&self, key: &str, rpc: &R) -> Result<R::Reply> {
        let handle = self.handle.in_namespace(&self.namespace)?;
        Call::new(&handle, None, None)?.of_key(key)?.begin().make(rpc).await
    }
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
            handle,
            core,
            scope,
            aim: scope.only.clone().map_or(Aim::None, Aim::Server),
            key: None,
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

    /// Checks the key of the call, which decides on its server.
    pub(crate) fn of_key(mut self, key: &str) -> Result<Self> {
        let namespace = self.check_key(key)?;
        let on_ring = matches!(self.core.servers, Servers::Ring(_));
        if on_ring || self.scope.sends_key {
            self.aim_at(ring_key(namespace, key));
        }
        Ok(self)
    }

    fn aim_at(&mut self, key: String) {
        if let (Servers::Ring(_), Aim::None) = (&self.core.servers, &self.aim) {
            self.aim = Aim::Key(ring::hash(&key));
        }
        if self.scope.sends_key {
            self.key = Some(metadata(key));
        }
    }

    /// The same call, to this server of a ring and no other.
    pub(crate) fn to(&self, member: &Arc<Member>) -> Self {
        Self { aim: Aim::Server(member.clone()), ..self.clone() }
    }

    /// All servers of a ring that the call may go to; none if there is no ring.
    pub(crate) async fn members(&self) -> Result<Option<Vec<Arc<Member>>>> {
        match (&self.core.servers, &self.aim) {
            (Servers::One(_), _) => Ok(None),
            (_, Aim::Server(member)) => Ok(Some(vec![member.clone()])),
            (Servers::Ring(ring), _) => Ok(Some(ring.members().await?.all().to_vec())),
        }
    }

    /// The server of a ring for each of these keys, which are valid. The servers are those of one
    /// moment.
    pub(crate) async fn servers_of<'k>(
        &self,
        ring: &RingServers,
        keys: impl Iterator<Item = &'k str>,
    ) -> Result<Vec<Arc<Member>>> {
        let members = ring.members().await?;
        let namespace = Namespace::parse(&self.namespace)?;
        let server = |key| match &self.aim {
            Aim::Server(member) => Ok(member.clone()),
            Aim::None | Aim::Key(_) => ring.choose(&members, ring::hash(&ring_key(namespace, key))),
        };
        keys.map(server).collect()
    }

    /// Checks a key, in the namespace of the call.
    pub(crate) fn check_key(&self, key: &str) -> Result<Namespace<'_>> {
        let namespace = Namespace::parse(&self.namespace)?;
        let Err(error) = Key::parse(namespace, key) else { return Ok(namespace) };
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

    /// The TTL of a write to the second service, in its milliseconds; 0: it never expires.
    pub(crate) fn ttl_ms(&self) -> i64 {
        milliseconds::rounded_up(self.ttl.unwrap_or_else(|| self.core.ttl.duration()))
    }

    /// The keyspace that it works in.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// How long a call may wait in the server and still be answered within its first try.
    pub(crate) fn longest_wait(&self) -> Duration {
        self.patience.first_try() * 3 / 4
    }

    /// What is needed to clean up when the caller is gone.
    pub(crate) fn detached(&self) -> Detached {
        Detached { handle: self.handle.clone(), namespace: self.namespace.clone().into_owned() }
    }

    /// Makes the call, and repeats it where that is safe and allowed.
    pub(crate) async fn make<R: Rpc>(&self, rpc: &R) -> Result<R::Reply> {
        let patience = &self.patience;
        let backoff = Backoff::new(patience.first_backoff, patience.longest_backoff);
        self.core.budget.deposit();

        let mut begin = Instant::now();
        let end = self.end.or_else(|| Some(after(begin, patience.total()?)));
        let is_over = |at| end.is_some_and(|end| at >= end);
        let mut server = self.choose(begin, end).await?;
        let (mut moves, mut tries) = (Moves::begin(server.pool()), 0);
        // If an earlier try may have been applied, a later clean failure does not change that.
        let mut applied = false;
        loop {
            let pool = server.pool();
            let Missed { failure, over } = match self.attempt(pool, rpc, begin, end).await {
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
            self.note(&server, &failure);
            if tries > patience.retries || !may_retry(R::IS_IDEMPOTENT, &failure) {
                return Err(give_up(failure));
            }
            let pause = match failure.pushback() {
                None => backoff.pause(tries - 1),
                // It knows better than we when it has room.
                Some(Pushback::After(time)) => Pause { drawn: time, limit: time },
                Some(Pushback::Never) => return Err(give_up(failure)),
            };
            if is_over(Instant::now() + pause.drawn) {
                return Err(give_up(failure));
            }
            // Reconnecting costs no budget: it puts no load on the server, and all waiting calls
            // share one attempt.
            let is_free = matches!(failure, Failure::Connect(_));
            if !is_free && !self.core.budget.withdraw() {
                return Err(give_up(failure).remark("; the retry budget is spent"));
            }
            Self::pause(pool, pause, &failure, end).await;
            self.note(&server, &failure);
            begin = Instant::now();
            if is_over(begin) || self.is_lost(&server) {
                return Err(give_up(failure));
            }
            if let Some(next) = self.next(&server, begin) {
                moves = Moves::begin(next.pool());
                server = next;
            }
        }
    }

    /// The server of the first try.
    async fn choose(&self, now: Instant, end: Option<Instant>) -> Result<Chosen<'c>> {
        let ring = match &self.core.servers {
            Servers::One(pool) => return Ok(Chosen::One(pool)),
            Servers::Ring(ring) => ring,
        };
        let hash = match &self.aim {
            Aim::Server(member) => return Ok(Chosen::Member(member.clone())),
            Aim::Key(hash) => *hash,
            Aim::None => return Err(no_server()),
        };
        let mut members = ring.now(now);
        if members.all().is_empty() {
            let until = after(now, self.patience.first_try());
            let until = end.map_or(until, |end| until.min(end));
            members =
                timeout_at(until, ring.members()).await.unwrap_or_else(|_| Err(no_server()))?;
        }
        Ok(Chosen::Member(ring.choose(&members, hash)?))
    }

    /// Another server for the next try, if the key has one by now.
    fn next(&self, last: &Chosen<'_>, now: Instant) -> Option<Chosen<'c>> {
        let (Servers::Ring(ring), Aim::Key(hash), Chosen::Member(last)) =
            (&self.core.servers, &self.aim, last)
        else {
            return None;
        };
        let next = ring.choose(&ring.now(now), *hash).ok()?;
        (!Arc::ptr_eq(&next, last)).then_some(Chosen::Member(next))
    }

    /// Notes a failed try with its server.
    fn note(&self, server: &Chosen<'_>, failure: &Failure) {
        if let (Servers::Ring(ring), Chosen::Member(member)) = (&self.core.servers, server)
            && (failure.is_connection_lost() || matches!(failure, Failure::Deadline(_)))
        {
            ring.note_silence(member);
        }
    }

    /// Whether the server of this part of a batch is down, so that the batch may ask the next one.
    fn is_lost(&self, server: &Chosen<'_>) -> bool {
        match (&self.core.servers, &self.aim, server) {
            (Servers::Ring(ring), Aim::Server(_), Chosen::Member(member)) => {
                self.scope.only.is_none() && ring.gives_up(member)
            }
            _ => false,
        }
    }

    /// Sleeps for the drawn pause, then reconnects until the pause's limit if the connection was
    /// lost.
    async fn pause(pool: &Arc<Pool>, pause: Pause, failure: &Failure, end: Option<Instant>) {
        let limit = after(Instant::now(), pause.limit);
        sleep(pause.drawn).await;
        if failure.is_connection_lost() {
            pool.reconnected(end.map_or(limit, |end| limit.min(end))).await;
        }
    }

    /// Makes one try.
    async fn attempt<R: Rpc>(
        &self,
        pool: &Arc<Pool>,
        rpc: &R,
        begin: Instant,
        end: Option<Instant>,
    ) -> Tried<R::Reply> {
        let deadline = self.patience.deadline;
        let time = end.map_or(deadline, |end| deadline.min(end.saturating_duration_since(begin)));
        let until = after(begin, time);
        let connection = connection(pool, until, time).await?;
        let reads = connection.reads();
        match timeout_at(until, connection.call_of_key(rpc, &self.head, self.key.as_ref())).await {
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

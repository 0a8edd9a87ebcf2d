//! Reads a value, or has it made: once for all callers that want it, in whatever process.

use std::{
    fmt,
    marker::PhantomData,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use thiserror::Error;
use tiny_cache_proto::v1::{ReleaseRequest, WriteRequest};

use super::{
    Call, Client, Error, Request, Run, WriteOperation,
    claim::{Claimed, claim},
    write::Marks,
};
use crate::{
    call::Detached,
    condition::Condition,
    entry::{Entry, Version},
    kind::ErrorKind,
    lease::Lease,
};

/// How long the origin has, unless the call says otherwise.
const ORIGIN: Duration = Duration::from_secs(10);

/// The longest lease that a server gives.
const LONGEST: Duration = Duration::from_secs(60);

impl Client {
    /// Reads a value, or has `origin` make it and stores it. Of all callers that miss one key at a
    /// time, in this process and in others, one asks the origin; the others wait for its value.
    ///
    /// The cache is never the reason of a failure. If it does not answer, each process asks the
    /// origin for itself, as it does when the value is not there in the
    /// [time for the origin](Request::origin_within). A value that was overwritten or deleted while
    /// the origin made its own is returned to this caller, and not stored.
    ///
    /// ```
    /// # use std::{convert::Infallible, time::Duration};
    /// # use tiny_cache_client::{Client, FillError, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), FillError<Infallible>> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// async fn load() -> Result<String, Infallible> {
    ///     Ok("from the database".to_owned())
    /// }
    /// let page = client.get_or_fill("page:7", load).ttl(Duration::from_secs(60)).await?;
    /// assert_eq!(page, "from the database");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`FillError::Origin`] is the origin's own; [`FillError::Refused`] a key or an option that
    /// cannot be.
    pub fn get_or_fill<'c, F>(&'c self, key: &'c str, origin: F) -> Request<'c, GetOrFill<'c, F>> {
        self.request(GetOrFill::new(key, origin))
    }
}

/// See [`Client::get_or_fill`].
pub struct GetOrFill<'a, F, C = Raw> {
    key: &'a str,
    origin: F,
    within: Duration,
    marks: Marks,
    form: PhantomData<fn() -> C>,
}

/// How what an origin makes becomes bytes, and what callers get of these. Not for implementing.
pub trait Form<V>: Send + 'static {
    /// What callers get.
    type Output;

    /// What is stored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Validation`]: the value has no such form.
    fn encode(key: &str, value: V) -> Result<Bytes, Error>;

    /// What was stored, if it has this form.
    fn decode(value: &Bytes) -> Option<Self::Output>;
}

/// Values as they are.
#[derive(Debug)]
pub struct Raw;

impl<V: Into<Bytes>> Form<V> for Raw {
    type Output = Bytes;

    fn encode(_key: &str, value: V) -> Result<Bytes, Error> {
        Ok(value.into())
    }

    fn decode(value: &Bytes) -> Option<Bytes> {
        Some(value.clone())
    }
}

impl<'a, F, C> GetOrFill<'a, F, C> {
    pub(super) fn new(key: &'a str, origin: F) -> Self {
        Self { key, origin, within: ORIGIN, marks: Marks::default(), form: PhantomData }
    }
}

/// Why a value was neither found nor made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FillError<E> {
    /// The client refused the call: its key, or an option. The caller has to change it.
    #[error(transparent)]
    Refused(#[from] Error),
    /// The origin failed.
    #[error("{0}")]
    Origin(E),
}

impl<F, C> Request<'_, GetOrFill<'_, F, C>> {
    /// Sets how long the origin may take, up to a minute; 10 s by default. A caller that dies holds
    /// the others up no longer.
    pub fn origin_within(self, time: Duration) -> Self {
        self.with(|fill| fill.within = time.clamp(Duration::from_millis(1), LONGEST))
    }

    /// Keeps the value so long beyond its TTL. Callers get it as it is then, and one of them has it
    /// made anew in the background: none waits.
    pub fn stale_for(self, time: Duration) -> Self {
        self.with(|fill| fill.marks.stale = time)
    }

    /// Has one caller make the value anew, in the background, from this long before the end of its
    /// TTL.
    pub fn refresh_before(self, time: Duration) -> Self {
        self.with(|fill| fill.marks.refresh_before = time)
    }

    /// Gives the value tags, by which it can be [invalidated](Client::invalidate), as
    /// [`Client::write`] does. A value that was begun before an invalidation of its tags, or of its
    /// namespace, is returned and not stored.
    pub fn tags<S: Into<String>>(self, tags: impl IntoIterator<Item = S>) -> Self {
        self.with(|fill| fill.marks.tags.extend(tags.into_iter().map(Into::into)))
    }

    /// Shortens the TTL by a random part of at most so many percent, so that values that were made
    /// together do not expire together.
    pub fn ttl_jitter_percent(self, percent: u8) -> Self {
        self.with(|fill| fill.marks.jitter_percent = percent)
    }
}

impl<F: Send, C> WriteOperation for GetOrFill<'_, F, C> where Self: Run {}

impl<F, R, V, E, C> Run for GetOrFill<'_, F, C>
where
    F: FnOnce() -> R + Send + 'static,
    R: Future<Output = Result<V, E>> + Send + 'static,
    V: Send + 'static,
    E: Send + 'static,
    C: Form<V>,
{
    type Output = Result<C::Output, FillError<E>>;

    async fn run(self, call: Result<Call<'_>, Error>) -> Self::Output {
        let call = call?.of_key(self.key)?;
        let key = self.key;
        let place = (call.namespace().to_owned(), key.to_owned());
        let value = call.core.flights.join(place, self.fill(&call)).await?;
        C::decode(&value).ok_or_else(|| FillError::Refused(other_form(key)))
    }
}

impl<F, R, V, E, C> GetOrFill<'_, F, C>
where
    F: FnOnce() -> R + Send + 'static,
    R: Future<Output = Result<V, E>> + Send + 'static,
    V: Send + 'static,
    E: Send + 'static,
    C: Form<V>,
{
    /// Finds the value, or makes it.
    async fn fill(self, call: &Call<'_>) -> Result<Bytes, FillError<E>> {
        let Self { key, origin, within, marks, .. } = self;
        let begun = Instant::now();
        let has_form = |entry: &Entry| entry.value.as_ref().is_some_and(|v| C::decode(v).is_some());
        let (stale, may) = loop {
            let left = within.saturating_sub(begun.elapsed());
            match claim(call, key, (within, call.longest_wait().min(left))).await {
                Ok(Claimed::Found(entry)) if has_form(&entry) => {
                    return Ok(entry.value.unwrap_or_default());
                }
                Ok(Claimed::Found(entry)) => break (None, Some(May::Replace(entry.version))),
                Ok(Claimed::Refresh(entry, lease)) => {
                    let stale = if has_form(&entry) { entry.value } else { None };
                    break (stale, Some(May::Fill(lease)));
                }
                Ok(Claimed::Granted(lease)) => break (None, Some(May::Fill(lease))),
                Ok(Claimed::Busy) if begun.elapsed() < within => {}
                Err(error) if error.kind() == ErrorKind::Validation => return Err(error.into()),
                Ok(Claimed::Busy | Claimed::Missed) | Err(_) => break (None, None),
            }
        };
        let held = may.map(|may| Held::new(call, key, (may, marks)));
        let name = key.to_owned();
        let make = async move {
            let value = C::encode(&name, origin().await.map_err(FillError::Origin)?)?;
            if let Some(held) = held {
                held.store(&value).await;
            }
            Ok(value)
        };
        let Some(stale) = stale else { return make.await };
        // A failure of the origin is nobody's here: the next that reads asks it again.
        tokio::spawn(make);
        Ok(stale)
    }
}

fn other_form(key: &str) -> Error {
    let text = format!("the value of `{key}` was made in another form meanwhile");
    Error::new(ErrorKind::Other, text)
}

/// By what right a caller stores what the origin makes.
enum May {
    /// It fills a key.
    Fill(Lease),
    /// It replaces a value that has not the form that it wants.
    Replace(Version),
}

/// A lease while the origin works. If that fails, or the caller is dropped, it goes to the next.
struct Held {
    call: Detached,
    /// Without the value.
    write: WriteRequest,
    is_used: AtomicBool,
}

impl Held {
    fn new(call: &Call<'_>, key: &str, (may, marks): (May, Marks)) -> Self {
        let (lease_token, condition) = match may {
            May::Fill(lease) => (lease.token(), None),
            May::Replace(version) => (0, Some(Condition::Version(version).message())),
        };
        let write = WriteRequest {
            key: key.to_owned(),
            ttl_ms: call.ttl_ms(),
            lease_token,
            condition,
            ..marks.message()
        };
        Self { call: call.detached(), write, is_used: AtomicBool::new(false) }
    }

    /// Stores the value. What fails here costs another call to the origin, no more.
    async fn store(&self, value: &Bytes) {
        self.is_used.store(true, Ordering::Relaxed);
        let write = WriteRequest { value: value.clone(), ..self.write.clone() };
        let _ = self.call.make(&write.key, &write).await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.is_used.load(Ordering::Relaxed) || self.write.lease_token == 0 {
            return;
        }
        let WriteRequest { key, lease_token, .. } = std::mem::take(&mut self.write);
        let (call, request) = (self.call.clone(), ReleaseRequest { key, lease_token });
        // If it fails, the lease ends by its time.
        runtime.spawn(async move { call.make(&request.key, &request).await });
    }
}

impl<F, C> fmt::Debug for GetOrFill<'_, F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetOrFill").field("key", &self.key).finish_non_exhaustive()
    }
}

//! What a request was about, for metrics and traces: sizes and counts, no keys and no values.
//!
//! The service knows it, [`super::Call`] tells it on. Between them stands tonic, which lets
//! only a message and boxed extensions through; but a command runs to its end within one poll,
//! on the thread of that poll, so the facts wait there, at the cost of a few stores.

use std::cell::{Cell, RefCell};

use prost::Message;
use tiny_cache_proto::cache::{
    CacheItem, CacheKey, CacheResponse, CacheStats, CacheValue, CompareAndSetRequest,
    ConditionalCacheResponse, Empty, MultiCacheItemRequest, MultiCacheKeyRequest,
    MultiCacheResponse, MultiCacheValueResponse,
};
use tonic::Code;

/// The facts of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Bytes of the request's message, uncompressed; none when it was not decoded.
    pub(crate) request_bytes: Option<u64>,
    /// Bytes of the reply's message; none when there is no message, only a status.
    pub(crate) reply_bytes: Option<u64>,
    /// Keys that were asked for, or items written or deleted.
    pub(crate) items: u64,
    /// Of a read's keys, those that were found.
    pub(crate) hits: u64,
    /// Of a read's keys, those that were not.
    pub(crate) misses: u64,
    /// Bytes of the values that were written or read.
    pub(crate) value_bytes: u64,
    /// The caller reset the request, or lost its connection, while its message was arriving.
    pub(crate) caller_gone: bool,
}

/// The keys of a request, for a span that records them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// Empty: the shared keyspace.
    pub(crate) namespace: String,
    /// At most [`Named::MOST_KEYS`], of [`Named::MOST_BYTES`] together.
    pub(crate) keys: Vec<String>,
}

thread_local! {
    static FACTS: Cell<Facts> = const { Cell::new(Facts::none()) };
    static NAMES_WANTED: Cell<bool> = const { Cell::new(false) };
    static NAMED: RefCell<Option<Named>> = const { RefCell::new(None) };
}

impl Named {
    /// Keys of a batch that are recorded; a span with all of 10,000 helps nobody.
    const MOST_KEYS: usize = 100;

    /// Bytes of those keys together: thousands of spans may wait.
    const MOST_BYTES: usize = 4 << 10;

    /// Says whether the poll that begins wants to know the keys.
    pub(super) fn want(wanted: bool) {
        NAMES_WANTED.set(wanted);
    }

    /// Leaves the keys of a request, if they are wanted.
    pub(crate) fn leave(namespace: &str, message: &impl Describe) {
        if !NAMES_WANTED.get() {
            return;
        }
        let mut bytes = 0;
        let fits = |key: &&str| {
            bytes += key.len();
            bytes <= Self::MOST_BYTES
        };
        let keys = message.keys().take(Self::MOST_KEYS).take_while(fits).map(str::to_owned);
        let keys = keys.collect();
        NAMED.set(Some(Self { namespace: namespace.to_owned(), keys }));
    }

    /// Takes what the poll that just ended has left, if anything.
    pub(super) fn take() -> Option<Self> {
        NAMED.take()
    }
}

impl Facts {
    const fn none() -> Self {
        Self {
            request_bytes: None,
            reply_bytes: None,
            items: 0,
            hits: 0,
            misses: 0,
            value_bytes: 0,
            caller_gone: false,
        }
    }

    /// The facts that a request tells.
    pub(crate) fn of_request(message: &(impl Message + Describe)) -> Self {
        let mut facts = Self::none();
        facts.request_bytes = Some(message.encoded_len() as u64);
        message.describe(&mut facts);
        facts
    }

    /// The facts of a request whose message broke off.
    pub(super) fn of_lost_caller() -> Self {
        Self { caller_gone: true, ..Self::none() }
    }

    /// Adds what the reply tells.
    pub(crate) fn add_reply(&mut self, message: &(impl Message + Describe)) {
        self.reply_bytes = Some(message.encoded_len() as u64);
        message.describe(self);
    }

    /// The status that a request ends with, which is `made` unless its caller is gone: tonic
    /// takes a message that broke off for an error of ours. Nobody is there to read the status,
    /// but who looks at the figures would look for a fault here.
    pub(super) fn status(&self, made: Code) -> Code {
        if self.caller_gone { Code::Cancelled } else { made }
    }

    /// Leaves the facts for the call that is being polled on this thread.
    pub(crate) fn leave(self) {
        FACTS.set(self);
    }

    /// Takes what the poll that just ended has left, if anything.
    pub(super) fn take() -> Self {
        FACTS.replace(Self::none())
    }
}

/// A message that knows how many items it carries, and how many bytes of values.
pub(crate) trait Describe {
    /// Adds what the message tells.
    fn describe(&self, facts: &mut Facts);

    /// The keys that a request names.
    fn keys(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
}

impl Describe for CacheKey {
    fn describe(&self, facts: &mut Facts) {
        facts.items = 1;
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.key.as_str())
    }
}

impl Describe for MultiCacheKeyRequest {
    fn describe(&self, facts: &mut Facts) {
        facts.items = self.keys.len() as u64;
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }
}

impl Describe for CacheItem {
    fn describe(&self, facts: &mut Facts) {
        facts.items = 1;
        facts.value_bytes = self.value.len() as u64;
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.key.as_str())
    }
}

impl Describe for CompareAndSetRequest {
    fn describe(&self, facts: &mut Facts) {
        facts.items = 1;
        facts.value_bytes = self.value.len() as u64;
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.key.as_str())
    }
}

impl Describe for MultiCacheItemRequest {
    fn describe(&self, facts: &mut Facts) {
        facts.items = self.items.len() as u64;
        facts.value_bytes = self.items.iter().map(|item| item.value.len() as u64).sum();
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.key.as_str())
    }
}

impl Describe for CacheValue {
    fn describe(&self, facts: &mut Facts) {
        facts.hits = u64::from(self.found);
        facts.misses = u64::from(!self.found);
        facts.value_bytes = self.value.len() as u64;
    }
}

impl Describe for MultiCacheValueResponse {
    fn describe(&self, facts: &mut Facts) {
        for item in &self.items {
            facts.hits += u64::from(item.found);
            // An item that was refused was never looked up.
            facts.misses += u64::from(!item.found && item.error.is_empty());
            facts.value_bytes += item.value.len() as u64;
        }
    }
}

/// Messages that tell nothing beyond their size.
macro_rules! plain {
    ($($message:ty)*) => {
        $(impl Describe for $message {
            fn describe(&self, _: &mut Facts) {}
        })*
    };
}

plain! { Empty CacheResponse ConditionalCacheResponse MultiCacheResponse CacheStats }

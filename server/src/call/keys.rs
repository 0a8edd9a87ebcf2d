//! The keys of a call, for a span that records them.

use super::message::RequestMessage;

/// Keys of a batch that are recorded; a span with all of 10,000 helps nobody.
const MOST_KEYS: usize = 100;

/// Bytes of those keys together: thousands of spans may wait.
const MOST_BYTES: usize = 4 << 10;

/// The namespace and the first keys of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordedKeys {
    /// Empty: the shared keyspace.
    pub(crate) namespace: String,
    /// At most [`MOST_KEYS`], of [`MOST_BYTES`] together.
    pub(crate) keys: Vec<String>,
}

impl RecordedKeys {
    pub(super) fn of<'a>(namespace: &str, message: &impl RequestMessage<'a>) -> Self {
        let mut bytes = 0;
        let fits = |key: &&str| {
            bytes += key.len();
            bytes <= MOST_BYTES
        };
        let keys = message.keys().take(MOST_KEYS).take_while(fits).map(str::to_owned);
        Self { namespace: namespace.to_owned(), keys: keys.collect() }
    }
}

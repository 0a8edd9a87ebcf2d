//! What the messages of an RPC report of themselves. The file of each command implements it for
//! the messages that it introduces.

use prost::Message;

use super::{facts::Facts, segments::Segments};

/// A message that a caller sends.
pub(crate) trait RequestMessage: Message + Default + 'static {
    /// The keys that it names, one for each item.
    fn keys(&self) -> impl ExactSizeIterator<Item = &str>;

    /// Bytes of the values that it brings.
    fn value_bytes(&self) -> usize {
        0
    }
}

/// A message that answers a call.
pub(crate) trait ReplyMessage: Message + Default + 'static {
    /// Adds what was read.
    fn describe(&self, _: &mut Facts) {}

    /// The message in segments; `None` when it has no large value.
    fn segments(&self) -> Option<Segments> {
        None
    }
}

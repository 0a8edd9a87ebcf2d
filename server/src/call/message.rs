//! What the messages of an RPC are to the server. The file of each command has those that it
//! introduces.

use super::{facts::Facts, writer::ReplyWriter};

/// What a caller asks, borrowed from the message in which it came.
pub(crate) trait RequestMessage<'a>: Sized {
    /// Reads an encoded message. `None`: it is none of the RPC, or has fields that the contract
    /// does not know. What this reads, prost reads too, and in the same way.
    fn decode(message: &'a [u8]) -> Option<Self>;

    /// The keys that it names, one for each item.
    fn keys(&self) -> impl ExactSizeIterator<Item = &'a str>;

    /// Bytes of the values that it brings.
    fn value_bytes(&self) -> usize {
        0
    }
}

/// What answers a call.
pub(crate) trait ReplyMessage {
    /// Adds what was read.
    fn describe(&self, _: &mut Facts) {}

    /// Writes the message.
    fn write(&self, message: &mut ReplyWriter);
}

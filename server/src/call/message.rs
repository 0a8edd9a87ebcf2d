//! What the messages of an RPC are to the server. The file of each command has those that it
//! introduces.

use super::{
    facts::{Facts, Reads},
    writer::ReplyWriter,
};

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

    /// What it does with values that its RPC alone does not say, so that its caller may not be
    /// allowed to.
    fn uses(&self) -> Uses {
        Uses::default()
    }
}

/// What is done with values, or may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    pub(crate) reads: bool,
    pub(crate) writes: bool,
}

impl Uses {
    pub(crate) const ALL: Self = Self { reads: true, writes: true };

    pub(crate) fn and(self, other: Self) -> Self {
        Self { reads: self.reads || other.reads, writes: self.writes || other.writes }
    }

    /// What of it is not among those.
    pub(crate) fn beyond(self, others: Self) -> Self {
        Self { reads: self.reads && !others.reads, writes: self.writes && !others.writes }
    }
}

/// What answers a call.
pub(crate) trait ReplyMessage {
    /// Adds what was read.
    fn describe(&self, _: &mut Facts) {}

    /// Whether it reports of nothing that was changed, so that its caller loses nothing but time
    /// when it is not sent.
    fn may_be_withheld(&self) -> bool {
        let mut facts = Facts::default();
        self.describe(&mut facts);
        facts.reads != Reads::None
    }

    /// Writes the message.
    fn write(&self, message: &mut ReplyWriter);
}

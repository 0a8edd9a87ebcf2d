//! Sizes and counts of one call, for metrics, traces and the log: no keys and no values.

use tonic::Code;

/// The facts of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Bytes of the request's message, uncompressed; none when it was not decoded.
    pub(crate) request_bytes: Option<u64>,
    /// Bytes of the reply's message; none when there is no message, only a status.
    pub(crate) reply_bytes: Option<u64>,
    /// Keys that were asked for, or items written or deleted.
    pub(crate) items: u64,
    pub(crate) reads: Reads,
    /// Of a read's keys, those that were found.
    pub(crate) hits: u64,
    /// Of a read's keys, those that were not.
    pub(crate) misses: u64,
    /// Bytes of the values that were written or read.
    pub(crate) value_bytes: u64,
    /// The caller reset the request, or lost its connection, while its message was arriving.
    pub(crate) caller_gone: bool,
}

/// How many keys an RPC looks up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reads {
    #[default]
    None,
    One,
    Many,
}

impl Facts {
    pub(super) const NONE: Self = Self {
        request_bytes: None,
        reply_bytes: None,
        items: 0,
        reads: Reads::None,
        hits: 0,
        misses: 0,
        value_bytes: 0,
        caller_gone: false,
    };

    /// The status to count a call under: `made`, unless the caller is gone. tonic reports a
    /// message that broke off as an error of the server; nobody reads that status, but the
    /// metrics would blame the server for it.
    pub(crate) fn status(&self, made: Code) -> Code {
        if self.caller_gone { Code::Cancelled } else { made }
    }
}

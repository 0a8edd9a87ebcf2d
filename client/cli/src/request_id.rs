//! Writes the `x-request-id` of replies to stderr: the name of a call in the server's logs.

use std::{
    io::{self, Write},
    sync::Mutex,
};

use tiny_cache_client::ReplyMetadata;
use tiny_cache_proto::X_REQUEST_ID;

/// The last id. Tries and parts of a batch that have the same id write one line.
#[derive(Debug, Default)]
pub(crate) struct RequestIds {
    last: Mutex<Option<String>>,
}

impl RequestIds {
    /// Writes the id of a reply, unless it is that of the previous reply.
    pub(crate) fn show(&self, reply: ReplyMetadata<'_>) {
        let id = reply.get(X_REQUEST_ID).unwrap_or_default();
        let mut last = self.last.lock().expect("nothing panics while it is locked");
        if last.as_deref() == Some(id) {
            return;
        }
        *last = Some(id.to_owned());
        let line = if id.is_empty() {
            format!("the reply has no {X_REQUEST_ID}")
        } else {
            format!("{X_REQUEST_ID}={id}")
        };
        // Nothing can be reported if stderr is closed.
        let _ = writeln!(io::stderr(), "{line}");
    }
}

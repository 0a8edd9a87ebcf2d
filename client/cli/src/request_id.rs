//! The `x-request-id` of replies, on stderr: what the server's logs call a call.

use std::{
    io::{self, Write},
    sync::Mutex,
};

use tiny_cache_client::ReplyMetadata;

const HEADER: &str = "x-request-id";

/// The ids so far. Tries and parts of a batch that were sent under one id are one line.
#[derive(Debug, Default)]
pub(crate) struct RequestIds {
    last: Mutex<Option<String>>,
}

impl RequestIds {
    /// Writes the id of a reply, unless that of the reply before was the same.
    pub(crate) fn show(&self, reply: &ReplyMetadata<'_>) {
        let id = reply.get(HEADER).unwrap_or_default();
        let mut last = self.last.lock().expect("nothing panics while it is locked");
        if last.as_deref() == Some(id) {
            return;
        }
        *last = Some(id.to_owned());
        let line = if id.is_empty() {
            format!("the reply has no {HEADER}")
        } else {
            format!("{HEADER}={id}")
        };
        // A closed stderr has no reader of the id.
        let _ = writeln!(io::stderr(), "{line}");
    }
}

//! A command that calls a server: what it is given, and how it ends.

use serde_json::Value;
use tiny_cache_client::Client;

use crate::{
    connection::ConnectionArgs,
    error::{Error, Target},
    output::{self, Object, Output},
};

/// How a command ends without an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Done,
    /// A miss, or a condition that was not met.
    Unmet,
}

impl From<bool> for Verdict {
    fn from(is_met: bool) -> Self {
        if is_met { Self::Done } else { Self::Unmet }
    }
}

/// A command that calls a server.
pub(crate) trait Call: Sized {
    /// Whether --timeout holds for each try of each part, and not for the whole call.
    const IS_BATCH: bool = false;

    async fn run(self, session: &Session) -> Result<Verdict, Error>;

    /// Connects and runs the command.
    async fn call(self, connection: &ConnectionArgs, output: Output) -> Result<Verdict, Error> {
        let client = connection.client(Self::IS_BATCH)?;
        let target = connection.target()?;
        let shows_request_ids = connection.show_request_id;
        let session = Session { client, target, shows_request_ids, output };
        let result = self.run(&session).await;
        connection.report_trace();
        result.map_err(|error| error.at(&session.target))
    }
}

/// The client of a command, and the form of its output.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) target: Target,
    pub(crate) shows_request_ids: bool,
    output: Output,
}

impl Session {
    pub(crate) fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    /// Writes a result as text or as a JSON object.
    pub(crate) fn show(&self, text: &str, json: Vec<(&'static str, Value)>) -> Result<(), Error> {
        match self.output {
            Output::Text => output::text(text),
            Output::Json => output::json(&Object(json)),
        }
    }

    /// Writes the outcome of a conditional write.
    pub(crate) fn conclude(&self, key: &str, outcome: &str) -> Result<Verdict, Error> {
        let stored = outcome == "stored";
        let json =
            vec![("key", key.into()), ("stored", stored.into()), ("outcome", outcome.into())];
        self.show(&format!("{outcome}\n"), json)?;
        Ok(stored.into())
    }
}

//! `set-if-absent`: a write that happens if there is no value.

use clap::Args;
use tiny_cache_client::SetIfAbsentOutcome;

use super::{Call, Error, Session, TtlArgs, ValueArgs, Verdict, input};

const MORE: &str = "\
Output:
  `stored` or `exists`; in JSON
    {\"key\":\"k\",\"stored\":false,\"outcome\":\"exists\"}
  Of many callers at once, one stores.

Examples:
  tiny-cache set-if-absent lock:nightly \"$HOSTNAME\" --ttl 10m && run-the-job

Exit codes:
  0  stored
  1  a value is there
  2  an error
";

/// Writes a value unless one is there
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct SetIfAbsentArgs {
    /// The key
    #[arg(value_parser = input::key())]
    key: String,

    #[command(flatten)]
    value: ValueArgs,

    #[command(flatten)]
    ttl: TtlArgs,
}

impl Call for SetIfAbsentArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let Self { key, value, ttl } = self;
        let request = session.client.set_if_absent(&key, value.source().read()?);
        let reply = request.ttl(ttl.or_default()).await;
        let outcome = match session.written(reply).await? {
            SetIfAbsentOutcome::Stored => "stored",
            SetIfAbsentOutcome::Exists => "exists",
        };
        session.conclude(&key, outcome)
    }
}

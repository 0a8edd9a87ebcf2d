//! `set-if-absent` and `compare-and-set`: writes that happen if a condition holds.

use clap::Args;
use tiny_cache_client::{CompareAndSetOutcome, SetIfAbsentOutcome};

use super::Session;
use crate::{
    Verdict,
    error::Error,
    input::{self, ExpectedArgs, TtlArgs, ValueArgs},
    output::{self, Object},
};

const ABSENT_MORE: &str = "\
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

const COMPARE_MORE: &str = "\
Output:
  `stored`, `mismatch` or `not_found`; in JSON
    {\"key\":\"k\",\"stored\":false,\"outcome\":\"mismatch\"}
  Of many callers at once, one stores.

Examples:
  tiny-cache compare-and-set count --expected 1 2
  tiny-cache compare-and-set config --expected-file old --file new --ttl 0
  tiny-cache compare-and-set flags --expected-hex 00ff --hex 01ff

Exit codes:
  0  stored
  1  another value is there, or none
  2  an error
";

/// Writes a value unless one is there
#[derive(Args, Debug)]
#[command(after_help = ABSENT_MORE)]
pub(crate) struct SetIfAbsentArgs {
    /// The key
    #[arg(value_parser = input::key())]
    key: String,

    #[command(flatten)]
    value: ValueArgs,

    #[command(flatten)]
    ttl: TtlArgs,
}

/// Replaces a value if it is the expected one
#[derive(Args, Debug)]
#[command(after_help = COMPARE_MORE)]
pub(crate) struct CompareAndSetArgs {
    /// The key
    #[arg(value_parser = input::key())]
    key: String,

    #[command(flatten)]
    expected: ExpectedArgs,

    #[command(flatten)]
    value: ValueArgs,

    #[command(flatten)]
    ttl: TtlArgs,
}

impl SetIfAbsentArgs {
    pub(crate) async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let Self { key, value, ttl } = self;
        let request = session.client.set_if_absent(&key, value.read()?);
        let reply = request.ttl(ttl.or_default()).await;
        let outcome = match session.written(reply).await? {
            SetIfAbsentOutcome::Stored => "stored",
            SetIfAbsentOutcome::Exists => "exists",
        };
        conclude(session, &key, outcome)
    }
}

impl CompareAndSetArgs {
    pub(crate) async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let Self { key, expected, value, ttl } = self;
        if value.is_stdin() && expected.is_stdin() {
            return Err(Error::Refused(
                "stdin cannot be both values; name a file for --expected-file or --file".to_owned(),
            ));
        }
        let expected = expected.read()?;
        let request = session.client.compare_and_set(&key, expected, value.read()?);
        let reply = request.ttl(ttl.or_default()).await;
        let outcome = match session.written(reply).await? {
            CompareAndSetOutcome::Stored => "stored",
            CompareAndSetOutcome::Mismatch => "mismatch",
            CompareAndSetOutcome::NotFound => "not_found",
        };
        conclude(session, &key, outcome)
    }
}

fn conclude(session: &Session, key: &str, outcome: &str) -> Result<Verdict, Error> {
    let stored = outcome == "stored";
    if session.is_json() {
        output::json(&Object([
            ("key", key.into()),
            ("stored", stored.into()),
            ("outcome", outcome.into()),
        ]))?;
    } else {
        output::line(outcome)?;
    }
    Ok(if stored { Verdict::Done } else { Verdict::Unmet })
}

//! `compare-and-set`: a write that happens if the value is the expected one.

use clap::Args;
use tiny_cache_client::CompareAndSetOutcome;

use super::{Call, Error, Session, Verdict, refused};
use crate::input::{self, ExpectedArgs, TtlArgs, ValueArgs};

const MORE: &str = "\
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

/// Replaces a value if it is the expected one
#[derive(Args, Debug)]
#[command(
    after_help = MORE,
    override_usage = "tiny-cache compare-and-set [OPTIONS] <KEY> --expected <VALUE> [VALUE]"
)]
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

impl Call for CompareAndSetArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let Self { key, expected, value, ttl } = self;
        let (expected, value) = (expected.source(), value.source());
        if value.is_stdin() && expected.is_stdin() {
            return Err(refused!(
                "stdin cannot be both values; name a file for --expected-file or --file"
            ));
        }
        let request = session.client.compare_and_set(&key, expected.read()?, value.read()?);
        let reply = request.ttl(ttl.or_default()).await;
        let outcome = match session.written(reply).await? {
            CompareAndSetOutcome::Stored => "stored",
            CompareAndSetOutcome::Mismatch => "mismatch",
            CompareAndSetOutcome::NotFound => "not_found",
        };
        session.conclude(&key, outcome)
    }
}

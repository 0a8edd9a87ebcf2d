//! `remove`: takes one value away, if a condition holds.

use clap::Args;

use super::{
    Call, Error, Session, Verdict,
    write::{ConditionArgs, show},
};
use crate::input;

const MORE: &str = "\
Output:
  `applied`, `not_found` or `mismatch`, and the version that is there now, if
  any; with --previous, a line with the value that was there. JSON is as that
  of `write`.

Examples:
  tiny-cache remove lock --if-value mine
  tiny-cache remove job:7 --previous

Exit codes:
  0  removed
  1  nothing was there, or the condition did not hold
  2  an error
";

/// Removes a value if a condition holds
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct RemoveArgs {
    /// The key
    #[arg(value_parser = input::key())]
    key: String,

    #[command(flatten)]
    condition: ConditionArgs,

    /// Show the value that was there
    #[arg(long)]
    previous: bool,
}

impl Call for RemoveArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let Self { key, condition, previous } = self;
        let mut request = session.client.remove(&key);
        if let Some(condition) = condition.read()? {
            request = request.when(condition);
        }
        if previous {
            request = request.with_previous();
        }
        show(session, &key, &request.await?)
    }
}

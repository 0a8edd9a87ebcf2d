//! `mdelete`: many keys.

use clap::Args;

use super::{Call, Error, Session, Verdict, input, refusals::Refusals};

const MORE: &str = "\
Output:
  Nothing; in JSON the number of keys that were taken, whether or not there
  was a value, and what was refused:
    {\"accepted\":2,\"refused\":[]}

Examples:
  tiny-cache mdelete a b c
  tiny-cache mdelete - < keys.txt

Exit codes:
  0  the values are not there any more
  2  an error
";

/// Removes many values
///
/// The server does not report which of them were there.
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct MdeleteArgs {
    /// Keys; - takes those of stdin, one in a line, without its line end; blank lines are
    /// skipped
    #[arg(required = true, value_name = "KEY", value_parser = input::key())]
    keys: Vec<String>,
}

impl Call for MdeleteArgs {
    const IS_BATCH: bool = true;

    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let keys = input::keys(self.keys)?;
        let results = session.client.delete_many(&keys).await.map_err(|error| {
            Error::of_batch(error, "; some of the values may have been removed")
        })?;
        let refusals = Refusals::of(&keys, &results);
        if session.is_json() {
            refusals.report("accepted")?;
        }
        refusals.check(None)?;
        Ok(Verdict::Done)
    }
}

//! `delete`: one key.

use clap::Args;

use super::{Call, Error, Session, Verdict, input};

const MORE: &str = "\
Output:
  Nothing; in JSON, whether or not there was a value,
    {\"key\":\"k\",\"accepted\":true}

Exit codes:
  0  the value is not there any more
  2  an error
";

/// Removes a value
///
/// The server does not report whether it was there.
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct DeleteArgs {
    /// The key
    #[arg(value_parser = input::key())]
    key: String,
}

impl Call for DeleteArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        session.client.delete(&self.key).await?;
        session.show("", vec![("key", self.key.into()), ("accepted", true.into())])?;
        Ok(Verdict::Done)
    }
}

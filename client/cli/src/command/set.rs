//! `set`: one value, from an argument, a file or stdin.

use clap::Args;

use super::{Call, Error, Session, TtlArgs, ValueArgs, Verdict, input};

const MORE: &str = "\
Output:
  Nothing; in JSON
    {\"key\":\"k\",\"stored\":true}

Examples:
  tiny-cache set greeting hello --ttl 10m
  tiny-cache set photo --file cat.jpg
  tar cz src | tiny-cache set backup --ttl 0
  tiny-cache set token --hex 00ff
  tiny-cache get token --format base64 | tiny-cache set copy --base64 -
  tiny-cache set flag -- --value-that-looks-like-an-option

Exit codes:
  0  written
  2  an error
";

/// Writes a value
///
/// A value that was there is replaced, its time to live included.
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct SetArgs {
    /// The key
    #[arg(value_parser = input::key())]
    key: String,

    #[command(flatten)]
    value: ValueArgs,

    #[command(flatten)]
    ttl: TtlArgs,
}

impl Call for SetArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let value = self.value.source().read()?;
        let reply = session.client.set(&self.key, value).ttl(self.ttl.or_default()).await;
        session.written(reply).await?;
        session.show("", vec![("key", self.key.into()), ("stored", true.into())])?;
        Ok(Verdict::Done)
    }
}

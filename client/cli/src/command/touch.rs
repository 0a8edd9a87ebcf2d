//! `touch`: gives an entry another time to live.

use clap::Args;

use super::{Call, Error, Session, TtlArgs, Verdict, read::show};
use crate::input;

const MORE: &str = "\
Output:
  What `read --exists` writes. The version stays: the value is the same.

Examples:
  tiny-cache touch session:7 --ttl 30m
  tiny-cache touch config --ttl 0

Exit codes:
  0  the entry lives so long from now on
  1  a miss
  2  an error
";

/// Gives a value another time to live, from now on
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct TouchArgs {
    /// The key
    #[arg(value_parser = input::key())]
    key: String,

    #[command(flatten)]
    ttl: TtlArgs,
}

impl Call for TouchArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let Self { key, ttl } = self;
        let request = session.client.read(&key).without_value().touch(ttl.or_default());
        show(session, &key, session.written(request.await).await?)
    }
}

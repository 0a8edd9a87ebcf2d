//! `invalidate`: the values of tags, or of a namespace.

use clap::Args;

use super::{Call, Error, Session, Verdict, refused};

const MORE: &str = "\
Output:
  `invalidated`: every value that was written with one of the tags, in the
  namespace of the call, is unreadable. What is written afterwards is not
  touched. Of several servers, all are asked. JSON is
    {\"invalidated\":[\"author:3\"]}
  and {\"invalidated\":\"namespace\"} with --all.

Examples:
  tiny-cache invalidate author:3
  tiny-cache invalidate author:3 news
  tiny-cache --namespace shop invalidate --all

Exit codes:
  0  invalidated
  2  an error
";

/// Makes all values with a tag, or of a namespace, unreadable
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct InvalidateArgs {
    /// The tags
    #[arg(value_name = "TAG")]
    tags: Vec<String>,

    /// Every value of the namespace; without one, of the shared keyspace
    #[arg(long, conflicts_with = "tags")]
    all: bool,
}

impl Call for InvalidateArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        if self.tags.is_empty() && !self.all {
            return Err(refused!("name a TAG, or give --all for every value of the namespace"));
        }
        let client = &session.client;
        let what = if self.all {
            client.invalidate_namespace().await?;
            "namespace".into()
        } else {
            client.invalidate(&self.tags).await?;
            self.tags.into()
        };
        session.show("invalidated\n", vec![("invalidated", what)])?;
        Ok(Verdict::Done)
    }
}

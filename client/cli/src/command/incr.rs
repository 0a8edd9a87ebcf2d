//! `incr`: one step of a counter.

use clap::Args;
use serde_json::Value;
use tiny_cache_client::{AddOutcome, Counter};

use super::{Call, Error, Session, TtlArgs, Verdict};
use crate::input;

const MORE: &str = "\
Output:
  What the counter is now. Nothing is added where the sum would be beyond
  --least or --most; with --saturate the counter becomes that. JSON is
    {\"key\":\"k\",\"outcome\":\"added\",\"value\":3,\"version\":140,\"ttl_left_ms\":900}
  with `saturated` or `refused` as other outcomes.

  A counter lives for --ttl from its first step; with --renew-ttl from each.
  With --most it is a limiter by fixed windows.

Examples:
  tiny-cache incr visits --ttl 0
  tiny-cache incr stock:7 -1 --least 0 --ttl 0
  tiny-cache incr calls:alice --most 100 --ttl 1m || echo 'too many calls'

Exit codes:
  0  added
  1  refused, or cut to the bound
  2  an error
";

/// Adds to a counter, and makes it if it is not there
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct IncrArgs {
    /// The key
    #[arg(value_parser = input::key())]
    key: String,

    /// What is added
    #[arg(default_value_t = 1, allow_negative_numbers = true)]
    delta: i64,

    /// What it is added to if there is no counter
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_negative_numbers = true)]
    initial: i64,

    /// The least that the counter may be
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    least: Option<i64>,

    /// The most that the counter may be
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    most: Option<i64>,

    /// Make it the bound where it would be beyond that
    #[arg(long)]
    saturate: bool,

    #[command(flatten)]
    ttl: TtlArgs,

    /// Have it live for the time to live from each step on
    #[arg(long)]
    renew_ttl: bool,
}

impl Call for IncrArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let mut request = session.client.add(&self.key, self.delta).initial(self.initial);
        if let Some(least) = self.least {
            request = request.at_least(least);
        }
        if let Some(most) = self.most {
            request = request.at_most(most);
        }
        if self.saturate {
            request = request.saturating();
        }
        if self.renew_ttl {
            request = request.renewing_ttl();
        }
        let counter = request.ttl(self.ttl.or_default()).await?;
        show(session, &self.key, &counter)
    }
}

fn show(session: &Session, key: &str, counter: &Counter) -> Result<Verdict, Error> {
    let outcome = match counter.outcome {
        AddOutcome::Added => "added",
        AddOutcome::Saturated => "saturated",
        AddOutcome::Refused => "refused",
        _ => "unknown",
    };
    let left = counter.ttl_left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    let members = vec![
        ("key", key.into()),
        ("outcome", outcome.into()),
        ("value", counter.value.into()),
        ("version", counter.version.map_or(Value::Null, |version| version.get().into())),
        ("ttl_left_ms", left.map_or(Value::Null, Value::from)),
    ];
    session.show(&format!("{}\n", counter.value), members)?;
    Ok(counter.is_added().into())
}

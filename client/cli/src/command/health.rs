//! `health`: the health that the server reports.

use clap::Args;
use tiny_cache_client::Health;

use super::{Call, Error, Session, Verdict};

const MORE: &str = "\
Output:
  `serving`, `not_serving` or `unknown`; in JSON
    {\"health\":\"serving\"}

Exit codes:
  0  serving
  1  anything else
  2  an error, or no answer
";

/// Shows the health that the server reports
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct HealthArgs {}

impl Call for HealthArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let health = session.client.health().await?;
        let name = name(health);
        session.show(&format!("{name}\n"), vec![("health", name.into())])?;
        Ok((health == Health::Serving).into())
    }
}

pub(super) fn name(health: Health) -> &'static str {
    match health {
        Health::Serving => "serving",
        Health::NotServing => "not_serving",
        _ => "unknown",
    }
}

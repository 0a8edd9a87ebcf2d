//! `ping`: whether the server takes calls, and how fast it answers.

use std::time::Instant;

use clap::Args;
use tiny_cache_client::{ErrorKind, Health};

use super::{Call, Session, Verdict, health::name};
use crate::error::{self, Error};

const MORE: &str = "\
Output:
  A line with the time or the reason; in JSON one of
    {\"address\":\"grpc://cache:50051\",\"alive\":true,\"milliseconds\":1.4}
    {\"address\":\"grpc://cache:50051\",\"alive\":false,\"reason\":\"…\"}

Exit codes:
  0  it takes calls
  1  it is not there or takes none
  2  the command line is wrong
";

/// Checks that the server can be reached and takes calls, and how fast it answers
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct PingArgs {}

impl Call for PingArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let address = &session.target.address;
        let start = Instant::now();
        let answer = session.client.health().await;
        let milliseconds = start.elapsed().as_micros() as f64 / 1e3;
        let trouble = match answer {
            Ok(Health::Serving) => None,
            Ok(health) => Some(format!("its health is {}", name(health))),
            // It answers, but does not implement health.
            Err(error) if error.kind() == ErrorKind::Unimplemented => None,
            // The command line is wrong, not the server.
            Err(error) if error.kind() == ErrorKind::Validation => return Err(error.into()),
            Err(error) => Some(error::told(&error, Some(&session.target))),
        };
        let alive = trouble.is_none();
        let (text, last) = match trouble {
            None => (
                format!("{address} answers in {milliseconds:.1} ms, connecting included\n"),
                ("milliseconds", milliseconds.into()),
            ),
            Some(trouble) => {
                (format!("{address} takes no calls: {trouble}\n"), ("reason", trouble.into()))
            }
        };
        let address = ("address", address.as_str().into());
        session.show(&text, vec![address, ("alive", alive.into()), last])?;
        Ok(alive.into())
    }
}

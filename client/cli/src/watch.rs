//! `watch-stats`: the server's figures as they change, drawn on a terminal, or as lines elsewhere.

mod source; // samples the server
mod meter; // makes rates of counters
mod plain; // lines
mod history; // the samples of the view
mod view; // draws them
mod terminal; // the screen and the keys

use std::{env, num::NonZeroU64, time::Duration};

use clap::Args;

use self::source::Source;
use crate::{
    connection::positive_duration,
    error::{Error, Target, refused},
    output,
    session::{Call, Session, Verdict},
};

const MORE: &str = "\
Output:
  On a terminal, a view that q, Esc and Ctrl-C end; the last figures stay as
  a line. While a server does not answer, the reason stands at the foot, the
  last figures are dimmed and without colour, and the view goes on when it is
  back. A sample may take as long as an interval, or a second where
  that is longer, but never more than --timeout. Hit ratios are those of each
  interval. The first sample has no rates: they take two.

  Elsewhere, and where TERM is dumb or not set, one line for each sample,
  with the time in UTC, and with - for a rate that is not known:
    time=2025-03-01T12:00:00.000Z hits/s=120.0 misses/s=4.0 …
  With --output json it is an object, with null for such a rate:
    {\"time\":\"2025-03-01T12:00:00.000Z\",\"hits_per_second\":120.0,
     \"misses_per_second\":4.0,\"hit_ratio\":0.968,\"entries\":900,
     \"memory_usage_bytes\":91904,\"max_memory_bytes\":104857600,
     \"evictions_per_second\":0.0}
  A sample without an answer is
    time=… error: …
    {\"time\":…,\"error\":…}

Examples:
  tiny-cache watch-stats
  tiny-cache watch-stats --interval 10s --count 6 | tee figures.txt

Exit codes:
  0  ended as asked
  2  an error, or not one answer
";

/// Shortest deadline of a sample: a server that answers within it is slow, not away.
const SHORTEST_DEADLINE: Duration = Duration::from_secs(1);

/// Shows the figures of the server as they change
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct WatchArgs {
    /// Time from one sample to the next
    #[arg(
        long,
        value_name = "DURATION",
        allow_hyphen_values = true,
        default_value = "1s",
        value_parser = positive_duration
    )]
    interval: Duration,

    /// End after N samples [default: go on]
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = count)]
    count: Option<NonZeroU64>,
}

impl Call for WatchArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let Self { interval, count } = self;
        let is_drawn = is_drawable() && !session.is_json();
        if is_drawn && session.shows_request_ids {
            return Err(refused!(
                "--show-request-id has no place in the view; leave it out, or pipe the samples: \
                 tiny-cache watch-stats --show-request-id | cat"
            ));
        }
        let mut target = session.target.clone();
        let deadline = interval.max(SHORTEST_DEADLINE);
        if deadline < target.timeout {
            target = Target { timeout: deadline, option: "--interval", ..target };
        }
        let source = Source::start(session.client.clone(), interval, target.timeout, count);
        if is_drawn {
            terminal::run(interval, target, source).await?;
        } else {
            plain::run(session.is_json(), &target, source).await?;
        }
        Ok(Verdict::Done)
    }
}

/// Whether stdout is a terminal that can move its cursor.
fn is_drawable() -> bool {
    let is_dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    output::is_terminal() && !is_dumb
}

fn count(text: &str) -> Result<NonZeroU64, &'static str> {
    text.parse().map_err(|_| "expected a whole number, at least 1")
}

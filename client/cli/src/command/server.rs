//! `stats`, `ping` and `health`: what the server says of itself.

use std::time::Instant;

use bytesize::ByteSize;
use tiny_cache_client::{ErrorKind, Health, Stats};

use super::Session;
use crate::{
    Verdict,
    error::{self, Error},
    output::{self, Object},
};

pub(crate) const STATS_MORE: &str = "\
Output:
  The figures since the server was started. `evictions` are the entries that
  had to make room and those that were not let in; `evictions by policy`, in
  JSON `lru_evictions`, are those that made room, as the server's policy
  chose them. Sizes are rounded in text; JSON has bytes, and 0 in `max_items`
  for no limit.

Exit codes:
  0  done
  2  an error
";

pub(crate) const PING_MORE: &str = "\
Output:
  A line with the time or the reason; in JSON one of
    {\"address\":\"grpc://cache:50051\",\"alive\":true,\"milliseconds\":1.4}
    {\"address\":\"grpc://cache:50051\",\"alive\":false,\"reason\":\"…\"}

Exit codes:
  0  it takes calls
  1  it is not there or takes none
  2  the command line is wrong
";

pub(crate) const HEALTH_MORE: &str = "\
Output:
  `serving`, `not_serving` or `unknown`; in JSON
    {\"health\":\"serving\"}

Exit codes:
  0  serving
  1  anything else
  2  an error, or no answer
";

/// `stats`
pub(crate) async fn stats(session: &Session) -> Result<Verdict, Error> {
    let stats = session.client.stats().await?;
    if session.is_json() {
        output::json(&Object([
            ("entries", stats.entries.into()),
            ("hits", stats.hits.into()),
            ("misses", stats.misses.into()),
            ("hit_ratio", stats.hit_ratio.into()),
            ("evictions", stats.evictions.into()),
            ("lru_evictions", stats.lru_evictions.into()),
            ("expired_removals", stats.expired_removals.into()),
            ("rejected_oversize", stats.rejected_oversize.into()),
            ("rejected_capacity", stats.rejected_capacity.into()),
            ("memory_usage_bytes", stats.memory_usage_bytes.into()),
            ("max_memory_bytes", stats.max_memory_bytes.into()),
            ("max_items", stats.max_items.into()),
            ("max_value_bytes", stats.max_value_bytes.into()),
        ]))?;
    } else {
        output::text(&table(&stats))?;
    }
    Ok(Verdict::Done)
}

fn table(stats: &Stats) -> String {
    let size = |bytes| ByteSize::b(bytes).display().iec().to_string();
    let limit = |items: u64| if items == 0 { "no limit".to_owned() } else { items.to_string() };
    let rows = [
        ("entries", stats.entries.to_string()),
        ("entries allowed", limit(stats.max_items)),
        ("memory", size(stats.memory_usage_bytes)),
        ("memory allowed", size(stats.max_memory_bytes)),
        ("largest value allowed", size(stats.max_value_bytes)),
        ("hits", stats.hits.to_string()),
        ("misses", stats.misses.to_string()),
        ("hit ratio", format!("{:.1} %", stats.hit_ratio * 100.0)),
        ("evictions", stats.evictions.to_string()),
        ("evictions by policy", stats.lru_evictions.to_string()),
        ("expired", stats.expired_removals.to_string()),
        ("refused as too large", stats.rejected_oversize.to_string()),
        ("refused for lack of room", stats.rejected_capacity.to_string()),
    ];
    rows.iter().map(|(name, value)| format!("{name:<26}{value}\n")).collect()
}

/// `ping`
pub(crate) async fn ping(session: &Session) -> Result<Verdict, Error> {
    let address = session.client.address();
    let start = Instant::now();
    let answer = session.client.health().await;
    let time = start.elapsed();
    let trouble = match answer {
        Ok(Health::Serving) => None,
        Ok(health) => Some(format!("it says that it is {}", name(health).replace('_', " "))),
        // It answers, if only that it knows of no health.
        Err(error) if error.kind() == ErrorKind::Unimplemented => None,
        // Not the server's fault, but that of the command line.
        Err(error) if error.kind() == ErrorKind::Validation => return Err(error.into()),
        Err(error) => Some(error::told(&error, Some(&session.place))),
    };
    let milliseconds = time.as_micros() as f64 / 1e3;
    let alive = trouble.is_none();
    if session.is_json() {
        let (name, told) = match trouble {
            None => ("milliseconds", milliseconds.into()),
            Some(trouble) => ("reason", trouble.into()),
        };
        let address = ("address", address.to_string().into());
        output::json(&Object([address, ("alive", alive.into()), (name, told)]))?;
    } else {
        output::line(match trouble {
            None => format!("{address} answers in {milliseconds:.1} ms, connecting included"),
            Some(trouble) => format!("{address} takes no calls: {trouble}"),
        })?;
    }
    Ok(if alive { Verdict::Done } else { Verdict::Unmet })
}

/// `health`
pub(crate) async fn health(session: &Session) -> Result<Verdict, Error> {
    let health = session.client.health().await?;
    if session.is_json() {
        output::json(&Object([("health", name(health).into())]))?;
    } else {
        output::line(name(health))?;
    }
    Ok(if health == Health::Serving { Verdict::Done } else { Verdict::Unmet })
}

fn name(health: Health) -> &'static str {
    match health {
        Health::Serving => "serving",
        Health::NotServing => "not_serving",
        _ => "unknown",
    }
}

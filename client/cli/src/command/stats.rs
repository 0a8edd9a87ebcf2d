//! `stats`: the figures of the server.

use bytesize::ByteSize;
use clap::Args;
use tiny_cache_client::Stats;

use super::{Call, Error, Session, Verdict};

const MORE: &str = "\
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

/// Shows the figures of the server
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct StatsArgs {}

impl Call for StatsArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let stats = session.client.stats().await?;
        let members = vec![
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
        ];
        session.show(&table(&stats), members)?;
        Ok(Verdict::Done)
    }
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

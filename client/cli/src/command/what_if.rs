//! `what-if`: the hit ratio that other memory would give.

use std::{iter::once, time::Duration};

use bytesize::ByteSize;
use clap::Args;
use serde_json::{Value, json};
use tiny_cache_client::{WhatIf, WhatIfMemory};

use super::{Call, Error, Session, Verdict};
use crate::output::is_terminal;

const MORE: &str = "\
Output:
  A line for half, once, twice and four times the memory of the server, or of
  each of several, with the hit ratio that the reads of the last ten minutes
  would have had. The server simulates sampled keys under its own eviction
  policy; of fewer than some 10,000 sampled reads little follows. `not full`
  says how much of the memory would be in use: everything fits, or it has not
  been filled yet since the server was started, and the hit ratio may rise.
  `simulated` is what the simulation has for the memory that there is, before
  the sizes are corrected by what is measured. It needs the right
  `administer`, and CACHE_WHAT_IF of the server. JSON:
    {\"over_ms\":600000,\"reads\":…,\"sizes\":[{\"memory_times\":0.5,…},…]}

Exit codes:
  0  done
  2  an error
";

/// Estimates the hit ratio that half, twice and four times the memory would give
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct WhatIfArgs {}

/// Columns of a bar.
const BAR: usize = 16;

impl Call for WhatIfArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let what_if = session.client.what_if().await?;
        let members = vec![
            ("over_ms", u64::try_from(what_if.over.as_millis()).unwrap_or(u64::MAX).into()),
            ("reads", what_if.reads.into()),
            ("sampled_reads", what_if.sampled_reads.into()),
            ("one_in", what_if.one_in.into()),
            ("hit_ratio", what_if.hit_ratio.into()),
            ("simulated_hit_ratio", what_if.simulated_hit_ratio.into()),
            ("sizes", what_if.sizes.iter().map(object).collect()),
        ];
        session.show(&table(&what_if, is_terminal()), members)?;
        Ok(Verdict::Done)
    }
}

fn object(size: &WhatIfMemory) -> Value {
    json!({
        "memory_times": size.memory_times,
        "memory_bytes": size.memory_bytes,
        "hit_ratio": size.hit_ratio,
        "filled": size.filled,
        "entries": size.entries,
    })
}

fn table(what_if: &WhatIf, with_bars: bool) -> String {
    let WhatIf { reads, sampled_reads, one_in, .. } = what_if;
    if *reads == 0 {
        return "no reads in the last ten minutes\n".to_owned();
    }
    let head = format!("{:>9} {:>10} {:>10} {:>10}", "memory", "bytes", "entries", "hit ratio");
    let sizes = what_if.sizes.iter().map(|size| line(size, with_bars));
    let over = humantime::format_duration(Duration::from_secs(what_if.over.as_secs()));
    let sample =
        format!("{reads} reads in {over}, {sampled_reads} of them sampled: one key in {one_in}");
    let (measured, simulated) = (percent(what_if.hit_ratio), percent(what_if.simulated_hit_ratio));
    let ratios = format!("measured {measured}, simulated {simulated}");
    let lines = once(head).chain(sizes).chain([String::new(), sample, ratios]);
    lines.map(|line| line + "\n").collect()
}

fn line(size: &WhatIfMemory, with_bars: bool) -> String {
    let bytes = ByteSize::b(size.memory_bytes).display().iec().to_string();
    let (times, ratio) = (format!("{} x", size.memory_times), percent(size.hit_ratio));
    let full = (size.hit_ratio * BAR as f64).round() as usize;
    let bar = format!("  {}{}", "█".repeat(full), "·".repeat(BAR.saturating_sub(full)));
    let bar = if with_bars { bar } else { String::new() };
    let filled = match size.filled {
        filled @ ..1.0 => format!("  not full ({:.0} %)", 100.0 * filled),
        _ => String::new(),
    };
    format!("{times:>9} {bytes:>10} {:>10} {ratio:>10}{bar}{filled}", size.entries)
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", 100.0 * ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what_if(reads: u64) -> WhatIf {
        let mut what_if = WhatIf::default();
        (what_if.reads, what_if.sampled_reads, what_if.one_in) = (reads, reads / 8, 8);
        (what_if.hit_ratio, what_if.simulated_hit_ratio) = (0.5, 0.512);
        let mut size = WhatIfMemory::default();
        (size.memory_times, size.memory_bytes, size.hit_ratio) = (0.5, 50 << 20, 0.25);
        (size.filled, size.entries) = (1.0, 1000);
        let mut larger = size;
        (larger.memory_times, larger.filled) = (2.0, 0.37);
        what_if.sizes = vec![size, larger];
        what_if
    }

    #[test]
    fn a_table_has_a_line_for_each_size() {
        assert_eq!(
            table(&what_if(800), false),
            "   memory      bytes    entries  hit ratio\n\
             \x20   0.5 x   50.0 MiB       1000     25.0 %\n\
             \x20     2 x   50.0 MiB       1000     25.0 %  not full (37 %)\n\
             \n800 reads in 0s, 100 of them sampled: one key in 8\n\
             measured 50.0 %, simulated 51.2 %\n"
        );
    }

    #[test]
    fn a_terminal_gets_bars_that_fit_into_eighty_columns() {
        let table = table(&what_if(800), true);
        assert!(table.contains("25.0 %  ████············  not full (37 %)"), "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    }

    #[test]
    fn without_reads_nothing_is_told() {
        assert_eq!(table(&what_if(0), false), "no reads in the last ten minutes\n");
    }
}

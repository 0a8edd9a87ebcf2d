//! Writes a line for each sample, for pipes and files.

use std::time::SystemTime;

use super::{
    meter::{Meter, Rates, Reading},
    source::{News, Source},
};
use crate::{
    error::{Error, Target, one_line, told},
    output::{self, Object},
};

/// Writes lines until there are no more samples.
pub(super) async fn run(is_json: bool, target: &Target, mut source: Source) -> Result<(), Error> {
    let mut meter = Meter::default();
    let mut answered = false;
    let mut last_error = None;
    while let Some(news) = source.next().await {
        // Only samples have lines, not the intervals of a wait.
        let News::Answer { at, stats } = news else { continue };
        let now = SystemTime::now();
        let time = written(now);
        match stats {
            Ok(stats) => {
                answered = true;
                let reading = meter.read(at, stats);
                if is_json {
                    output::json(&object(time, &reading))?;
                } else {
                    output::line(text(now, &reading))?;
                }
            }
            Err(error) => {
                meter.lose();
                let reason = one_line(&told(&error, Some(target)));
                if is_json {
                    output::json(&Object(vec![("time", time.into()), ("error", reason.into())]))?;
                } else {
                    output::line(failure(now, &reason))?;
                }
                last_error = Some(error);
            }
        }
    }
    match last_error {
        Some(error) if !answered => Err(Error::from(error).at(target)),
        _ => Ok(()),
    }
}

/// The line of a sample without an answer.
pub(super) fn failure(time: SystemTime, reason: &str) -> String {
    format!("time={} error: {reason}", written(time))
}

/// The line of a sample.
pub(super) fn text(time: SystemTime, Reading { stats, rates }: &Reading) -> String {
    let rate = |number: fn(&Rates) -> f64| {
        rates.as_ref().map_or_else(|| "-".to_owned(), |rates| format!("{:.1}", number(rates)))
    };
    let ratio = rates.as_ref().and_then(Rates::hit_ratio);
    format!(
        "time={} hits/s={} misses/s={} hit_ratio={} entries={} memory_bytes={} evictions/s={}",
        written(time),
        rate(|rates| rates.hits),
        rate(|rates| rates.misses),
        ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}")),
        stats.entries,
        stats.memory_usage_bytes,
        rate(|rates| rates.evictions),
    )
}

fn object(time: String, Reading { stats, rates }: &Reading) -> Object {
    let rate = |number: fn(&Rates) -> f64| rates.as_ref().map(number).map(rounded);
    Object(vec![
        ("time", time.into()),
        ("hits_per_second", rate(|rates| rates.hits).into()),
        ("misses_per_second", rate(|rates| rates.misses).into()),
        ("hit_ratio", rates.as_ref().and_then(Rates::hit_ratio).map(rounded).into()),
        ("entries", stats.entries.into()),
        ("memory_usage_bytes", stats.memory_usage_bytes.into()),
        ("max_memory_bytes", stats.max_memory_bytes.into()),
        ("evictions_per_second", rate(|rates| rates.evictions).into()),
    ])
}

fn written(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// Rounds to three decimals.
fn rounded(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_at_most_three_decimals() {
        for (number, text) in [(1.0 / 3.0, "0.333"), (119.99951, "120.0"), (0.0, "0.0")] {
            assert_eq!(serde_json::to_string(&rounded(number)).unwrap(), text);
        }
    }
}

//! What a server used during a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Usage, UsageError};

/// The difference of two samples of one source.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct UsageReport {
    /// Where the figures come from, for people to read.
    pub source: String,
    /// CPU time that the server used between the samples.
    pub cpu_seconds: f64,
    /// Memory in RAM at the first sample.
    pub resident_bytes_before: u64,
    /// Memory in RAM at the second sample.
    pub resident_bytes_after: u64,
    /// The most since the server's start, which may have been before the run; null if the
    /// source does not report it.
    pub peak_resident_bytes: Option<u64>,
    /// The bound of the server's own histogram within which 99 % of the calls between the samples
    /// were answered, those of a warm-up and of other clients among them; null if the source has no
    /// such histogram, or the 99th percentile lies above its last bound.
    #[serde(default)]
    pub calls_p99_at_most_seconds: Option<f64>,
}

impl UsageReport {
    /// Reports what happened between two samples of `source`.
    ///
    /// # Errors
    ///
    /// CPU time went back: they are not of the same run of the server.
    pub fn between(
        source: impl ToString,
        before: &Usage,
        after: &Usage,
    ) -> Result<Self, UsageError> {
        let (first, second) = (before.cpu, after.cpu);
        let used = second
            .checked_sub(first)
            .ok_or(UsageError::Restarted { before: first, after: second })?;
        Ok(Self {
            source: source.to_string(),
            cpu_seconds: used.as_secs_f64(),
            resident_bytes_before: before.resident_bytes,
            resident_bytes_after: after.resident_bytes,
            peak_resident_bytes: after.peak_resident_bytes,
            calls_p99_at_most_seconds: after.calls.p99_since(&before.calls),
        })
    }

    /// What several servers used together; the one report if there is one, none if there is none.
    pub fn sum(reports: &[&Self]) -> Option<Self> {
        let (first, rest) = reports.split_first()?;
        if rest.is_empty() {
            return Some((*first).clone());
        }
        let sum = |of: fn(&Self) -> u64| reports.iter().map(|report| of(report)).sum();
        Some(Self {
            source: format!("{} servers", reports.len()),
            cpu_seconds: reports.iter().map(|report| report.cpu_seconds).sum(),
            resident_bytes_before: sum(|report| report.resident_bytes_before),
            resident_bytes_after: sum(|report| report.resident_bytes_after),
            peak_resident_bytes: None,
            calls_p99_at_most_seconds: None,
        })
    }

    /// Operations for each second of the server's CPU time; none if it used none that the
    /// kernel saw, which counts in hundredths of a second.
    pub fn operations_per_core_second(&self, operations: u64) -> Option<f64> {
        (self.cpu_seconds > 0.0).then(|| operations as f64 / self.cpu_seconds)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::usage::CallTimes;

    fn usage(cpu: Duration, resident_bytes: u64) -> Usage {
        let calls = CallTimes::default();
        Usage { cpu, resident_bytes, peak_resident_bytes: Some(900), pids: vec![7], calls }
    }

    #[test]
    fn a_report_is_the_difference_and_survives_json() {
        let before = usage(Duration::from_millis(1500), 100);
        let after = usage(Duration::from_secs(4), 300);
        let report = UsageReport::between("process 7", &before, &after).unwrap();
        let expected = UsageReport {
            source: "process 7".to_owned(),
            cpu_seconds: 2.5,
            resident_bytes_before: 100,
            resident_bytes_after: 300,
            peak_resident_bytes: Some(900),
            calls_p99_at_most_seconds: None,
        };
        assert_eq!(report, expected);
        assert_eq!(report.operations_per_core_second(1000), Some(400.0));
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<UsageReport>(&json).unwrap(), report);
    }

    #[test]
    fn several_servers_add_up_and_one_is_itself() {
        let (idle, busy) = (usage(Duration::ZERO, 100), usage(Duration::from_secs(2), 300));
        let one = UsageReport::between("process 7", &idle, &busy).unwrap();
        let sum = UsageReport::sum(&[&one, &one]).unwrap();
        assert_eq!((sum.source.as_str(), sum.cpu_seconds), ("2 servers", 4.0));
        assert_eq!((sum.resident_bytes_before, sum.resident_bytes_after), (200, 600));
        assert_eq!(UsageReport::sum(&[&one]), Some(one));
        assert_eq!(UsageReport::sum(&[]), None);
    }

    #[test]
    fn no_cpu_time_gives_no_operations_for_each_second_of_it() {
        let idle = usage(Duration::from_secs(1), 100);
        let report = UsageReport::between("process 7", &idle, &idle).unwrap();
        assert_eq!(report.operations_per_core_second(1000), None);
    }

    #[test]
    fn cpu_time_that_goes_back_is_a_restart() {
        let before = usage(Duration::from_secs(4), 100);
        let after = usage(Duration::from_secs(1), 100);
        let error = UsageReport::between("process 7", &before, &after).unwrap_err().to_string();
        assert_eq!(error, "the server's CPU time went back from 4s to 1s: it was restarted");
    }
}

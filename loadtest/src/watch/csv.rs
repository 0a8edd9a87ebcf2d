//! `--csv`: a row for each second, there as soon as the second is whole.

use std::{fs::File, io};

use csv::Writer;
use serde::Serialize;

use super::passed::Passed;
use crate::report::{Latency, ratio};

/// What is known of a second. Latencies are microseconds, and none where nothing was answered;
/// those of responses also where no instants were planned.
#[derive(Debug, Serialize)]
struct Row {
    step: usize,
    second: u64,
    time: String,
    requests: u64,
    answered: u64,
    failed: u64,
    hits: u64,
    misses: u64,
    hit_ratio: Option<f64>,
    response_p50_us: Option<f64>,
    response_p90_us: Option<f64>,
    response_p99_us: Option<f64>,
    #[serde(rename = "response_p99.9_us")]
    response_p99_9_us: Option<f64>,
    response_max_us: Option<f64>,
    service_p50_us: Option<f64>,
    service_p90_us: Option<f64>,
    service_p99_us: Option<f64>,
    #[serde(rename = "service_p99.9_us")]
    service_p99_9_us: Option<f64>,
    service_max_us: Option<f64>,
}

/// Writes a row for each second below a row of names.
pub(super) fn write(file: File, seconds: &mut dyn Iterator<Item = Passed>) -> io::Result<()> {
    let mut rows = Writer::from_writer(file);
    for passed in seconds {
        rows.serialize(Row::of(&passed)).map_err(io_error)?;
        rows.flush()?;
    }
    Ok(())
}

/// What the system said, without the place in the file, which nobody asked for.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

impl Row {
    fn of(passed: &Passed) -> Self {
        let Passed { step, index, at, second, .. } = passed;
        let of = |latency: Option<Latency>, figure: fn(&Latency) -> f64| {
            latency.map(|us| to_nanos(figure(&us)))
        };
        let response = Latency::of(&second.response);
        let service = Latency::of(&second.service);
        Self {
            step: *step,
            second: *index,
            time: humantime::format_rfc3339_millis(*at).to_string(),
            requests: second.requests,
            answered: second.requests - second.failed,
            failed: second.failed,
            hits: second.hits,
            misses: second.misses,
            hit_ratio: ratio(second.hits, second.hits + second.misses),
            response_p50_us: of(response, |us| us.p50),
            response_p90_us: of(response, |us| us.p90),
            response_p99_us: of(response, |us| us.p99),
            response_p99_9_us: of(response, |us| us.p99_9),
            response_max_us: of(response, |us| us.max),
            service_p50_us: of(service, |us| us.p50),
            service_p90_us: of(service, |us| us.p90),
            service_p99_us: of(service, |us| us.p99),
            service_p99_9_us: of(service, |us| us.p99_9),
            service_max_us: of(service, |us| us.max),
        }
    }
}

/// Microseconds to the nanosecond: what is beyond is noise of binary fractions.
fn to_nanos(micros: f64) -> f64 {
    (micros * 1e3).round() / 1e3
}

//! `--csv`: a row for each second, written as soon as the second is whole. Latencies are
//! microseconds, and empty if nothing was answered; in a closed loop, which plans no instants,
//! those of responses are empty.

use std::{fs::File, io};

use csv::{Writer, WriterBuilder};

use super::passed::Passed;
use crate::report::{Latency, PERCENTILES, ratio};

/// What is known of a second besides its latencies.
const NAMES: [&str; 9] =
    ["step", "second", "time", "requests", "answered", "failed", "hits", "misses", "hit_ratio"];

/// Writes a row for each second below a row of names.
pub(super) fn write(file: &File, seconds: &mut dyn Iterator<Item = Passed>) -> io::Result<()> {
    let mut rows = WriterBuilder::new().has_headers(false).from_writer(file);
    let latencies = ["response", "service"]
        .into_iter()
        .flat_map(|kind| PERCENTILES.iter().map(move |(name, _)| format!("{kind}_{name}_us")));
    rows.write_record(NAMES.map(str::to_owned).into_iter().chain(latencies)).map_err(io_error)?;
    for passed in seconds {
        write_row(&mut rows, &passed).map_err(io_error)?;
        rows.flush()?;
    }
    Ok(())
}

fn write_row(rows: &mut Writer<&File>, passed: &Passed) -> csv::Result<()> {
    let Passed { step, index, at, second, .. } = passed;
    let counts = [
        second.requests,
        second.requests - second.failed,
        second.failed,
        second.hits,
        second.misses,
    ];
    let latencies: Vec<_> = [&second.response, &second.service]
        .into_iter()
        .flat_map(|times| {
            let latency = Latency::of(times);
            PERCENTILES.map(|(_, of)| latency.as_ref().map(|latency| to_nanos(of(latency))))
        })
        .collect();
    let time = humantime::format_rfc3339_millis(*at).to_string();
    let hit_ratio = ratio(second.hits, second.hits + second.misses);
    rows.serialize((step, index, time, counts, hit_ratio, latencies))
}

/// What the system said, without the place in the file.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// Microseconds to the nanosecond: what is beyond is noise of binary fractions.
fn to_nanos(micros: f64) -> f64 {
    (micros * 1e3).round() / 1e3
}

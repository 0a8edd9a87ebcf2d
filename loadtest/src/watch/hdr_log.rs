//! `--hdr`: a histogram for each second and kind of latency, in nanoseconds, as an interval log
//! of HdrHistogram's format 1.3, which its log analyzers read. The format is that of the Java
//! implementation's `HistogramLogWriter`.

use std::{
    fs::File,
    io::{self, LineWriter},
    time::Duration,
};

use hdrhistogram::serialization::{
    V2DeflateSerializer,
    interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError, Tag},
};

use super::passed::Passed;
use crate::report::Tool;

/// Longer than the lines of most seconds: a line goes out in one piece, and at once.
const LINE: usize = 64 << 10;

/// Nanoseconds in a millisecond, the unit of a line's maximum: that column is for people.
const MAX_DIVISOR: f64 = 1e6;

/// Writes one or two lines for each second: a closed loop has no response times.
pub(super) fn write(file: &File, seconds: &mut dyn Iterator<Item = Passed>) -> io::Result<()> {
    let mut seconds = seconds.peekable();
    let Some(start) = seconds.peek().map(|passed| passed.at) else { return Ok(()) };
    let mut file = LineWriter::with_capacity(LINE, file);
    let Tool { name, version } = Tool::this();
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(&format!("[Logged with {name} {version}, in nanoseconds]"))
        .add_comment("[Histogram log format version 1.3]")
        .with_start_time(start)
        .with_base_time(start)
        .with_max_value_divisor(MAX_DIVISOR)
        .begin_log_with(&mut file, &mut serializer)?;
    for Passed { at, is_open, second, .. } in seconds {
        let since = at.duration_since(start).unwrap_or_default();
        let kinds = [("response", &second.response, is_open), ("service", &second.service, true)];
        for (name, histogram, _) in kinds.into_iter().filter(|(_, _, is_there)| *is_there) {
            log.write_histogram(histogram, since, Duration::from_secs(1), Tag::new(name)).map_err(
                |error| match error {
                    IntervalLogWriterError::IoError(error) => error,
                    IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
                },
            )?;
        }
    }
    Ok(())
}

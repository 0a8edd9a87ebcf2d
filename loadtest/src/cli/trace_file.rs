//! The options that say what a trace is, wherever one is read.

use std::{num::NonZeroU64, path::PathBuf, time::Duration};

use clap::{
    Args, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};

use super::parse::positive;
use crate::{
    access::Content,
    error::Refusal,
    spec::TraceSpec,
    trace::{Columns, Format, Keys, Reading, TimeUnit},
};

/// A trace, and how it is read.
#[derive(Args, Clone, Debug)]
pub struct TraceArgs {
    /// Trace files, read one after the other as one trace; - is standard input. Plain, or
    /// compressed with zstd, gzip, xz or lz4
    #[arg(required = true, value_name = "TRACE")]
    pub traces: Vec<PathBuf>,

    /// Format of the trace; auto goes by what the file has
    #[arg(long, default_value = "auto", value_parser = format())]
    pub format: std::option::Option<Format>,

    /// Of csv: the columns from left to right, such as time,key,size,op,ttl with - for one to
    /// ignore; or by name or number, such as key=object,time=1 [default: those of the header]
    #[arg(long, value_name = "LIST")]
    pub columns: Option<Columns>,

    /// Of csv: what stands between columns, one character, tab or space [default: found out]
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub delimiter: Option<u8>,

    /// What the trace's times count [default: s, or what a header says, as in time_ms]
    #[arg(long, value_enum, value_name = "UNIT")]
    pub time_unit: Option<TimeUnit>,

    /// A longer time between two rows, ahead or back, is a break in the trace's times: it is
    /// counted, and the replay goes on at once
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = max_gap)]
    pub max_gap: Duration,

    /// Leave broken rows out and count them [default: stop at the first]
    #[arg(long)]
    pub skip_broken: bool,

    /// Replace the end of a key that is too long by a hash of the key [default: a broken row]
    #[arg(long)]
    pub hash_long_keys: bool,

    /// Stop after the first N accesses [default: the whole trace]
    #[arg(long, value_name = "N", value_parser = positive::<NonZeroU64>)]
    pub limit: Option<NonZeroU64>,
}

impl TraceArgs {
    /// What is to be read, and how.
    ///
    /// # Errors
    ///
    /// Options do not go together.
    pub(super) fn spec(&self, keys: Keys, fallback: Content) -> Result<TraceSpec, Refusal> {
        let format = self.format;
        let of_csv =
            [("--columns", self.columns.is_some()), ("--delimiter", self.delimiter.is_some())];
        let is_csv = of_csv.iter().any(|(_, is_there)| *is_there);
        if format.is_some_and(|format| format != Format::Csv) {
            Refusal::idle(of_csv, "--format csv")?;
        }
        let reading = Reading {
            format: format.or(is_csv.then_some(Format::Csv)),
            columns: self.columns.clone(),
            delimiter: self.delimiter,
            time_unit: self.time_unit,
            max_gap: self.max_gap,
            skip_broken: self.skip_broken,
            ..Reading::new(keys.hash_long(self.hash_long_keys), fallback)
        };
        Ok(TraceSpec { files: self.traces.clone(), reading, limit: self.limit })
    }
}

/// A format, or none for that of the file itself.
fn format() -> impl TypedValueParser<Value = Option<Format>> {
    let auto = PossibleValue::new("auto").help("Go by what the file has");
    let formats = Format::value_variants().iter().filter_map(Format::to_possible_value);
    PossibleValuesParser::new(std::iter::once(auto).chain(formats))
        .map(|name| Format::from_str(&name, false).ok())
}

fn delimiter(text: &str) -> Result<u8, &'static str> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        b"space" => Ok(b' '),
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && *byte != b'"' => Ok(*byte),
        _ => Err("expected one character that is no letter, digit or quote, or tab or space"),
    }
}

fn max_gap(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text)
        .map_err(|_| "expected a duration with a unit, such as 10m, 1h or 30d")
}

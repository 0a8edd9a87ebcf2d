//! Keys and values, from arguments, files and stdin.

mod value; // the options for one value

use std::{
    fs,
    io::{self, Read},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use bytesize::ByteSize;
use clap::{
    Args,
    builder::{OsStringValueParser, TypedValueParser},
};
use tiny_cache_client::Ttl;

pub(crate) use self::value::{ExpectedArgs, ValueArgs};
use crate::error::{Error, refused};

/// Most bytes that are read from a file or stdin. They are held in memory, and a server accepts
/// far less in one message.
const MOST_BYTES: u64 = 256 << 20;

/// The time to live of a value.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct TtlArgs {
    /// Time to live: a number and s, m, h, d or w, such as 90s or 7d, or 1h 30m; parts of a
    /// second are rounded up; at most about 68 years, and 0 never expires [default: 1h]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = ttl)]
    pub(crate) ttl: Option<Duration>,
}

impl TtlArgs {
    pub(crate) fn or_default(self) -> Duration {
        self.ttl
            .unwrap_or_else(|| Duration::from_secs(Ttl::DEFAULT.seconds().unsigned_abs().into()))
    }
}

/// Reads a time to live.
pub(crate) fn ttl(text: &str) -> Result<Duration, String> {
    // humantime's month differs from its minute by the case alone.
    if text.split(|c: char| !c.is_alphabetic()).any(|unit| unit == "M") {
        return Err("`M` would be a month; write m for minutes, or a month as 30d".to_owned());
    }
    let duration = humantime::parse_duration(text).map_err(|_| {
        "expected a duration with a unit (s, m, h, d, w), such as 30s, 15m or 7d, or 0 for ever"
            .to_owned()
    })?;
    Ttl::try_from(duration).map(|_| duration).map_err(|error| error.to_string())
}

/// Reads a key from an argument.
pub(crate) fn key() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().try_map(|key| {
        key.into_string().map_err(|_| "not UTF-8; a key is text of 1 to 256 characters")
    })
}

/// The keys of a batch. `-` stands for those of stdin, one in a line.
pub(crate) fn keys(arguments: Vec<String>) -> Result<Vec<String>, Error> {
    let mut keys = Vec::with_capacity(arguments.len());
    let mut piped = false;
    for argument in arguments {
        if argument != "-" {
            keys.push(argument);
        } else if !std::mem::replace(&mut piped, true) {
            keys.extend(piped_keys(&read_stdin()?)?);
        }
    }
    Ok(keys)
}

fn piped_keys(text: &[u8]) -> Result<Vec<String>, Error> {
    lines(text)
        .map(|(number, line)| match str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)) {
            Ok(key) => Ok(key.to_owned()),
            Err(_) => Err(refused!(
                "line {number} of stdin is not UTF-8; a key is text of 1 to 256 characters"
            )),
        })
        .collect()
}

/// The lines that are not blank, with their numbers from 1.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..).zip(text.split(|byte| *byte == b'\n')).filter(|(_, line)| !matches!(*line, b"" | b"\r"))
}

/// Reads a file, or stdin if its name is `-`.
pub(crate) fn read_file(path: &Path) -> Result<Bytes, Error> {
    if is_dash(path) {
        return read_stdin();
    }
    let name = path.display().to_string();
    match fs::File::open(path) {
        Ok(file) => read_all(file, name, MOST_BYTES),
        Err(cause) => Err(Error::Read { name, cause }),
    }
}

/// Whether a file's name means stdin or stdout.
pub(crate) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads stdin.
pub(crate) fn read_stdin() -> Result<Bytes, Error> {
    read_all(io::stdin().lock(), "stdin".to_owned(), MOST_BYTES)
}

/// Reads to the end, `most` bytes at most.
fn read_all(source: impl Read, name: String, most: u64) -> Result<Bytes, Error> {
    let mut bytes = Vec::new();
    match source.take(most + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > most => {
            let most = ByteSize::b(most).display().iec();
            Err(refused!("{name} has more than {most}, the most that is read"))
        }
        Ok(_) => Ok(bytes.into()),
        Err(cause) => Err(Error::Read { name, cause }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers_and_lose_nothing_but_line_feeds() {
        let found: Vec<_> = lines(b"a\n\n b\r\nc").collect();
        assert_eq!(found, [(1, &b"a"[..]), (3, b" b\r"), (4, b"c")]);
        assert_eq!(lines(b"\r\na\r\n\r\n").collect::<Vec<_>>(), [(2, &b"a\r"[..])]);
    }

    /// A list that was written on Windows named keys that end in a carriage return.
    #[test]
    fn a_key_of_a_list_loses_its_end_of_line() {
        assert_eq!(piped_keys(b"a\r\n\r\n b \nc\r\r\n").unwrap(), ["a", " b ", "c\r"]);
    }

    /// An endless pipe filled the memory.
    #[test]
    fn reading_stops_at_the_limit() {
        let read = |len| read_all(io::repeat(b'x').take(len), "x".to_owned(), 2048);
        assert_eq!(read(2048).unwrap().len(), 2048);
        let error = read_all(io::repeat(b'x'), "pipe".to_owned(), 2048).unwrap_err();
        assert_eq!(error.to_string(), "pipe has more than 2.0 KiB, the most that is read");
    }

    #[test]
    fn a_ttl_is_a_duration_or_nothing() {
        assert_eq!(ttl("0"), Ok(Duration::ZERO));
        assert_eq!(ttl("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(ttl("30").unwrap_err().contains("with a unit"));
        assert!(ttl("-1s").unwrap_err().contains("with a unit"));
        assert!(ttl("1M").unwrap_err().starts_with("`M` would be a month"));
        assert!(ttl("1d 2M").is_err() && ttl("2w").is_ok());
        assert!(ttl("100years").unwrap_err().contains("exceeds 2147483647 seconds"));
    }
}

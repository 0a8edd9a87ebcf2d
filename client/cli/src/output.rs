//! Writes results to stdout.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
};

use clap::ValueEnum;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{encoding::Encoding, error::Error};

/// The form of results.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Output {
    /// Text for people, and values unchanged
    Text,
    /// One JSON object in one line
    Json,
}

/// A value as a member of a JSON object, whose name gives the encoding. Without an encoding, text
/// is text and other values are base64.
pub(crate) fn member(value: &[u8], encoding: Option<Encoding>) -> (&'static str, Value) {
    match (encoding, str::from_utf8(value)) {
        (None, Ok(text)) => ("value", text.into()),
        (Some(Encoding::Hex), _) => ("value_hex", Encoding::Hex.encode(value).into()),
        (None | Some(Encoding::Base64), _) => {
            ("value_base64", Encoding::Base64.encode(value).into())
        }
    }
}

/// An object that keeps the order of its members.
#[derive(Debug)]
pub(crate) struct Object(pub(crate) Vec<(&'static str, Value)>);

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Bytes as one line of text, without loss: backslash, tab and line ends are escaped, and other
/// control characters and bytes that are not UTF-8 are `\xNN`.
pub(crate) fn escaped(value: &[u8]) -> String {
    let mut line = String::with_capacity(value.len());
    for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' | '\t' | '\r' | '\n' => line.extend(c.escape_default()),
                c if c.is_control() => {
                    escape(&mut line, c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                c => line.push(c),
            }
        }
        escape(&mut line, chunk.invalid());
    }
    line
}

fn escape(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(line, "\\x{byte:02x}");
    }
}

/// Whether stdout is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Writes bytes.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Error::Stdout)
}

/// Writes text.
pub(crate) fn text(text: &str) -> Result<(), Error> {
    bytes(text.as_bytes())
}

/// Writes a line.
pub(crate) fn line(text: impl Into<String>) -> Result<(), Error> {
    let mut line = text.into();
    line.push('\n');
    bytes(line.as_bytes())
}

/// Writes an object in one line.
pub(crate) fn json(object: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string(object).map_err(|cause| Error::Stdout(cause.into()))?;
    line(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_value_is_one_line_and_loses_nothing() {
        for (value, line) in [
            (&b"plain text"[..], "plain text"),
            (b"a\tb\r\nc", r"a\tb\r\nc"),
            (br"\x00", r"\\x00"),
            (b"\0\x1b[31m", r"\x00\x1b[31m"),
            ("\u{9b}".as_bytes(), r"\xc2\x9b"),
            (b"caf\xc3\xa9 \xff\xfe", r"café \xff\xfe"),
        ] {
            assert_eq!(escaped(value), line);
        }
    }

    #[test]
    fn the_name_of_a_member_gives_its_encoding() {
        assert_eq!(member(b"text", None), ("value", "text".into()));
        assert_eq!(member(b"", None), ("value", "".into()));
        assert_eq!(member(b"a\0b", None), ("value", "a\0b".into()));
        assert_eq!(member(b"\xff\0", None), ("value_base64", "/wA=".into()));
        assert_eq!(member(b"text", Some(Encoding::Base64)), ("value_base64", "dGV4dA==".into()));
        assert_eq!(member(b"\xff\0", Some(Encoding::Hex)), ("value_hex", "ff00".into()));
    }
}

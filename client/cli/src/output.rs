//! Stdout, and how values are shown there.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
};

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{encoding::Encoding, error::Error};

/// A value in JSON: the member's name says how it is written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JsonValue {
    Value(String),
    ValueBase64(String),
    ValueHex(String),
}

impl JsonValue {
    /// A value that is written so, whatever its bytes are.
    pub(crate) fn encoded(value: &[u8], encoding: Encoding) -> Self {
        let text = encoding.encode(value);
        match encoding {
            Encoding::Base64 => Self::ValueBase64(text),
            Encoding::Hex => Self::ValueHex(text),
        }
    }
}

impl From<&[u8]> for JsonValue {
    fn from(value: &[u8]) -> Self {
        match str::from_utf8(value) {
            Ok(text) => Self::Value(text.to_owned()),
            Err(_) => Self::encoded(value, Encoding::Base64),
        }
    }
}

/// An object that keeps the order of its members.
#[derive(Debug)]
pub(crate) struct Object<const N: usize>(pub(crate) [(&'static str, Value); N]);

impl<const N: usize> Serialize for Object<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Bytes in one line that shows each of them: text as it is, but for the backslash, tab and
/// line ends; other control characters and what is not UTF-8 byte by byte as `\xNN`.
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

/// Whether a person looks at stdout.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Writes bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Error::Stdout)
}

/// Writes text as it is.
pub(crate) fn text(text: &str) -> Result<(), Error> {
    bytes(text.as_bytes())
}

/// Writes text and ends the line.
pub(crate) fn line(text: impl Into<String>) -> Result<(), Error> {
    let mut line = text.into();
    line.push('\n');
    bytes(line.as_bytes())
}

/// Writes one object in one line.
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
    fn a_value_in_json_says_what_it_is() {
        let json = |value: &[u8]| serde_json::to_string(&JsonValue::from(value)).unwrap();
        assert_eq!(json(b"text"), r#"{"value":"text"}"#);
        assert_eq!(json(b""), r#"{"value":""}"#);
        assert_eq!(json(b"\xff\0"), r#"{"value_base64":"/wA="}"#);
        assert_eq!(json(b"a\0b"), r#"{"value":"a\u0000b"}"#);
        let hex = JsonValue::encoded(b"\xff\0", Encoding::Hex);
        assert_eq!(serde_json::to_string(&hex).unwrap(), r#"{"value_hex":"ff00"}"#);
    }
}

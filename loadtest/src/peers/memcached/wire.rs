//! Memcached's text protocol, as its `doc/protocol.txt` has it: puts commands into bytes and
//! cuts what a server sends into lines and values. Does not know what was asked.

use std::fmt::Arguments;

use bytes::{Bytes, BytesMut};

use crate::peers::pipeline::{Commands, Lines, Speech, cut_value};

/// Longest line: the header of a value has a key of 250 bytes and three numbers.
const LONGEST_LINE: usize = 2048;

/// Longest value: the limit of memcached's own `-I`.
const LONGEST_VALUE: usize = 1 << 30;

/// A part of a reply.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    /// A line without its end.
    Line(Bytes),
    /// A value.
    Value {
        /// What it is.
        data: Bytes,
        /// What a cas can be made with, after a gets.
        version: Option<u64>,
    },
}

/// Cuts one piece after the other.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    lines: Lines,
    /// A value whose header was there: its length and version.
    header: Option<(usize, Option<u64>)>,
}

impl Speech for Cutter {
    type Piece = Piece;

    fn cut(&mut self, input: &mut BytesMut) -> Result<Option<Piece>, String> {
        let (bytes, version) = if let Some(header) = self.header {
            header
        } else {
            let Some(line) = self.lines.cut(input, LONGEST_LINE)? else { return Ok(None) };
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let line = line.slice_ref(text.strip_suffix(b"\r").unwrap_or(text));
            let Some(header) = line.strip_prefix(b"VALUE ") else {
                return Ok(Some(Piece::Line(line)));
            };
            *self.header.insert(value_header(header)?)
        };
        let Some(data) = cut_value(input, bytes)? else { return Ok(None) };
        self.header = None;
        Ok(Some(Piece::Value { data, version }))
    }

    fn awaited_after(awaited: usize, piece: &Piece) -> usize {
        match piece {
            Piece::Line(_) => awaited - 1,
            // A line follows the values.
            Piece::Value { .. } => awaited,
        }
    }

    fn is_out_of_step(piece: &Piece) -> bool {
        // What followed a command that was not understood may have been taken for commands.
        matches!(piece, Piece::Line(line) if line == "ERROR" || line.starts_with(b"CLIENT_ERROR"))
    }
}

/// Reads `KEY FLAGS BYTES [VERSION]`.
fn value_header(header: &[u8]) -> Result<(usize, Option<u64>), String> {
    let text = String::from_utf8_lossy(header);
    let bad = || format!("{:?}", format!("VALUE {text}"));
    let mut fields = text.split(' ').skip(2);
    let bytes = fields.next().and_then(|bytes| bytes.parse().ok()).ok_or_else(bad)?;
    if bytes > LONGEST_VALUE {
        return Err(format!("a value of {bytes} bytes"));
    }
    let version = fields.next().map(|version| version.parse().map_err(|_| bad())).transpose()?;
    Ok((bytes, version))
}

impl Commands {
    /// Adds a command.
    pub(in crate::peers) fn line(mut self, command: Arguments<'_>) -> Self {
        let bytes = self.open();
        bytes.extend_from_slice(command.to_string().as_bytes());
        bytes.extend_from_slice(b"\r\n");
        self
    }

    /// Adds a command with data.
    pub(super) fn line_and_data(mut self, command: Arguments<'_>, data: &[u8]) -> Self {
        let bytes = self.open();
        for part in [command.to_string().as_bytes(), data] {
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(b"\r\n");
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::peers::pipeline::cut_all;

    fn line(text: &'static str) -> Piece {
        Piece::Line(Bytes::from_static(text.as_bytes()))
    }

    proptest! {
        #[test]
        fn values_of_any_bytes_arrive_whole_however_they_are_cut(
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..4),
            version: Option<u64>,
            packet in 1_usize..400,
        ) {
            let mut stream = b"STORED\r\n".to_vec();
            let mut expected = vec![line("STORED")];
            for value in values {
                let version_field = version.map(|it| format!(" {it}")).unwrap_or_default();
                let header = format!("VALUE a-key 0 {}{version_field}\r\n", value.len());
                stream.extend_from_slice(header.as_bytes());
                stream.extend_from_slice(&value);
                stream.extend_from_slice(b"\r\n");
                expected.push(Piece::Value { data: value.into(), version });
            }
            stream.extend_from_slice(b"END\r\n");
            expected.push(line("END"));
            prop_assert_eq!(cut_all::<Cutter>(&stream, packet), Ok(expected));
        }

        #[test]
        fn no_stream_panics(stream: Vec<u8>) {
            let (mut cutter, mut input) = (Cutter::default(), BytesMut::from(stream.as_slice()));
            while let Ok(Some(_)) = cutter.cut(&mut input) {}
        }
    }

    #[test]
    fn what_memcached_never_sends_is_refused() {
        let endless = "x".repeat(LONGEST_LINE + 1);
        for (stream, why) in [
            ("VALUE a 0 1\r\nab\r\n", "longer than the 1 bytes of its header"),
            ("VALUE a 0 x\r\n", "VALUE a 0 x"),
            ("VALUE a 0 1 x\r\n", "VALUE a 0 1 x"),
            ("VALUE a\r\n", "VALUE a"),
            ("VALUE a 0 1073741825\r\n", "a value of 1073741825 bytes"),
            (&endless, "a line of more than 2048 bytes"),
        ] {
            let error = cut_all::<Cutter>(stream.as_bytes(), 4096).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}

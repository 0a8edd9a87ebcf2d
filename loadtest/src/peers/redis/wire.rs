//! RESP, as <https://redis.io/docs/latest/develop/reference/protocol-spec/> has its version 2:
//! puts commands into bytes and cuts replies into pieces. Does not know what was asked.

use bytes::{Bytes, BytesMut};

use crate::peers::pipeline::{Commands, Lines, Speech, cut_value};

/// Longest line: an error may have a good deal to say.
const LONGEST_LINE: usize = 64 << 10;

/// Longest value, and most items of an array: the limits of Redis.
const LONGEST_VALUE: usize = 512 << 20;
const MOST_ITEMS: usize = 1 << 20;

/// A part of a reply.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    /// A word such as OK.
    Word(Bytes),
    /// An error: its code and what there is to say.
    Error(Bytes),
    /// A number.
    Number(i64),
    /// A value.
    Value(Bytes),
    /// The absence of a value.
    Nil,
    /// So many replies follow, which make up one.
    Array(usize),
}

/// Cuts one piece after the other.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    lines: Lines,
    /// Length of a value whose header was there.
    value: Option<usize>,
}

impl Speech for Cutter {
    type Piece = Piece;

    fn cut(&mut self, input: &mut BytesMut) -> Result<Option<Piece>, String> {
        if self.value.is_none() {
            let Some(line) = self.lines.cut(input, LONGEST_LINE)? else { return Ok(None) };
            let text = line.strip_suffix(b"\r\n").ok_or_else(|| format!("{line:?}"))?;
            match first(&line.slice_ref(text))? {
                Header::Piece(piece) => return Ok(Some(piece)),
                Header::Value(bytes) => self.value = Some(bytes),
            }
        }
        let Some(bytes) = self.value else { return Ok(None) };
        let Some(value) = cut_value(input, bytes)? else { return Ok(None) };
        self.value = None;
        Ok(Some(Piece::Value(value)))
    }

    fn awaited_after(awaited: usize, piece: &Piece) -> usize {
        match piece {
            Piece::Array(items) => awaited - 1 + items,
            _ => awaited - 1,
        }
    }

    fn is_out_of_step(_: &Piece) -> bool {
        // The length of every argument goes with it.
        false
    }
}

/// What a line is, or that a value of a length follows it.
enum Header {
    Piece(Piece),
    Value(usize),
}

fn first(line: &Bytes) -> Result<Header, String> {
    let bad = || format!("{line:?}");
    let (kind, rest) = line.split_first().ok_or_else(bad)?;
    let number = || std::str::from_utf8(rest).ok().and_then(|text| text.parse::<i64>().ok());
    let length = |most: usize| {
        number()
            .and_then(|number| usize::try_from(number).ok())
            .filter(|length| *length <= most)
            .ok_or_else(bad)
    };
    Ok(Header::Piece(match kind {
        b'+' => Piece::Word(line.slice(1..)),
        b'-' => Piece::Error(line.slice(1..)),
        b':' => Piece::Number(number().ok_or_else(bad)?),
        b'$' | b'*' if rest == b"-1" => Piece::Nil,
        b'$' => return Ok(Header::Value(length(LONGEST_VALUE)?)),
        b'*' => Piece::Array(length(MOST_ITEMS)?),
        _ => return Err(bad()),
    }))
}

impl Commands {
    /// Adds a command: its name and arguments.
    pub(in crate::peers) fn words(mut self, words: &[&[u8]]) -> Self {
        let bytes = self.open();
        bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(word);
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

    proptest! {
        #[test]
        fn values_of_any_bytes_arrive_whole_however_they_are_cut(
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..4),
            packet in 1_usize..400,
        ) {
            let mut stream = format!("+OK\r\n:-7\r\n$-1\r\n*{}\r\n", values.len()).into_bytes();
            let ok = Piece::Word(Bytes::from_static(b"OK"));
            let mut expected = vec![ok, Piece::Number(-7), Piece::Nil, Piece::Array(values.len())];
            for value in values {
                stream.extend_from_slice(format!("${}\r\n", value.len()).as_bytes());
                stream.extend_from_slice(&value);
                stream.extend_from_slice(b"\r\n");
                expected.push(Piece::Value(value.into()));
            }
            stream.extend_from_slice(b"-ERR no\r\n");
            expected.push(Piece::Error(Bytes::from_static(b"ERR no")));
            prop_assert_eq!(cut_all::<Cutter>(&stream, packet), Ok(expected));
        }

        #[test]
        fn no_stream_panics(stream: Vec<u8>) {
            let (mut cutter, mut input) = (Cutter::default(), BytesMut::from(stream.as_slice()));
            while let Ok(Some(_)) = cutter.cut(&mut input) {}
        }
    }

    /// A line that arrived whole was accepted at any length.
    #[test]
    fn a_line_is_bounded_however_it_is_cut() {
        let line = |bytes| [b"+", &vec![b'x'; bytes - 2][..], b"\r\n"].concat();
        for packet in [4096, 2 * LONGEST_LINE] {
            assert!(cut_all::<Cutter>(&line(LONGEST_LINE), packet).is_ok());
            assert!(cut_all::<Cutter>(&line(LONGEST_LINE + 1), packet).is_err());
        }
    }

    #[test]
    fn what_redis_never_sends_is_refused() {
        for stream in ["\r\n", "OK\r\n", "+OK\n", ":x\r\n", "$-2\r\n", "$536870913\r\n", "*x\r\n"] {
            let error = cut_all::<Cutter>(stream.as_bytes(), 4096).unwrap_err();
            assert!(error.contains(stream.trim_end()), "{stream:?}: {error}");
        }
        assert!(
            cut_all::<Cutter>(b"$1\r\nab\r\n", 4096)
                .unwrap_err()
                .contains("longer than the 1 bytes")
        );
        assert!(
            cut_all::<Cutter>(&[b'x'; LONGEST_LINE + 1], 4096)
                .unwrap_err()
                .contains("a line of more than")
        );
    }
}

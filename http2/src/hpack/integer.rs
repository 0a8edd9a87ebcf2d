//! Integers and strings of a header block (RFC 7541, section 5). Every bound is here: nothing
//! is read past the block, and no integer exceeds 28 bits and its prefix.

use super::HpackError;

/// Bytes that may follow an integer's first. Four hold any length that a block can have, and a
/// peer that sends more pads with zeros.
const MAX_FOLLOWING: u32 = 4;

/// What is left of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// A string as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) is_huffman: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(block: &'a [u8]) -> Self {
        Self { rest: block }
    }

    /// The first byte of the next field, or none at the end.
    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Reads an integer whose first byte has `prefix` bits of it.
    #[inline]
    pub(crate) fn integer(&mut self, prefix: u32) -> Result<usize, HpackError> {
        let (first, rest) = self.rest.split_first().ok_or(HpackError("a block is cut off"))?;
        self.rest = rest;
        let most = (1 << prefix) - 1;
        let value = usize::from(*first) & most;
        if value < most { Ok(value) } else { self.following(value) }
    }

    fn following(&mut self, mut value: usize) -> Result<usize, HpackError> {
        for shift in (0..MAX_FOLLOWING).map(|byte| 7 * byte) {
            let (byte, rest) = self.rest.split_first().ok_or(HpackError("a block is cut off"))?;
            self.rest = rest;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(HpackError("an integer is too large"))
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Text<'a>, HpackError> {
        let is_huffman = self.peek().is_some_and(|first| first & 0x80 != 0);
        let length = self.integer(7)?;
        let (bytes, rest) =
            self.rest.split_at_checked(length).ok_or(HpackError("a string is cut off"))?;
        self.rest = rest;
        Ok(Text { bytes, is_huffman })
    }
}

/// Writes an integer behind the bits `first` of its first byte.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, first: u8, prefix: u32, value: usize) {
    let most = (1 << prefix) - 1;
    if value < most {
        out.push(first | value as u8);
        return;
    }
    out.push(first | most as u8);
    let mut left = value - most;
    while left > 0x7f {
        out.push(0x80 | (left & 0x7f) as u8);
        left >>= 7;
    }
    out.push(left as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_at_every_boundary_are_read_as_written() {
        for prefix in 1..=8u32 {
            let most = (1usize << prefix) - 1;
            let edges = [0, 1, most - 1, most, most + 1, most + 127, most + 128, most + 129]
                .into_iter()
                .chain([14, 21, 28].map(|bits| most + (1 << bits) - 1))
                .chain([14, 21].map(|bits| most + (1 << bits)));
            for value in edges {
                let mut bytes = Vec::new();
                put(&mut bytes, 0, prefix, value);
                let mut reader = Reader::new(&bytes);
                assert_eq!(reader.integer(prefix), Ok(value), "{prefix} bits");
                assert_eq!(reader.peek(), None);
                for cut in 0..bytes.len() {
                    assert!(Reader::new(&bytes[..cut]).integer(prefix).is_err());
                }
            }
        }
    }

    #[test]
    fn the_bits_beside_a_prefix_are_kept_apart() {
        let mut bytes = Vec::new();
        put(&mut bytes, 0b1010_0000, 5, 10);
        assert_eq!(bytes, [0b1010_1010]);
        assert_eq!(Reader::new(&bytes).integer(5), Ok(10));
    }

    /// RFC 7541, C.1.
    #[test]
    fn the_examples_of_the_rfc() {
        for (value, prefix, bytes) in
            [(10, 5, &[0x0a][..]), (1337, 5, &[0x1f, 0x9a, 0x0a]), (42, 8, &[0x2a])]
        {
            let mut written = Vec::new();
            put(&mut written, 0, prefix, value);
            assert_eq!(written, bytes);
            assert_eq!(Reader::new(bytes).integer(prefix), Ok(value));
        }
    }

    #[test]
    fn an_integer_without_an_end_is_refused() {
        for bytes in [&[0xff; 12][..], &[0x7f, 0x80, 0x80, 0x80, 0x80, 0x00]] {
            assert_eq!(Reader::new(bytes).integer(7), Err(HpackError("an integer is too large")));
        }
    }

    #[test]
    fn a_string_may_not_be_longer_than_its_block() {
        assert_eq!(Reader::new(b"\x03ab").text(), Err(HpackError("a string is cut off")));
        let text = Reader::new(b"\x82abc").text();
        assert_eq!(text, Ok(Text { bytes: b"ab", is_huffman: true }));
    }
}

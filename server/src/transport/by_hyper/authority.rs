//! Replaces a `:authority` that the HTTP/2 library refuses in a header block (RFC 7541).
//!
//! gRPC's clients send the target there, such as `ipv4:10.0.0.1:1,10.0.0.2:1`, and the library
//! resets the stream of whatever is no authority of a URI, although nothing here reads it.
//! Both ends of a connection keep a table of the fields that were sent, and its bounds go by
//! the fields' lengths. So a value is replaced by one of the same length, and the tables agree
//! on everything but that value.

use http::uri::Authority;

use super::huffman;

/// Places of HPACK's static table: `:authority`, and the last of the pseudo-header fields.
const AUTHORITY: usize = 1;
const LAST_PSEUDO: usize = 14;

/// The first place of the dynamic table.
const DYNAMIC: usize = 62;

/// A block with another authority.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Replaced {
    pub(super) block: Vec<u8>,
    /// The authority that was there.
    pub(super) was: Vec<u8>,
}

/// Replaces the authority of a block, or returns none if the library takes what is there. An
/// empty authority stays: no other value has its length.
pub(super) fn replaced(block: &[u8]) -> Option<Replaced> {
    let (start, value) = find(block)?;
    let value_end = block.len() - value.rest.len();
    let text = value.decoded()?;
    if text.is_empty() || is_valid(&text) {
        return None;
    }
    let mut replaced = block[..start].to_vec();
    encode_length(text.len(), &mut replaced);
    replaced.resize(replaced.len() + text.len(), b'x');
    replaced.extend_from_slice(&block[value_end..]);
    Some(Replaced { block: replaced, was: text })
}

fn is_valid(text: &[u8]) -> bool {
    // A plain name or an IPv4 address, with or without a port: nearly all there are.
    let name = text.iter().position(|byte| *byte == b':').unwrap_or(text.len());
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    (name > 0
        && text[..name].iter().all(plain)
        && text[name..].iter().skip(1).all(u8::is_ascii_digit))
        || Authority::try_from(text).is_ok()
}

/// The place of the value of a literal `:authority`, and the value. Pseudo-header fields come
/// first, so the search ends at the first other field.
fn find(block: &[u8]) -> Option<(usize, Text<'_>)> {
    let mut rest = block;
    loop {
        let first = *rest.first()?;
        let (is_literal, prefix) = match first {
            0x80.. => (false, 7),
            0x40.. => (true, 6),
            // A change of the table's size.
            0x20.. => {
                (_, rest) = integer(rest, 5)?;
                continue;
            }
            _ => (true, 4),
        };
        let index;
        (index, rest) = integer(rest, prefix)?;
        if LAST_PSEUDO < index && index < DYNAMIC {
            return None;
        }
        if !is_literal {
            continue;
        }
        let mut is_authority = index == AUTHORITY;
        if index == 0 {
            let name = Text::parse(rest)?;
            rest = name.rest;
            let name = name.decoded()?;
            if !name.starts_with(b":") {
                return None;
            }
            is_authority = name == b":authority";
        }
        let start = block.len() - rest.len();
        let value = Text::parse(rest)?;
        if is_authority {
            return Some((start, value));
        }
        rest = value.rest;
    }
}

/// A string of a header block, and what follows it.
struct Text<'a> {
    bytes: &'a [u8],
    is_huffman: bool,
    rest: &'a [u8],
}

impl<'a> Text<'a> {
    fn parse(block: &'a [u8]) -> Option<Self> {
        let is_huffman = block.first()? & 0x80 != 0;
        let (length, rest) = integer(block, 7)?;
        let (bytes, rest) = rest.split_at_checked(length)?;
        Some(Self { bytes, is_huffman, rest })
    }

    fn decoded(&self) -> Option<Vec<u8>> {
        if self.is_huffman { huffman::decode(self.bytes) } else { Some(self.bytes.to_vec()) }
    }
}

/// An integer whose first byte has `prefix` bits of it, and what follows.
fn integer(bytes: &[u8], prefix: u32) -> Option<(usize, &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    let most = (1 << prefix) - 1;
    let mut value = usize::from(*first) & most;
    if value < most {
        return Some((value, rest));
    }
    for shift in [0, 7, 14, 21] {
        let (byte, after) = rest.split_first()?;
        rest = after;
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, rest));
        }
    }
    None
}

/// The length of a string that is not Huffman-coded.
fn encode_length(length: usize, into: &mut Vec<u8>) {
    const MOST: usize = 0x7f;
    if length < MOST {
        into.push(length as u8);
        return;
    }
    into.push(MOST as u8);
    let mut left = length - MOST;
    while left > 0x7f {
        into.push(0x80 | (left & 0x7f) as u8);
        left >>= 7;
    }
    into.push(left as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: &str = "ipv4:127.0.0.1:1,127.0.0.1:2";

    /// `:method: POST`, then `:authority` with the first byte `kind`, then `:scheme: http` and
    /// a regular field.
    fn block(kind: u8, value: &[u8]) -> Vec<u8> {
        let mut block = vec![0x83, kind];
        encode_length(value.len(), &mut block);
        block.extend_from_slice(value);
        block.extend_from_slice(b"\x86\x40\x02te\x08trailers");
        block
    }

    #[test]
    fn what_is_no_authority_is_replaced_by_one_of_the_same_length() {
        for value in [
            TARGETS.to_owned(),
            "/run/cache.sock".to_owned(),
            "a name".to_owned(),
            "%2Frun%2Fcache.sock".to_owned(),
            "a:b:c".to_owned(),
            "\u{fc}nicode".to_owned(),
            "a:".repeat(200),
        ] {
            for kind in [0x41, 0x01, 0x11] {
                let replaced = replaced(&block(kind, value.as_bytes())).expect(&value);
                assert_eq!(replaced.was, value.as_bytes());
                let expected = block(kind, "x".repeat(value.len()).as_bytes());
                assert_eq!(replaced.block, expected, "{value}");
            }
        }
    }

    #[test]
    fn a_huffman_coded_value_keeps_its_decoded_length() {
        // "a a": 00011, 010100, 00011.
        let coded = [0b0001_1010, 0b1000_0011];
        assert_eq!(huffman::decode(&coded).unwrap(), b"a a");
        let mut with = vec![0x83, 0x41, 0x80 | 2];
        with.extend(coded);
        with.push(0x86);
        assert_eq!(replaced(&with).unwrap().block, b"\x83\x41\x03xxx\x86");
    }

    #[test]
    fn a_name_that_is_written_out_is_found_too() {
        let mut with = b"\x83\x40\x0a:authority\x03a a".to_vec();
        assert_eq!(replaced(&with).unwrap().block, b"\x83\x40\x0a:authority\x03xxx");
        with.truncate(with.len() - 1);
        assert_eq!(replaced(&with), None, "it is cut off");
    }

    #[test]
    fn what_the_library_takes_is_left_alone() {
        for value in
            ["localhost", "cache.test:50051", "10.0.0.1", "[::1]:50051", "user@host", "a_b", ""]
        {
            assert_eq!(replaced(&block(0x41, value.as_bytes())), None, "{value}");
        }
        // By its place in the table; and not where a regular field has come before.
        assert_eq!(replaced(b"\x83\xbe\x86"), None);
        assert_eq!(replaced(b"\x90\x41\x03a a"), None);
    }
}

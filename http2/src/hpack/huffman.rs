//! The Huffman code of RFC 7541, appendix B.
//!
//! The code is canonical: in the order of length, then of symbol, each code is the one before
//! plus one. So everything is made from the lengths, at compile time. One look at the next 12
//! bits yields two symbols where two fit, which is nearly always: digits, lower-case letters
//! and hexadecimal ids have five to seven bits each. Longer codes are rare in header fields and
//! go by length.

use super::HpackError;

/// Bits of each symbol's code; the last is the end of a string.
#[rustfmt::skip]
pub(super) const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const LONGEST: usize = 30;
const END_OF_STRING: u16 = 256;

/// Bits of one look. With 12 every pair of hexadecimal digits takes one look; the table has
/// 16 KiB, of which the lines that text uses stay in the cache.
const LOOK: u32 = 12;

/// What the next bits begin with: one symbol or two.
#[derive(Clone, Copy)]
struct Entry {
    symbols: [u8; 2],
    /// 0 where no code of up to [`LOOK`] bits matches.
    count: u8,
    bits: u8,
}

struct Code {
    /// Symbols in the order of their codes.
    symbols: [u16; 257],
    /// For each length: its first code, the place of its first symbol, and how many it has.
    first: [u32; LONGEST + 1],
    place: [u16; LONGEST + 1],
    count: [u32; LONGEST + 1],
}

static CODE: Code = Code::canonical();
static LOOKED_UP: [Entry; 1 << LOOK] = looks(&Code::canonical());

impl Code {
    const fn canonical() -> Self {
        let mut made = Self {
            symbols: [0; 257],
            first: [0; LONGEST + 1],
            place: [0; LONGEST + 1],
            count: [0; LONGEST + 1],
        };
        let (mut length, mut next, mut code) = (1, 0, 0);
        while length <= LONGEST {
            code <<= 1;
            made.first[length] = code;
            made.place[length] = next;
            let mut symbol = 0;
            while symbol < LENGTHS.len() {
                if LENGTHS[symbol] as usize == length {
                    made.symbols[next as usize] = symbol as u16;
                    made.count[length] += 1;
                    next += 1;
                    code += 1;
                }
                symbol += 1;
            }
            length += 1;
        }
        made
    }

    /// The symbol that begins with the highest bits of `bits`, among codes of at least `least`
    /// bits, and its length. Fails where only the end of a string matches.
    const fn search(&self, bits: u64, least: usize) -> Option<(u16, u32)> {
        let mut length = least;
        while length <= LONGEST {
            let code = (bits >> (64 - length)) as u32;
            if let Some(above) = code.checked_sub(self.first[length])
                && above < self.count[length]
            {
                let symbol = self.symbols[self.place[length] as usize + above as usize];
                if symbol == END_OF_STRING {
                    return None;
                }
                return Some((symbol, length as u32));
            }
            length += 1;
        }
        None
    }
}

const fn looks(code: &Code) -> [Entry; 1 << LOOK] {
    let mut table = [Entry { symbols: [0; 2], count: 0, bits: 0 }; 1 << LOOK];
    let mut index = 0;
    while index < table.len() {
        let bits = (index as u64) << (64 - LOOK);
        if let Some((first, length)) = code.search(bits, 5)
            && length <= LOOK
        {
            table[index] = Entry { symbols: [first as u8, 0], count: 1, bits: length as u8 };
            if let Some((second, more)) = code.search(bits << length, 5)
                && length + more <= LOOK
            {
                let symbols = [first as u8, second as u8];
                table[index] = Entry { symbols, count: 2, bits: (length + more) as u8 };
            }
        }
        index += 1;
    }
    table
}

/// Bytes that `coded` decodes to at most: the shortest code has five bits.
fn most_decoded(coded: usize) -> usize {
    coded * 8 / 5
}

/// Decodes a string onto the end of `out`.
pub(crate) fn decode(coded: &[u8], out: &mut Vec<u8>) -> Result<(), HpackError> {
    let start = out.len();
    // Two symbols are written at each look, so one byte more than can be decoded.
    out.resize(start + most_decoded(coded.len()) + 2, 0);
    let written = decode_into(coded, &mut out[start..])?;
    out.truncate(start + written);
    Ok(())
}

/// Decodes one string of a header block. `None`: no encoder writes these bytes.
pub fn decode_huffman(coded: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    decode(coded, &mut text).ok()?;
    Some(text)
}

/// Decodes into `out`, which is long enough, and returns how much of it was written.
fn decode_into(mut coded: &[u8], out: &mut [u8]) -> Result<usize, HpackError> {
    // The next bits, highest first; below `held` of them all are zero.
    let (mut bits, mut held) = (0u64, 0u32);
    let mut written = 0;
    loop {
        if held < 32 {
            if let Some((four, rest)) = coded.split_first_chunk::<4>() {
                bits |= u64::from(u32::from_be_bytes(*four)) << (32 - held);
                held += 32;
                coded = rest;
            } else {
                for byte in coded {
                    bits |= u64::from(*byte) << (56 - held);
                    held += 8;
                }
                coded = &[];
            }
        }
        let entry = LOOKED_UP[(bits >> (64 - LOOK)) as usize];
        if entry.count > 0 && u32::from(entry.bits) <= held {
            out[written] = entry.symbols[0];
            out[written + 1] = entry.symbols[1];
            written += usize::from(entry.count);
            bits <<= entry.bits;
            held -= u32::from(entry.bits);
            continue;
        }
        // A long code, the last symbols, or the padding.
        let single = CODE.search(bits, 5).filter(|(_, length)| *length <= held);
        let Some((symbol, length)) = single else { break };
        out[written] = symbol as u8;
        written += 1;
        bits <<= length;
        held -= length;
    }
    // Padding is the beginning of the end of a string, which is all ones, and less than a byte.
    if held < 8 && bits == !(u64::MAX >> held) {
        return Ok(written);
    }
    Err(HpackError("a string is not Huffman-coded"))
}

#[cfg(test)]
mod appendix_b;

#[cfg(test)]
pub(super) mod tests {
    use super::{appendix_b::CODES, *};
    use proptest::prelude::*;

    fn decoded(coded: &[u8]) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        decode(coded, &mut out).ok()?;
        Some(out.split_off(6))
    }

    /// Encodes a string. The engine sends plain strings, so only tests need it.
    pub(crate) fn encode(text: &[u8]) -> Vec<u8> {
        let (mut out, mut bits, mut held) = (Vec::new(), 0u64, 0u32);
        for byte in text {
            let length = u32::from(LENGTHS[usize::from(*byte)]);
            bits = bits << length | u64::from(CODES[usize::from(*byte)].0);
            held += length;
            while held >= 8 {
                held -= 8;
                out.push((bits >> held) as u8);
            }
        }
        if held > 0 {
            out.push((bits << (8 - held)) as u8 | (0xff >> held));
        }
        out
    }

    #[test]
    fn the_codes_are_those_of_the_rfc() {
        for (symbol, (code, length)) in CODES.into_iter().enumerate() {
            assert_eq!(LENGTHS[symbol], length, "symbol {symbol}");
            let bits = u64::from(code) << (64 - u32::from(length));
            let expected = (symbol < 256).then_some((symbol as u16, u32::from(length)));
            assert_eq!(CODE.search(bits, 5), expected, "symbol {symbol}");
        }
    }

    #[test]
    fn every_symbol_decodes_behind_and_before_every_other() {
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                let text = [first, second, first];
                let coded = encode(&text);
                assert_eq!(decoded(&coded).as_deref(), Some(text.as_slice()));
            }
        }
    }

    /// RFC 7541, C.4 and C.6.
    #[test]
    fn the_examples_of_the_rfc() {
        for (coded, text) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95ba97d7f", "custom-key"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
            ("", ""),
        ] {
            let coded = hex::decode(coded).unwrap();
            assert_eq!(decoded(&coded).as_deref(), Some(text.as_bytes()));
            assert_eq!(encode(text.as_bytes()), coded);
        }
    }

    #[test]
    fn what_no_encoder_writes_is_refused() {
        // A byte of padding; padding with zeros; the end of a string, whole and within.
        for wrong in ["a8eb10649cbfff", "1c", "ffffffff", "ff", "003fffffff"] {
            assert_eq!(decoded(&hex::decode(wrong).unwrap()), None, "{wrong}");
        }
    }

    /// The decoder bit by bit, as an oracle.
    fn slowly(coded: &[u8]) -> Option<Vec<u8>> {
        let (mut text, mut code, mut length) = (Vec::new(), 0u32, 0u8);
        for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)) {
            (code, length) = (code << 1 | u32::from(bit), length + 1);
            if let Some(symbol) = CODES.iter().position(|known| *known == (code, length)) {
                text.push(u8::try_from(symbol).ok()?);
                (code, length) = (0, 0);
            }
        }
        (length < 8 && code == (1 << length) - 1).then_some(text)
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decoded(&encode(&text)), Some(text));
        }

        #[test]
        fn any_bytes_decode_as_bit_by_bit(coded in proptest::collection::vec(any::<u8>(), 0..24)) {
            prop_assert_eq!(decoded(&coded), slowly(&coded));
        }
    }
}

//! HPACK's Huffman code (RFC 7541, appendix B), decoding alone.

/// How many bits each symbol takes; the last is the end of a string. The code is canonical:
/// in the order of length, then of symbol, each code is the one before and one more.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
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

/// The code in the form in which it is decoded.
struct Code {
    /// Symbols in the order of their codes.
    symbols: [u16; 257],
    /// Of each length: its first code, the place of its first symbol, how many it has.
    first: [u32; LONGEST + 1],
    place: [usize; LONGEST + 1],
    count: [u32; LONGEST + 1],
}

static CODE: Code = Code::canonical();

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
                    made.symbols[next] = symbol as u16;
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
}

/// Decodes a string, or returns none where the bytes are no such string.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(bytes.len() * 8 / 5);
    let (mut bits, mut length) = (0u32, 0);
    for bit in bytes.iter().flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1)) {
        bits = bits << 1 | u32::from(bit);
        length += 1;
        let Some(above) = bits.checked_sub(*CODE.first.get(length)?) else { continue };
        if above < CODE.count[length] {
            let symbol = CODE.symbols[CODE.place[length] + above as usize];
            if symbol == END_OF_STRING {
                return None;
            }
            decoded.push(symbol as u8);
            (bits, length) = (0, 0);
        }
    }
    // What fills the last byte is the beginning of the end of a string: ones.
    let padding = length < 8 && bits + 1 == 1 << length;
    padding.then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7541, appendix C.
    #[test]
    fn the_examples_of_the_rfc_decode() {
        for (encoded, decoded) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
            ("", ""),
        ] {
            let encoded = hex::decode(encoded).unwrap();
            assert_eq!(decode(&encoded).as_deref(), Some(decoded.as_bytes()));
        }
    }

    #[test]
    fn what_no_encoder_writes_is_refused() {
        // A whole byte of padding; padding with zeros; the end of a string within one.
        for wrong in ["a8eb10649cbfff", "1c", "ffffffff"] {
            assert_eq!(decode(&hex::decode(wrong).unwrap()), None, "{wrong}");
        }
    }
}

//! Base64 and hex. An error of decoding has its place.

use base64::{
    DecodeError, Engine,
    engine::general_purpose::{GeneralPurpose, STANDARD},
};

/// RFC 4648, section 4: `+` and `/`, padded.
const BASE64: GeneralPurpose = STANDARD;

/// A text encoding of values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Encoding {
    Base64,
    Hex,
}

impl Encoding {
    /// Encodes a value.
    pub(crate) fn encode(self, value: &[u8]) -> String {
        match self {
            Self::Base64 => BASE64.encode(value),
            Self::Hex => hex::encode(value),
        }
    }

    /// Decodes text. Skips white space: tools break the lines of such text.
    pub(crate) fn decode(self, text: &[u8]) -> Result<Vec<u8>, String> {
        let is_known = |byte: u8| match self {
            Self::Base64 => byte.is_ascii_alphanumeric() || b"+/=".contains(&byte),
            Self::Hex => byte.is_ascii_hexdigit(),
        };
        let strange = |byte: &u8| !byte.is_ascii_whitespace() && !is_known(*byte);
        if let Some(at) = text.iter().position(strange) {
            return Err(self.strange(text, at));
        }
        let packed: Vec<u8> =
            text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        match self {
            Self::Base64 => BASE64.decode(&packed).map_err(|error| no_base64(text, &packed, error)),
            Self::Hex => hex::decode(&packed).map_err(|_| {
                format!("it has {} digits, and a byte has two; one is missing", packed.len())
            }),
        }
    }

    /// The error of a byte that is not in the alphabet.
    fn strange(self, text: &[u8], at: usize) -> String {
        let shown = String::from_utf8_lossy(&text[at..]);
        let shown = shown.chars().next().unwrap_or_default();
        let place = at + 1;
        match (self, shown) {
            (Self::Base64, '-' | '_') => format!(
                "character {place} is `{shown}`, of the alphabet for URLs; write + for - and / \
                 for _"
            ),
            (Self::Base64, _) => format!(
                "character {place} is `{}`; expected A-Z, a-z, 0-9, + and /, padded with =",
                shown.escape_debug()
            ),
            (Self::Hex, 'x' | 'X') if at == 1 => {
                format!("character {place} is `{shown}`; leave out the 0x")
            }
            (Self::Hex, _) => format!(
                "character {place} is `{}`; expected 0-9 and a-f, two for each byte",
                shown.escape_debug()
            ),
        }
    }
}

/// The error of base64 whose characters are all valid.
fn no_base64(text: &[u8], packed: &[u8], error: DecodeError) -> String {
    // `at` counts characters without white space.
    let place = |at| {
        let mut places = (1..).zip(text).filter(|(_, byte)| !byte.is_ascii_whitespace());
        places.nth(at).map_or(text.len(), |(place, _)| place)
    };
    let unpadded = packed.iter().position(|byte| *byte == b'=');
    match (error, unpadded) {
        (_, Some(at)) if packed[at..].iter().any(|byte| *byte != b'=') => {
            format!("character {} is `=`, and more than padding follows", place(at))
        }
        (DecodeError::InvalidLastSymbol(at, byte), _) => format!(
            "character {} is `{}`, whose last bits belong to no byte; the text is cut off or \
             damaged",
            place(at),
            byte.escape_ascii()
        ),
        _ => format!(
            "it has {} characters, padding included; expected a multiple of 4, padded with at \
             most two =",
            packed.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for len in 0..300 {
            let value: Vec<u8> = (0..len).map(|n| (n * 7 % 256) as u8).collect();
            for encoding in [Encoding::Base64, Encoding::Hex] {
                let text = encoding.encode(&value);
                assert_eq!(encoding.decode(text.as_bytes()).unwrap(), value);
                let lines: Vec<_> = text.as_bytes().chunks(76).collect();
                assert_eq!(encoding.decode(&lines.join(&b"\r\n"[..])).unwrap(), value);
            }
        }
        assert_eq!(Encoding::Hex.decode(b"FF 0a\n").unwrap(), b"\xff\n");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (encoding, text, reason) in [
            (Encoding::Base64, &b"aG!k"[..], "character 3 is `!`; expected A-Z"),
            (Encoding::Base64, b"aGk=\n\0", "character 6 is `\\0`; expected"),
            (Encoding::Base64, "aGé".as_bytes(), "character 3 is `é`"),
            (Encoding::Base64, b"-_8=", "character 1 is `-`, of the alphabet for URLs; write +"),
            (Encoding::Base64, b"aGk", "it has 3 characters, padding included; expected a mult"),
            (Encoding::Base64, b"aGk==", "it has 5 characters"),
            (Encoding::Base64, b"a===", "it has 4 characters, padding included"),
            (Encoding::Base64, b"====", "it has 4 characters"),
            (Encoding::Base64, b"a", "it has 1 characters"),
            (Encoding::Base64, b"aGk=\naGk=", "character 4 is `=`, and more than padding follows"),
            (Encoding::Base64, b"aG\nl=", "character 4 is `l`, whose last bits belong to no"),
            (Encoding::Hex, b"0xff", "character 2 is `x`; leave out the 0x"),
            (Encoding::Hex, b"ff g0", "character 4 is `g`; expected 0-9 and a-f"),
            (Encoding::Hex, b"ff:00", "character 3 is `:`"),
            (Encoding::Hex, b"f\xff", "character 2 is `\u{fffd}`"),
            (Encoding::Hex, b"abc", "it has 3 digits, and a byte has two; one is missing"),
        ] {
            let error = encoding.decode(text).unwrap_err();
            assert!(error.starts_with(reason), "{error}");
        }
    }
}

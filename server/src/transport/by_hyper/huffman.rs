//! HPACK's Huffman code (RFC 7541, appendix B), decoding alone: that of the engine.

pub(super) use tiny_cache_http2::decode_huffman as decode;

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

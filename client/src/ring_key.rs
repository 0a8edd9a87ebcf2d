//! The text by which a key is placed on a ring, and that goes out as `x-cache-key`: namespace and
//! key in a form that is ASCII, unambiguous, and one line in any language.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::HeaderValue;
use tiny_cache_proto::key::{InvalidNamespace, Namespace};

/// The text of a key: `base64(namespace + ":" + key)`, with the standard alphabet and padding
/// (RFC 4648, section 4) of the UTF-8 bytes; the shared keyspace's name is empty.
///
/// A namespace has no colon, so no two keys have the same text. Base64 because metadata is ASCII,
/// and because the functions for percent encoding differ between languages in what they encode.
pub(crate) fn ring_key(namespace: Namespace<'_>, key: &str) -> String {
    let namespace = namespace.as_str();
    let mut text = String::with_capacity(namespace.len() + 1 + key.len());
    text.push_str(namespace);
    text.push(':');
    text.push_str(key);
    BASE64_STANDARD.encode(text)
}

/// The value of the metadata `x-cache-key` for a key, by which a proxy can choose its server: see
/// [`Builder::key_metadata`](crate::Builder::key_metadata). For calls over a
/// [`Connection`](crate::transport::Connection) of one's own.
///
/// # Errors
///
/// The text is not a valid namespace.
pub fn key_metadata(namespace: &str, key: &str) -> Result<HeaderValue, InvalidNamespace> {
    Ok(metadata(ring_key(Namespace::parse(namespace)?, key)))
}

/// A key's text as metadata.
pub(crate) fn metadata(ring_key: String) -> HeaderValue {
    let mut value = HeaderValue::from_maybe_shared(Bytes::from(ring_key)).expect("base64");
    // Different for each call: it must not enter HPACK's table.
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_base64_of_namespace_colon_and_key() {
        let text = |namespace, key| ring_key(Namespace::parse(namespace).unwrap(), key);
        // python3 -c 'import base64; print(base64.b64encode("team:user:7".encode()))'
        assert_eq!(text("team", "user:7"), "dGVhbTp1c2VyOjc=");
        assert_eq!(text("", "user:7"), "OnVzZXI6Nw==");
        assert_eq!(text(" team ", "ключ"), "dGVhbTrQutC70Y7Rhw==");
    }

    #[test]
    fn metadata_is_the_text_and_stays_out_of_tables() {
        let value = key_metadata("team", "user:7").unwrap();
        assert_eq!(value, "dGVhbTp1c2VyOjc=");
        assert!(value.is_sensitive());
        assert!(key_metadata("no namespace", "user:7").is_err());
    }

    #[test]
    fn keys_of_different_namespaces_have_different_texts() {
        let team = Namespace::parse("team").unwrap();
        assert_ne!(ring_key(team, "a"), ring_key(Namespace::SHARED, "team:a"));
    }
}

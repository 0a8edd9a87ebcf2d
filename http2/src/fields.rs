//! Fields of replies, encoded ahead. Most of a reply's fields are the same for every request:
//! they are encoded once, and copied.

use crate::hpack::encoder;

/// The name of a field, in the form in which it is sent.
#[derive(Clone, Debug)]
pub struct FieldName(Vec<u8>);

impl FieldName {
    /// The name, which must be in lower case (RFC 9113, 8.2).
    #[must_use]
    pub fn new(name: &str) -> Self {
        debug_assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase()));
        let mut encoded = Vec::new();
        encoder::put_name(&mut encoded, name.as_bytes());
        Self(encoded)
    }
}

/// Fields one after another: a header block, or the beginning of one.
#[derive(Clone, Debug, Default)]
pub struct Block(Vec<u8>);

impl Block {
    /// No fields, as trailers may begin.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The fields of a reply with this status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let mut encoded = Vec::new();
        encoder::put_status(&mut encoded, status);
        Self(encoded)
    }

    /// The same with one more field. Its name must be in lower case.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.push(&FieldName::new(name), value.as_ref());
        self
    }

    /// Appends a field.
    pub fn push(&mut self, name: &FieldName, value: &[u8]) {
        put(&mut self.0, name, value);
    }

    pub(crate) fn encoded(block: Vec<u8>) -> Self {
        Self(block)
    }

    /// Writes the block with more fields behind it.
    #[inline]
    pub(crate) fn put(&self, fields: &[(&FieldName, &[u8])], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
        for (name, value) in fields {
            put(out, name, value);
        }
    }

    pub(crate) fn with(&self, fields: &[(&FieldName, &[u8])]) -> Vec<u8> {
        let mut encoded = Vec::new();
        self.put(fields, &mut encoded);
        encoded
    }
}

#[inline]
fn put(out: &mut Vec<u8>, name: &FieldName, value: &[u8]) {
    out.extend_from_slice(&name.0);
    encoder::put_text(out, value);
}

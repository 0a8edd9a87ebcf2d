//! The last field that a peer sent never to be indexed, such as a token (RFC 7541, 7.1.3). It comes
//! as text with each request, and is mostly the same, so its Huffman code is read once: a token of
//! 50 characters takes some 100 ns, and a JWT ten times that.
//!
//! It stays in memory for as long as its connection, or until another takes its place. Intermediaries
//! are not concerned: nothing is forwarded.

use super::{HpackError, huffman, table::Classify};

/// Bytes of the longest text that is kept, as sent.
pub(super) const LONGEST: usize = 4 << 10;

/// A field by the index of its name in the static table, which is 0 before the first.
#[derive(Debug)]
pub(crate) struct Credential<C> {
    name: usize,
    sent: Vec<u8>,
    text: Vec<u8>,
    class: Option<C>,
}

impl<C: Copy> Credential<C> {
    pub(super) fn none() -> Self {
        Self { name: 0, sent: Vec::new(), text: Vec::new(), class: None }
    }

    /// The class and the text of what came in Huffman code for the name at an index of the static
    /// table, in at most [`LONGEST`] bytes.
    ///
    /// # Errors
    /// It is not Huffman-coded.
    #[inline]
    pub(super) fn read(
        &mut self,
        (index, name): (usize, &[u8]),
        sent: &[u8],
        names: &impl Classify<Class = C>,
    ) -> Result<(C, &[u8]), HpackError> {
        let class = match self.class {
            Some(class) if self.matches(index, sent) => class,
            _ => self.replace((index, name), sent, names)?,
        };
        Ok((class, &self.text))
    }

    fn replace(
        &mut self,
        (index, name): (usize, &[u8]),
        sent: &[u8],
        names: &impl Classify<Class = C>,
    ) -> Result<C, HpackError> {
        self.text.clear();
        huffman::decode(sent, &mut self.text)?;
        self.name = index;
        self.sent.clear();
        self.sent.extend_from_slice(sent);
        let class = names.classify(name, &self.text);
        self.class = Some(class);
        Ok(class)
    }

    /// Behind a proxy several callers share a connection, so the comparison takes a time that
    /// depends on the lengths alone.
    #[inline]
    fn matches(&self, name: usize, sent: &[u8]) -> bool {
        let differing = || self.sent.iter().zip(sent).fold(0, |bits, (a, b)| bits | (a ^ b));
        self.name == name && self.sent.len() == sent.len() && differing() == 0
    }
}

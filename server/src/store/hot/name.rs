//! The name of a key beside its entry.

use tiny_cache_proto::key::Key;

/// A namespace and a key, in one text that is written over again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Name {
    text: String,
    /// Bytes of the namespace.
    namespace: usize,
}

impl Name {
    pub(super) fn set(&mut self, key: Key<'_>) {
        let namespace = key.namespace().as_str();
        self.text.clear();
        self.text.push_str(namespace);
        self.text.push_str(key.text());
        self.namespace = namespace.len();
    }

    pub(super) fn copy(&mut self, other: &Self) {
        self.text.clone_from(&other.text);
        self.namespace = other.namespace;
    }

    /// The namespace, and the key.
    pub(super) fn parts(&self) -> (&str, &str) {
        self.text.split_at(self.namespace)
    }
}

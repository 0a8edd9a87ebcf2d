//! Which namespaces a rule is for.

use std::fmt;

use tiny_cache_proto::key::Namespace;

/// How the rules, like the metrics, name the shared keyspace: no namespace begins like this.
pub(in crate::access) const SHARED: &str = "_shared";

/// A namespace, or those that begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// This one; empty: the shared keyspace.
    Exact(String),
    /// Those that begin so; empty: all, the shared keyspace among them.
    Prefix(String),
}

impl Pattern {
    /// Reads what a rules file says.
    ///
    /// # Errors
    /// Why it is no pattern, with the remedy.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (name, is_prefix) =
            text.strip_suffix('*').map_or((text, false), |prefix| (prefix, true));
        match name {
            "" if is_prefix => return Ok(Self::Prefix(String::new())),
            "" => {
                return Err(format!(
                    "\"\" is no namespace: write \"{SHARED}\" for the shared keyspace, or \"*\" \
                     for everything"
                ));
            }
            SHARED if is_prefix => {
                return Err(format!("{text:?} is no prefix: write \"{SHARED}\" without the *"));
            }
            SHARED => return Ok(Self::Exact(String::new())),
            _ => {}
        }
        let valid = Namespace::parse(name).is_ok_and(|parsed| parsed.as_str() == name);
        match (valid, is_prefix) {
            (true, true) => Ok(Self::Prefix(name.to_owned())),
            (true, false) => Ok(Self::Exact(name.to_owned())),
            (false, _) => Err(format!(
                "{text:?} names no namespace: write 1 to 64 characters, first a letter or digit, \
                 then letters, digits, '.', '_' or '-', with * only at the end of a prefix; \
                 \"{SHARED}\" for the shared keyspace; or \"*\" for everything"
            )),
        }
    }

    /// Whether it is for a namespace; the shared keyspace is the empty name.
    pub(super) fn matches(&self, namespace: &str) -> bool {
        match self {
            Self::Exact(name) => name == namespace,
            Self::Prefix(prefix) => namespace.starts_with(&**prefix),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) if name.is_empty() => out.write_str(SHARED),
            Self::Exact(name) => out.write_str(name),
            Self::Prefix(prefix) => write!(out, "{prefix}*"),
        }
    }
}

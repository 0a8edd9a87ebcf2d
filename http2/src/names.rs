//! What a field means to HTTP/2 by its name (RFC 9113, sections 8.2 and 8.3), and which fields
//! the owner wants to read. A field is judged when it is first seen; the tables of HPACK keep
//! the judgement.

use crate::hpack::{Classify, static_table};

/// Fields that an owner may name. They have a place each in every [`Head`](crate::Head).
pub const MAX_KEPT: usize = 12;

/// A pseudo-header field of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Pseudo {
    Method,
    Scheme,
    Authority,
    Path,
}

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Pseudo(Pseudo),
    /// A field that the owner reads, by its place among the names.
    Kept(u8),
    /// Holds the length of the body, and is kept under this place, if any.
    ContentLength(Option<u8>),
    /// Must agree with the authority, and is kept under this place, if any.
    Host(Option<u8>),
    Other,
    /// Makes the request malformed, for this reason.
    Malformed(Fault),
}

/// Why a field makes its request malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Name,
    Value,
    UnknownPseudo,
    EmptyPseudo,
    Scheme,
    Path,
    Connection,
    Te,
}

impl Fault {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Name => "a field's name has a character that is not allowed",
            Self::Value => "a field's value has a character that is not allowed",
            Self::UnknownPseudo => "an unknown pseudo-header field",
            Self::EmptyPseudo => "an empty pseudo-header field",
            Self::Scheme => "a scheme that is none",
            Self::Path => "a path that does not begin with a slash",
            Self::Connection => "a field of HTTP/1 connections",
            Self::Te => "te has a value other than trailers",
        }
    }
}

/// The names of the fields that an owner reads.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    is_strict: bool,
    kept: Vec<Box<[u8]>>,
    of_static: [Class; static_table::ENTRIES.len()],
}

impl Names {
    /// # Panics
    /// If there are more than [`MAX_KEPT`] names.
    pub(crate) fn new(kept: &[&str]) -> Self {
        assert!(kept.len() <= MAX_KEPT, "at most {MAX_KEPT} names are kept");
        let kept = kept.iter().map(|name| name.as_bytes().into()).collect();
        let mut made =
            Self { is_strict: false, kept, of_static: [Class::Other; static_table::ENTRIES.len()] };
        made.of_static = static_table::ENTRIES
            .map(|(name, value)| made.classify(name.as_bytes(), value.as_bytes()));
        made
    }

    /// Refuses white space around values.
    pub(crate) fn strict(self) -> Self {
        Self { is_strict: true, ..self }
    }

    fn place(&self, name: &[u8]) -> Option<u8> {
        self.kept.iter().position(|kept| **kept == *name).map(|place| place as u8)
    }
}

impl Classify for Names {
    type Class = Class;

    fn classify(&self, name: &[u8], value: &[u8]) -> Class {
        if !is_value(value) || self.is_strict && value.trim_ascii() != value {
            return Class::Malformed(Fault::Value);
        }
        if let Some(pseudo) = name.strip_prefix(b":") {
            return pseudo_field(pseudo, value);
        }
        if let Some(place) = self.place(name)
            && !matches!(name, b"te" | b"content-length" | b"host")
        {
            return Class::Kept(place);
        }
        match name {
            b"content-length" => Class::ContentLength(self.place(name)),
            b"host" => Class::Host(self.place(name)),
            b"te" if value != b"trailers" => Class::Malformed(Fault::Te),
            b"te" => self.place(name).map_or(Class::Other, Class::Kept),
            b"connection" | b"proxy-connection" | b"keep-alive" | b"transfer-encoding"
            | b"upgrade" => Class::Malformed(Fault::Connection),
            _ if name.is_empty() || !name.iter().all(|byte| is_name_byte(*byte)) => {
                Class::Malformed(Fault::Name)
            }
            _ => Class::Other,
        }
    }

    #[inline]
    fn of_static(&self, index: usize) -> Class {
        self.of_static[index - 1]
    }
}

fn pseudo_field(name: &[u8], value: &[u8]) -> Class {
    let pseudo = match name {
        b"method" => Pseudo::Method,
        b"scheme" => Pseudo::Scheme,
        b"authority" => Pseudo::Authority,
        b"path" => Pseudo::Path,
        _ => return Class::Malformed(Fault::UnknownPseudo),
    };
    match (pseudo, value.first()) {
        (_, None) => return Class::Malformed(Fault::EmptyPseudo),
        (Pseudo::Scheme, Some(_)) if !is_scheme(value) => return Class::Malformed(Fault::Scheme),
        (Pseudo::Path, Some(b'/')) => {}
        (Pseudo::Path, _) if value != b"*" => return Class::Malformed(Fault::Path),
        // gRPC's clients send a target of any form as the authority, so all are taken.
        _ => {}
    }
    Class::Pseudo(pseudo)
}

/// Whether a text is a scheme (RFC 3986, 3.1).
fn is_scheme(value: &[u8]) -> bool {
    value.first().is_some_and(u8::is_ascii_alphabetic)
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

/// Whether a byte may stand in a name: a token of RFC 9110, in lower case.
fn is_name_byte(byte: u8) -> bool {
    matches!(byte,
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'!' | b'#' | b'$' | b'%' | b'&'
        | b'\'' | b'*' | b'+' | b'^' | b'`' | b'|' | b'~')
}

/// Whether a value has no byte that would end it elsewhere.
fn is_value(value: &[u8]) -> bool {
    // Without an early end, so that it is done in blocks.
    !value.iter().fold(false, |bad, byte| bad | matches!(byte, 0 | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, value: &str) -> Class {
        Names::new(&["x-kept", "te", "content-length"]).classify(name.as_bytes(), value.as_bytes())
    }

    #[test]
    fn names_of_the_owner_have_their_places() {
        assert_eq!(class("x-kept", "a"), Class::Kept(0));
        assert_eq!(class("te", "trailers"), Class::Kept(1));
        assert_eq!(class("content-length", "1"), Class::ContentLength(Some(2)));
        assert_eq!(class("user-agent", "a"), Class::Other);
        assert_eq!(Names::new(&[]).classify(b"te", b"trailers"), Class::Other);
    }

    #[test]
    fn pseudo_header_fields_are_the_four_of_a_request() {
        assert_eq!(class(":method", "POST"), Class::Pseudo(Pseudo::Method));
        assert_eq!(class(":scheme", "http"), Class::Pseudo(Pseudo::Scheme));
        assert_eq!(class(":path", "/a"), Class::Pseudo(Pseudo::Path));
        assert_eq!(class(":path", "*"), Class::Pseudo(Pseudo::Path));
        for authority in ["ipv4:10.0.0.1:1,10.0.0.2:1", "%2Frun%2Fcache.sock", "a b"] {
            assert_eq!(class(":authority", authority), Class::Pseudo(Pseudo::Authority));
        }
        for (name, value, fault) in [
            (":status", "200", Fault::UnknownPseudo),
            (":protocol", "websocket", Fault::UnknownPseudo),
            (":", "", Fault::UnknownPseudo),
            (":path", "", Fault::EmptyPseudo),
            (":method", "", Fault::EmptyPseudo),
            (":authority", "", Fault::EmptyPseudo),
            (":scheme", "no scheme", Fault::Scheme),
            (":scheme", "1http", Fault::Scheme),
            (":path", "a/b", Fault::Path),
        ] {
            assert_eq!(class(name, value), Class::Malformed(fault), "{name}: {value}");
        }
    }

    #[test]
    fn characters_that_no_field_may_have() {
        for name in ["", "Upper", "a b", "a:b", "a\0", "a\u{7f}", "\u{fc}", "a(b"] {
            assert_eq!(class(name, ""), Class::Malformed(Fault::Name), "{name:?}");
        }
        for value in ["a\0", "\r", "a\nb"] {
            assert_eq!(class("x-kept", value), Class::Malformed(Fault::Value), "{value:?}");
        }
        for value in ["", " team ", "\t", "\u{fc}nicode"] {
            assert_eq!(class("x-kept", value), Class::Kept(0), "{value:?}");
        }
    }

    #[test]
    fn white_space_around_a_value_is_refused_where_it_is_asked_for() {
        let names = Names::new(&[]).strict();
        for value in [" a", "a\t", " "] {
            let class = names.classify(b"x", value.as_bytes());
            assert_eq!(class, Class::Malformed(Fault::Value), "{value:?}");
        }
        assert_eq!(names.classify(b"x", b"a b"), Class::Other);
    }

    #[test]
    fn fields_of_http_1_connections_are_refused() {
        for name in ["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"]
        {
            assert_eq!(class(name, "a"), Class::Malformed(Fault::Connection));
        }
        assert_eq!(class("te", "gzip"), Class::Malformed(Fault::Te));
    }

    #[test]
    #[should_panic(expected = "at most 12 names are kept")]
    fn there_are_places_for_twelve_names() {
        Names::new(&["a"; 13]);
    }
}

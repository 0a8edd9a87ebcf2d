//! The fields of a request or of its trailers, as its owner reads them.
//!
//! Pseudo-header fields and the fields that the owner named have fixed places, so that reading
//! one costs an index. Others are counted, and kept only for a [`Lane::Stream`]. All text lies in
//! one buffer, which is used again for the next request.

use crate::{
    hpack::{Field, Sink, table::OVERHEAD},
    names::{Class, MAX_KEPT, Pseudo},
};

/// How a request's body reaches its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// As one piece, together with the head, if it is small and comes soon; else as a stream.
    /// Only fields that the owner named are kept.
    Whole,
    /// As it comes. Every field is kept.
    Stream,
}

/// Bytes of a list of fields that are kept at most: places in it have 16 bits.
pub(crate) const MAX_LIST_BYTES: u32 = u16::MAX as u32;

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u16,
    len: u16,
}

impl Span {
    const NONE: Self = Self { start: u16::MAX, len: u16::MAX };
}

const PSEUDO: usize = 4;

/// The fields of a request.
#[derive(Clone, Debug)]
pub struct Head {
    text: Vec<u8>,
    spans: [Span; PSEUDO + MAX_KEPT],
    /// A bit for each name that came more than once.
    repeated: u16,
    /// All fields in order, where they are kept: name and value.
    fields: Vec<(Span, Span)>,
    /// The values behind the first of names that came more than once.
    again: Vec<(u8, Span)>,
    list_bytes: usize,
    metadata_bytes: usize,
    content_length: Option<u64>,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            text: Vec::new(),
            spans: [Span::NONE; PSEUDO + MAX_KEPT],
            repeated: 0,
            fields: Vec::new(),
            again: Vec::new(),
            list_bytes: 0,
            metadata_bytes: 0,
            content_length: None,
        }
    }
}

impl Head {
    /// The method, such as `POST`. Empty in trailers.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        self.pseudo(Pseudo::Method).unwrap_or_default()
    }

    /// The path with its query. Empty for CONNECT, and in trailers.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.pseudo(Pseudo::Path).unwrap_or_default()
    }

    /// The scheme, such as `http`. Empty for CONNECT, and in trailers.
    #[must_use]
    pub fn scheme(&self) -> &[u8] {
        self.pseudo(Pseudo::Scheme).unwrap_or_default()
    }

    /// The authority as it came, which may be none of a URI.
    #[must_use]
    pub fn authority(&self) -> Option<&[u8]> {
        self.pseudo(Pseudo::Authority)
    }

    /// The first value of the field whose name has this place among those given to
    /// [`Config::new`](crate::Config::new).
    #[must_use]
    #[inline]
    pub fn kept(&self, place: usize) -> Option<&[u8]> {
        self.span(PSEUDO + place)
    }

    /// All values of that field, in order.
    pub fn all_kept(&self, place: usize) -> impl Iterator<Item = &[u8]> {
        let again = self.again.iter().filter(move |(other, _)| usize::from(*other) == place);
        self.kept(place).into_iter().chain(again.map(|(_, span)| self.text_of(*span)))
    }

    /// Whether that field came more than once.
    #[must_use]
    pub fn is_repeated(&self, place: usize) -> bool {
        self.repeated & 1 << place != 0
    }

    /// All fields but the pseudo-header fields, in order. Empty on a [`Lane::Whole`].
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|(name, value)| (self.text_of(*name), self.text_of(*value)))
    }

    /// Bytes of all fields, as RFC 9113 counts them (6.5.2): 32 more for each than its text.
    #[must_use]
    pub fn list_bytes(&self) -> usize {
        self.list_bytes
    }

    /// The same without the pseudo-header fields, which are no caller's metadata.
    #[must_use]
    pub fn metadata_bytes(&self) -> usize {
        self.metadata_bytes
    }

    /// The length that the body is to have, if the request says so.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    fn pseudo(&self, pseudo: Pseudo) -> Option<&[u8]> {
        self.span(pseudo as usize)
    }

    #[inline]
    fn span(&self, place: usize) -> Option<&[u8]> {
        let span = self.spans[place];
        (span != Span::NONE).then(|| self.text_of(span))
    }

    fn text_of(&self, span: Span) -> &[u8] {
        &self.text[usize::from(span.start)..][..usize::from(span.len)]
    }

    fn append(&mut self, text: &[u8]) -> Span {
        let start = self.text.len() as u16;
        self.text.extend_from_slice(text);
        Span { start, len: text.len() as u16 }
    }

    /// Makes room for the next request, and keeps the buffers unless they have grown beyond
    /// what a usual request takes.
    pub(crate) fn clear(&mut self) {
        const USUAL: usize = 4 << 10;
        self.text.clear();
        self.text.shrink_to(USUAL);
        self.fields.clear();
        self.fields.shrink_to(USUAL / size_of::<(Span, Span)>());
        self.again.clear();
        self.again.shrink_to(USUAL / size_of::<(u8, Span)>());
        self.spans = [Span::NONE; PSEUDO + MAX_KEPT];
        self.repeated = 0;
        self.list_bytes = 0;
        self.metadata_bytes = 0;
        self.content_length = None;
    }

    /// Becomes equal to another head, in buffers of its own.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.clear();
        self.text.extend_from_slice(&other.text);
        self.fields.extend_from_slice(&other.fields);
        self.again.extend_from_slice(&other.again);
        let text = std::mem::take(&mut self.text);
        let (fields, again) = (std::mem::take(&mut self.fields), std::mem::take(&mut self.again));
        *self = Self { text, fields, again, ..*other };
    }
}

/// What a block is the beginning or the end of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Request,
    Trailers,
}

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is a request's, or trailers.
    Fields(Lane),
    /// It breaks a rule.
    Malformed(&'static str),
    /// It has more fields than are taken. What the head has of it is cut short.
    TooLarge,
}

/// Collects the fields of one block into a head, and judges them together.
pub(crate) struct Collector<'a> {
    head: &'a mut Head,
    section: Section,
    choose: fn(&Head) -> Lane,
    limit: usize,
    /// Set when the first field has come that is no pseudo-header field.
    lane: Option<Lane>,
    fault: Option<&'static str>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(
        head: &'a mut Head,
        section: Section,
        choose: fn(&Head) -> Lane,
        limit: u32,
    ) -> Self {
        head.clear();
        Self { head, section, choose, limit: limit as usize, lane: None, fault: None }
    }

    /// Judges the block, after its last field.
    pub(crate) fn finish(mut self) -> Verdict {
        let lane = self.lane();
        if self.fault.is_none() && self.head.list_bytes > self.limit {
            return Verdict::TooLarge;
        }
        let fault = self.fault.or_else(|| match self.section {
            Section::Trailers => None,
            Section::Request => self.missing(),
        });
        fault.map_or(Verdict::Fields(lane), Verdict::Malformed)
    }

    fn missing(&self) -> Option<&'static str> {
        let has = |pseudo| self.head.pseudo(pseudo).is_some();
        let (scheme, path) = (has(Pseudo::Scheme), has(Pseudo::Path));
        match self.head.method() {
            b"" => Some("a request without a method"),
            b"CONNECT" if scheme || path || !has(Pseudo::Authority) => {
                Some("CONNECT takes an authority alone")
            }
            b"CONNECT" => None,
            _ if !scheme => Some("a request without a scheme"),
            _ if !path => Some("a request without a path"),
            method if self.head.path() == b"*" && method != b"OPTIONS" => {
                Some("a path that does not begin with a slash")
            }
            _ => None,
        }
    }

    /// Chooses the lane when the pseudo-header fields are complete.
    fn lane(&mut self) -> Lane {
        *self.lane.get_or_insert_with(|| match self.section {
            Section::Request => (self.choose)(self.head),
            Section::Trailers => Lane::Stream,
        })
    }

    fn pseudo(&mut self, pseudo: Pseudo, value: &[u8]) {
        let fault = if self.section == Section::Trailers {
            "a pseudo-header field in trailers"
        } else if self.lane.is_some() {
            "a pseudo-header field after others"
        } else if self.head.pseudo(pseudo).is_some() {
            "a pseudo-header field that repeats"
        } else {
            self.head.spans[pseudo as usize] = self.head.append(value);
            return;
        };
        self.fault = Some(fault);
    }

    fn kept(&mut self, place: u8, span: Span) {
        let held = &mut self.head.spans[PSEUDO + usize::from(place)];
        if *held == Span::NONE {
            *held = span;
        } else {
            self.head.repeated |= 1 << place;
            self.head.again.push((place, span));
        }
    }

    /// Two names for one server would let a proxy and an owner disagree about it.
    fn host(&mut self, value: &[u8]) {
        let default_port: &[u8] = if self.head.scheme() == b"https" { b":443" } else { b":80" };
        let plain =
            |host: &[u8]| host.strip_suffix(default_port).unwrap_or(host).to_ascii_lowercase();
        if self.head.authority().is_some_and(|authority| plain(authority) != plain(value)) {
            self.fault = Some("a host that is not the authority");
        }
    }

    fn content_length(&mut self, value: &[u8]) {
        let digits = std::str::from_utf8(value).ok().filter(|_| !value.starts_with(b"+"));
        let length = digits.and_then(|digits| digits.parse().ok());
        if length.is_none() || self.head.content_length.is_some_and(|held| Some(held) != length) {
            self.fault = Some("a content-length that is none, or two");
        }
        self.head.content_length = length;
    }
}

impl Sink<Class> for Collector<'_> {
    #[inline]
    fn field(&mut self, field: Field<'_, Class>) {
        let size = field.name.len() + field.value.len() + OVERHEAD;
        self.head.list_bytes += size;
        if self.fault.is_some() || self.head.list_bytes > self.limit {
            return;
        }
        let place = match field.class {
            Class::Pseudo(pseudo) => return self.pseudo(pseudo, field.value),
            Class::Malformed(fault) => {
                self.fault = Some(fault.reason());
                return;
            }
            Class::Kept(place) => Some(place),
            Class::ContentLength(place) => {
                self.content_length(field.value);
                place
            }
            Class::Host(place) => {
                self.host(field.value);
                place
            }
            Class::Other => None,
        };
        self.head.metadata_bytes += size;
        let lane = self.lane();
        if lane == Lane::Stream {
            let name = self.head.append(field.name);
            let value = self.head.append(field.value);
            self.head.fields.push((name, value));
            if let Some(place) = place {
                self.kept(place, value);
            }
        } else if let Some(place) = place {
            let value = self.head.append(field.value);
            self.kept(place, value);
        }
    }
}

#[cfg(test)]
mod tests;

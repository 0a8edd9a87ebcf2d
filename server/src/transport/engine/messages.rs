//! Heads and fields, between the engine's types and those of HTTP.

use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use tiny_cache_http2::{Block, FieldName, Head};

/// What the engine knows of a request, among its extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// When it was read.
    pub(crate) came: Instant,
    /// The size of its metadata as HPACK counts it. Not every field of it is there.
    pub(crate) metadata_bytes: usize,
}

/// The request of a head whose kept fields have these names.
pub(super) fn request<B>(
    head: &Head,
    names: &[&'static str],
    came: Instant,
    body: B,
) -> Request<B> {
    let mut request = Request::new(body);
    // No service has a method or a path that HTTP's types cannot hold.
    *request.method_mut() = Method::from_bytes(head.method()).unwrap_or_default();
    *request.uri_mut() = Uri::try_from(head.path()).unwrap_or_default();
    *request.version_mut() = http::Version::HTTP_2;
    let metadata_bytes = head.metadata_bytes();
    request.extensions_mut().insert(Arrival { came, metadata_bytes });
    let headers = request.headers_mut();
    for (name, value) in head.fields() {
        append(headers, HeaderName::from_bytes(name).ok(), value);
    }
    if headers.is_empty() {
        for (place, name) in names.iter().enumerate() {
            for value in head.all_kept(place) {
                append(headers, Some(HeaderName::from_static(name)), value);
            }
        }
    }
    request
}

fn append(headers: &mut HeaderMap, name: Option<HeaderName>, value: &[u8]) {
    // The engine has refused what is no name and no value.
    if let (Some(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
        headers.append(name, value);
    }
}

/// The header block of a response.
pub(super) fn reply_head<B>(response: &Response<B>) -> Block {
    fields(Block::status(response.status().as_u16()), response.headers())
}

/// The header block of trailers.
pub(super) fn trailers(trailers: &HeaderMap) -> Block {
    fields(Block::empty(), trailers)
}

fn fields(mut block: Block, headers: &HeaderMap) -> Block {
    for (name, value) in headers {
        block.push(&FieldName::new(name.as_str()), value.as_bytes());
    }
    block
}

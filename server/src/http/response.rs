//! Makes responses.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

/// A page of JSON.
pub(super) fn json(status: StatusCode, page: &impl serde::Serialize) -> Response<Full<Bytes>> {
    let mut body = serde_json::to_vec(page).expect("a page has only texts and numbers");
    // So that the prompt of a shell stands on a line of its own after `curl`.
    body.push(b'\n');
    text(status, "application/json", body)
}

/// A page of text.
pub(super) fn text(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

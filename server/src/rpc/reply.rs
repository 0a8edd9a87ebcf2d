//! Gives every reply its last form: the request id, the contract's statuses, and errors as
//! headers followed by trailers.
//!
//! tonic answers an error with one block of headers, which clients read as trailing
//! metadata. The contract wants the request id in the **initial** metadata of errors too,
//! so the status moves to trailers of its own.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Frame, SizeHint};
use percent_encoding::percent_decode;
use tonic::{Code, Status, body::Body};

use super::{
    request_id::{self, X_REQUEST_ID},
    segments::Segments,
};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// A reply's body: what tonic made, or the segments of a large message (none for an error)
/// and the status.
pub(crate) enum ReplyBody {
    Message(Body),
    Segments { left: Box<dyn Iterator<Item = Bytes> + Send>, status: Option<HeaderMap> },
}

/// A reply in its last form.
pub(super) struct Answered {
    /// The status that the caller will read.
    pub(super) code: Code,
    /// The message of an internal error, which the caller does not get to read.
    pub(super) hidden: Option<String>,
    pub(super) reply: Response<ReplyBody>,
}

/// Finishes a reply.
pub(super) fn finish(response: Response<Body>, request_id: &HeaderValue) -> Answered {
    let (mut parts, body) = response.into_parts();
    let mut code = match parts.status {
        StatusCode::OK => Code::Ok,
        // HTTP's own refusal, of a request that is not gRPC. What gRPC's clients make of it.
        _ => Code::Unknown,
    };
    let mut hidden = None;
    let body = if let Some(error) = take_error(&mut parts.headers, request_id) {
        (code, hidden) = (error.code, error.hidden);
        ReplyBody::Segments { left: Box::new(std::iter::empty()), status: Some(error.trailers) }
    } else if let Some(segments) = parts.extensions.remove::<Segments>() {
        // tonic has not encoded the message yet, and never will.
        drop(body);
        ReplyBody::Segments { left: Box::new(segments.into_frames()), status: Some(ok()) }
    } else {
        ReplyBody::Message(body)
    };
    parts.headers.insert(X_REQUEST_ID, request_id.clone());
    Answered { code, hidden, reply: Response::from_parts(parts, body) }
}

/// An error on its way into the trailers.
struct Failure {
    code: Code,
    hidden: Option<String>,
    trailers: HeaderMap,
}

/// Takes an error's status out of the headers and makes trailers of it.
fn take_error(headers: &mut HeaderMap, request_id: &HeaderValue) -> Option<Failure> {
    let code = headers.remove(GRPC_STATUS)?;
    let message = headers.remove(GRPC_MESSAGE);
    let details = headers.remove(GRPC_DETAILS);
    let code = match Code::from_bytes(code.as_bytes()) {
        // tonic's answer to a message over the limit.
        Code::OutOfRange => Code::ResourceExhausted,
        code => code,
    };
    if code == Code::Internal {
        let text = |message: HeaderValue| {
            percent_decode(message.as_bytes()).decode_utf8_lossy().into_owned()
        };
        let hidden = message.map(text);
        return Some(Failure { code, hidden, trailers: internal(request_id) });
    }
    let mut trailers = HeaderMap::with_capacity(3);
    trailers.insert(GRPC_STATUS, HeaderValue::from(code as i32));
    trailers.extend(message.map(|message| (GRPC_MESSAGE, message)));
    trailers.extend(details.map(|details| (GRPC_DETAILS, details)));
    Some(Failure { code, hidden: None, trailers })
}

fn ok() -> HeaderMap {
    HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from(Code::Ok as i32))])
}

/// What an unexpected failure may say: nothing but where to look in the logs.
fn internal(request_id: &HeaderValue) -> HeaderMap {
    let id = request_id::text(request_id);
    let status = Status::internal(format!("Internal server error (request_id={id})"));
    let (parts, ()) = status.into_http::<()>().into_parts();
    let mut trailers = parts.headers;
    trailers.remove(CONTENT_TYPE);
    trailers
}

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match &mut *self {
            ReplyBody::Message(body) => Pin::new(body).poll_frame(cx),
            ReplyBody::Segments { left, status } => Poll::Ready(match left.next() {
                Some(segment) => Some(Ok(Frame::data(segment))),
                None => status.take().map(|status| Ok(Frame::trailers(status))),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ReplyBody::Message(body) => body.is_end_stream(),
            ReplyBody::Segments { status, .. } => status.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Message(body) => body.size_hint(),
            ReplyBody::Segments { .. } => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(status: Status) -> (HeaderMap, HeaderMap) {
        let id = HeaderValue::from_static("id-7");
        let (parts, body) = finish(status.into_http(), &id).reply.into_parts();
        let ReplyBody::Segments { status: Some(trailers), .. } = body else { panic!("a message") };
        (parts.headers, trailers)
    }

    #[test]
    fn an_error_has_its_request_id_in_the_headers_and_its_status_in_the_trailers() {
        let (headers, trailers) = finished(Status::invalid_argument("Key cannot be empty"));
        assert_eq!(headers[X_REQUEST_ID], "id-7");
        assert!(!headers.contains_key(GRPC_STATUS));
        assert_eq!(trailers[GRPC_STATUS], "3");
        assert_eq!(trailers[GRPC_MESSAGE], "Key%20cannot%20be%20empty");
    }

    #[test]
    fn an_internal_error_says_nothing_but_its_request_id() {
        let (_, trailers) = finished(Status::internal("index 7 out of bounds"));
        assert_eq!(trailers[GRPC_STATUS], "13");
        let message = trailers[GRPC_MESSAGE].to_str().unwrap().replace("%20", " ");
        assert_eq!(message, "Internal server error (request_id=id-7)");
    }

    #[test]
    fn a_message_over_the_limit_is_resource_exhausted() {
        let (_, trailers) = finished(Status::out_of_range("Error, decoded message too large"));
        assert_eq!(trailers[GRPC_STATUS], "8");
    }
}

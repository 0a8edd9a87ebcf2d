//! Gives every reply its last form: the request id and the contract's statuses.
//!
//! An error stays what tonic made it: one block of headers that ends the stream, which gRPC
//! calls trailers-only. gRPC's and Envoy's retry policies repeat no other errors, because
//! headers of their own commit a call to the attempt that sent them.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Frame, SizeHint};
use percent_encoding::percent_decode;
use tonic::{Code, Status, body::Body, metadata::GRPC_CONTENT_TYPE};

use crate::call::{Handed, Segments, X_REQUEST_ID, request_id_text};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// A reply's body: what tonic made, the segments of a large message and the status behind
/// them, or nothing, where the headers have said it all.
pub(crate) enum ReplyBody {
    Message(Body),
    Segments {
        left: Box<dyn Iterator<Item = Bytes> + Send>,
        status: Option<HeaderMap>,
        handed: Handed,
    },
    Nothing,
}

/// A reply in its last form.
pub(super) struct Answered {
    /// The status that the caller will read.
    pub(super) code: Code,
    /// The message of an internal error, which the caller does not get to read.
    pub(super) hidden: Option<String>,
    pub(super) reply: Response<ReplyBody>,
}

/// A reply whose message is written.
pub(super) fn in_segments(message: Segments) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(CONTENT_TYPE, GRPC_CONTENT_TYPE);
    response.extensions_mut().insert(message);
    response
}

/// Finishes a reply, which hands something to the caller or not. `handled`: a handler had the
/// request's message.
pub(super) fn finish(
    response: Response<Body>,
    request_id: &HeaderValue,
    handled: bool,
    handed: Handed,
) -> Answered {
    let (mut parts, body) = response.into_parts();
    let mut code = match parts.status {
        StatusCode::OK => Code::Ok,
        // HTTP's own refusal, of a request that is not gRPC. What gRPC's clients make of it.
        _ => Code::Unknown,
    };
    let mut hidden = None;
    let body = if let Some(error) = finish_error(&mut parts.headers, request_id, handled) {
        (code, hidden) = error;
        ReplyBody::Nothing
    } else if let Some(segments) = parts.extensions.remove::<Segments>() {
        ReplyBody::Segments { left: Box::new(segments.into_frames()), status: Some(ok()), handed }
    } else {
        ReplyBody::Message(body)
    };
    parts.headers.insert(X_REQUEST_ID, request_id.clone());
    Answered { code, hidden, reply: Response::from_parts(parts, body) }
}

/// Gives an error's headers the contract's status, and returns it with the message that was
/// taken away. `None`: the headers are those of no error.
fn finish_error(
    headers: &mut HeaderMap,
    request_id: &HeaderValue,
    handled: bool,
) -> Option<(Code, Option<String>)> {
    let made = Code::from_bytes(headers.get(GRPC_STATUS)?.as_bytes());
    let code = match made {
        // tonic's answer to a message over the limit.
        Code::OutOfRange => Code::ResourceExhausted,
        // tonic's answer to a message that it cannot decode.
        Code::Internal if !handled => Code::InvalidArgument,
        code => code,
    };
    if code != made {
        headers.insert(GRPC_STATUS, HeaderValue::from(code as i32));
    }
    let mut hidden = None;
    if code == Code::Internal {
        let text = |message: HeaderValue| {
            percent_decode(message.as_bytes()).decode_utf8_lossy().into_owned()
        };
        headers.remove(GRPC_DETAILS);
        hidden = headers.insert(GRPC_MESSAGE, internal(request_id)).map(text);
    }
    Some((code, hidden))
}

fn ok() -> HeaderMap {
    HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from(Code::Ok as i32))])
}

/// The message of an unexpected failure: nothing but where to look in the logs.
fn internal(request_id: &HeaderValue) -> HeaderValue {
    let id = request_id_text(request_id);
    let status = Status::internal(format!("Internal server error (request_id={id})"));
    let headers = status.into_http::<()>().into_parts().0.headers;
    headers[GRPC_MESSAGE].clone()
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
            ReplyBody::Segments { left, status, handed } => {
                if let Some(segment) = left.next() {
                    return Poll::Ready(Some(Ok(Frame::data(segment))));
                }
                handed.sent();
                Poll::Ready(status.take().map(|status| Ok(Frame::trailers(status))))
            }
            ReplyBody::Nothing => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ReplyBody::Message(body) => body.is_end_stream(),
            ReplyBody::Segments { status, .. } => status.is_none(),
            ReplyBody::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Message(body) => body.size_hint(),
            ReplyBody::Segments { .. } | ReplyBody::Nothing => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        task::Waker,
        time::Duration,
    };

    use http_body::Body as _;

    use super::*;
    use crate::call::{Hands, Holdings, ReplyWriter};

    /// With hyper, a caller may go while its reply is made, and nobody looks before it is there: the
    /// lease that it had just got stayed with it.
    #[test]
    fn what_a_reply_hands_over_goes_back_if_it_is_dropped_before_its_end() {
        let given_back = Arc::new(AtomicBool::new(false));
        let connection = Arc::<Holdings>::default();
        let reply = || {
            let (hands, given_back) = (Hands::on(connection.clone()), given_back.clone());
            hands.add(Duration::from_secs(60), move || given_back.store(true, Ordering::Relaxed));
            let message = in_segments(ReplyWriter::new().take());
            finish(message, &HeaderValue::from_static("id-7"), true, hands.take()).reply.into_body()
        };
        let next = |body: &mut ReplyBody| {
            Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
        };
        let mut read = reply();
        while let Poll::Ready(Some(frame)) = next(&mut read) {
            frame.unwrap();
        }
        drop(read);
        assert!(!given_back.load(Ordering::Relaxed));
        let mut half = reply();
        assert!(next(&mut half).is_ready());
        drop(half);
        assert!(given_back.load(Ordering::Relaxed));
    }

    fn finished(status: Status) -> HeaderMap {
        let id = HeaderValue::from_static("id-7");
        let (parts, body) =
            finish(status.into_http(), &id, true, Handed::default()).reply.into_parts();
        assert!(http_body::Body::is_end_stream(&body));
        parts.headers
    }

    #[test]
    fn an_error_is_one_block_with_its_request_id() {
        let headers = finished(Status::invalid_argument("Key cannot be empty"));
        assert_eq!(headers[X_REQUEST_ID], "id-7");
        assert_eq!(headers[GRPC_STATUS], "3");
        assert_eq!(headers[GRPC_MESSAGE], "Key%20cannot%20be%20empty");
    }

    #[test]
    fn an_internal_error_says_nothing_but_its_request_id() {
        let detailed =
            Status::with_details(Code::Internal, "index 7 out of bounds", Bytes::from_static(b"7"));
        let headers = finished(detailed);
        assert_eq!(headers[GRPC_STATUS], "13");
        let message = headers[GRPC_MESSAGE].to_str().unwrap().replace("%20", " ");
        assert_eq!(message, "Internal server error (request_id=id-7)");
        assert!(!headers.contains_key(GRPC_DETAILS));
    }

    #[test]
    fn a_message_that_no_handler_had_is_its_callers_fault() {
        let id = HeaderValue::from_static("id-7");
        let undecoded = Status::internal("failed to decode Protobuf message: buffer underflow");
        let answered = finish(undecoded.into_http(), &id, false, Handed::default());
        assert_eq!((answered.code, answered.hidden), (Code::InvalidArgument, None));
        let headers = answered.reply.headers();
        assert_eq!(headers[GRPC_STATUS], "3");
        assert!(headers[GRPC_MESSAGE].to_str().unwrap().contains("buffer%20underflow"));
    }

    #[test]
    fn a_message_over_the_limit_is_resource_exhausted() {
        let headers = finished(Status::out_of_range("Error, decoded message too large"));
        assert_eq!(headers[GRPC_STATUS], "8");
    }
}

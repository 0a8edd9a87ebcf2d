//! Judges a request by its headers, before a service sees it: whether it is a gRPC call, and
//! whether what decides something in it is there once. Reads no body and knows no keys.

use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, AUTHORIZATION, CONTENT_TYPE},
};
use tiny_cache_proto::X_CACHE_NAMESPACE;
use tonic::{Status, body::Body};

use super::{
    compression::Coding,
    deadline::{self, GRPC_TIMEOUT},
};
use crate::transport::{Arrival, HEADER_LIST_BYTES};

const GRPC: &str = "application/grpc";
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// What selects data or rights, or decides how a call is read. With two values, one that a
/// proxy appends and one of the caller's own, either choice would be somebody's hole.
/// `x-request-id` selects nothing: its first value is taken.
pub(super) const SINGLE: [HeaderName; 5] = [
    HeaderName::from_static(X_CACHE_NAMESPACE),
    AUTHORIZATION,
    CONTENT_TYPE,
    GRPC_ENCODING,
    GRPC_TIMEOUT,
];

/// A request by its headers.
pub(super) struct Head {
    /// How long the caller waits, if it states that.
    pub(super) timeout: Option<Duration>,
    pub(super) verdict: Verdict,
}

/// What becomes of a request.
pub(super) enum Verdict {
    /// A call whose compressed messages are packed like this.
    Call(Coding),
    /// The answer to a call that no service needs to see.
    Refused(Response<Body>),
    /// The answer to what is no call at all.
    Stranger(Response<Body>),
}

impl Head {
    /// Reads a request's headers, and takes away what is settled here.
    pub(super) fn take<B>(request: &mut Request<B>) -> Self {
        let given = request.headers().get(GRPC_TIMEOUT);
        let timeout = given.and_then(|given| deadline::parse(given.as_bytes()));
        Self { timeout, verdict: judge(request, timeout) }
    }
}

fn judge<B>(request: &mut Request<B>, timeout: Option<Duration>) -> Verdict {
    if !request.headers().get(CONTENT_TYPE).is_some_and(|kind| is_grpc(kind.as_bytes())) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Verdict::Stranger(response);
    }
    if request.method() != Method::POST {
        return Verdict::Stranger(not_post(request.method()));
    }
    let counted = request.extensions().get().map(|Arrival { metadata_bytes, .. }| *metadata_bytes);
    let headers = request.headers_mut();
    let metadata = counted.unwrap_or_else(|| metadata_bytes(headers));
    match fits(metadata).and_then(|()| is_timeout(headers, timeout)).and_then(|()| coding(headers))
    {
        Ok(coding) => Verdict::Call(coding),
        Err(status) => Verdict::Refused(status.into_http()),
    }
}

/// `application/grpc`, a message format behind `+`, or parameters. grpc-web is another protocol.
pub(super) fn is_grpc(kind: &[u8]) -> bool {
    let (name, rest) = kind.split_at(kind.len().min(GRPC.len()));
    name.eq_ignore_ascii_case(GRPC.as_bytes())
        && matches!(rest.trim_ascii_start().first(), None | Some(b'+' | b';'))
}

/// grpc-go answers the same: HTTP's status for other methods, and one of gRPC beside it.
fn not_post(method: &Method) -> Response<Body> {
    let status = Status::invalid_argument(format!("A gRPC call is a POST, and this is a {method}"));
    let mut response = status.into_http();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

/// Counts header fields as HPACK does (RFC 7541, 4.1). The pseudo-header fields are left out:
/// they are no caller's metadata.
fn metadata_bytes(headers: &HeaderMap) -> usize {
    const OVERHEAD: usize = 32;
    let fields = headers.iter();
    fields.map(|(name, value)| name.as_str().len() + value.len() + OVERHEAD).sum()
}

fn fits(bytes: usize) -> Result<(), Status> {
    if bytes <= HEADER_LIST_BYTES {
        return Ok(());
    }
    Err(Status::resource_exhausted(format!(
        "metadata of {bytes} bytes is larger than {HEADER_LIST_BYTES}"
    )))
}

/// Refuses a timeout that could not be read. To ignore it would carry out a call that its caller
/// gave up: `1S,5S` is what a proxy makes of two that repeat.
fn is_timeout(headers: &HeaderMap, read: Option<Duration>) -> Result<(), Status> {
    match headers.get(GRPC_TIMEOUT) {
        Some(given) if read.is_none() => Err(Status::invalid_argument(format!(
            "grpc-timeout {given:?} is not one to eight digits and a unit (H, M, S, m, u or n)"
        ))),
        _ => Ok(()),
    }
}

fn coding(headers: &mut HeaderMap) -> Result<Coding, Status> {
    // Both lengths are known, so that a request without repetitions is not searched.
    if headers.len() != headers.keys_len() {
        for name in &SINGLE {
            if headers.get_all(name).iter().nth(1).is_some() {
                return Err(Status::invalid_argument(format!("{name} has more than one value")));
            }
        }
    }
    let Some(named) = headers.remove(GRPC_ENCODING) else { return Ok(Coding::Identity) };
    Coding::of(named.as_bytes()).ok_or_else(|| unknown(&named))
}

/// The answer that gRPC's document on compression wants, with what is supported.
fn unknown(coding: &HeaderValue) -> Status {
    let accepted = Coding::ACCEPTED;
    let mut status = Status::unimplemented(format!(
        "grpc-encoding {coding:?} is not supported; supported are {accepted}"
    ));
    status.metadata_mut().insert(
        "grpc-accept-encoding",
        accepted.parse().expect("names of codings are valid in metadata"),
    );
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_of_grpc_are_told_from_others() {
        for kind in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc;charset=utf-8",
            "application/grpc ; x=y",
            "Application/gRPC",
        ] {
            assert!(is_grpc(kind.as_bytes()), "{kind}");
        }
        for kind in [
            "",
            "application",
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpcx",
            "application/grpc, application/grpc",
            "application/json",
            "text/plain",
        ] {
            assert!(!is_grpc(kind.as_bytes()), "{kind}");
        }
    }
}

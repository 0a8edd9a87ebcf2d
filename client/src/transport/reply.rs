//! Reads what comes back on a stream: headers, one message, trailers.

use bytes::{Buf, Bytes, BytesMut};
use h2::RecvStream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use prost::Message;
use tonic::{Code, Status};

use super::{
    Failure,
    failure::{Place, ServerStatus},
    head::REQUEST_ID,
};

/// A flag for compression and the message's length.
const PREFIX: usize = 5;

/// Reads the reply to a unary call. A message of more than `max` bytes is refused.
pub(super) async fn read<M: Message + Default>(
    response: Response<RecvStream>,
    max: usize,
) -> Result<M, Failure> {
    let (head, mut body) = response.into_parts();
    check(head.status, &head.headers)?;
    let message = receive(&mut body, max).await?;

    let trailers = body.trailers().await.map_err(Failure::lost)?;
    let trailers =
        trailers.ok_or_else(|| Failure::BadReply("it ended without a grpc-status".to_owned()))?;
    let place = if message.is_some() { Place::BehindMessage } else { Place::InsteadOfMessage };
    conclude(&trailers, &head.headers, place)?;
    message.ok_or_else(|| Failure::BadReply("it has no message".to_owned()))?.decode()
}

/// Refuses a reply whose headers say that no message follows.
fn check(status: StatusCode, headers: &HeaderMap) -> Result<(), Failure> {
    // Where there is only an error to tell, it comes with the headers.
    conclude_if_present(headers, headers, Place::InsteadOfMessage)?;
    if status != StatusCode::OK {
        return Err(failed(&from_http(status), headers, Place::Http));
    }
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if kind.starts_with(b"application/grpc") {
        return Ok(());
    }
    let kind = String::from_utf8_lossy(kind);
    Err(Failure::BadReply(format!("its content type is `{kind}`, not application/grpc")))
}

fn conclude(trailers: &HeaderMap, headers: &HeaderMap, place: Place) -> Result<(), Failure> {
    if trailers.contains_key("grpc-status") {
        return conclude_if_present(trailers, headers, place);
    }
    Err(Failure::BadReply("its trailers have no grpc-status".to_owned()))
}

fn conclude_if_present(
    status: &HeaderMap,
    headers: &HeaderMap,
    place: Place,
) -> Result<(), Failure> {
    match Status::from_header_map(status) {
        Some(status) if status.code() != Code::Ok => Err(failed(&status, headers, place)),
        _ => Ok(()),
    }
}

fn failed(status: &Status, headers: &HeaderMap, place: Place) -> Failure {
    let request_id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    Failure::Status(ServerStatus::new(status, request_id, place))
}

/// "HTTP to gRPC Status Code Mapping" of gRPC's documentation: for proxies that know no gRPC.
fn from_http(status: StatusCode) -> Status {
    let code = match status {
        StatusCode::BAD_REQUEST => Code::Internal,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::Unimplemented,
        // Not in that table, and said by tiny-cache's own server: too much metadata.
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Code::ResourceExhausted,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, format!("answered with HTTP status {status}"))
}

/// A message's bytes.
enum Received {
    /// All of it came in one piece, which belongs to a larger buffer of the connection.
    Borrowed(Bytes),
    /// It came in pieces, and this buffer has nothing else in it.
    Owned(Bytes),
}

impl Received {
    fn decode<M: Message + Default>(self) -> Result<M, Failure> {
        match self {
            // From a slice, prost copies the value out: a small value that is kept for long
            // must not keep the connection's buffer.
            Self::Borrowed(bytes) => M::decode(&bytes[..]),
            Self::Owned(bytes) => M::decode(bytes),
        }
        .map_err(|error| Failure::BadReply(error.to_string()))
    }
}

async fn receive(body: &mut RecvStream, max: usize) -> Result<Option<Received>, Failure> {
    let Some(mut first) = next(body).await? else { return Ok(None) };
    // Rarely is even the prefix in pieces.
    while first.len() < PREFIX {
        let Some(more) = next(body).await? else {
            return Err(Failure::BadReply("it ends within the message's length".to_owned()));
        };
        first = Bytes::from([first, more].concat());
    }
    if first.get_u8() != 0 {
        return Err(Failure::BadReply(
            "its message is compressed, which was not asked for".to_owned(),
        ));
    }
    let len = first.get_u32() as usize;
    if len > max {
        return Err(Failure::ReplyTooLong { bytes: len, max });
    }

    if first.len() >= len {
        return if first.len() == len {
            end(body, Received::Borrowed(first)).await
        } else {
            Err(surplus())
        };
    }
    let mut message = BytesMut::with_capacity(len);
    message.extend_from_slice(&first);
    drop(first);
    while message.len() < len {
        let Some(more) = next(body).await? else {
            return Err(Failure::BadReply("it ends within the message".to_owned()));
        };
        if more.len() > len - message.len() {
            return Err(surplus());
        }
        message.extend_from_slice(&more);
    }
    end(body, Received::Owned(message.freeze())).await
}

/// The next piece of the body, for which the peer gets its window back.
async fn next(body: &mut RecvStream) -> Result<Option<Bytes>, Failure> {
    loop {
        let Some(piece) = body.data().await else { return Ok(None) };
        let piece = piece.map_err(Failure::lost)?;
        // Fails only where more is given back than came.
        let _ = body.flow_control().release_capacity(piece.len());
        if !piece.is_empty() {
            return Ok(Some(piece));
        }
    }
}

async fn end(body: &mut RecvStream, message: Received) -> Result<Option<Received>, Failure> {
    match next(body).await? {
        None => Ok(Some(message)),
        Some(_) => Err(surplus()),
    }
}

fn surplus() -> Failure {
    Failure::BadReply("it has more than one message".to_owned())
}

//! Reads what comes back on a stream: headers, one message, trailers.

use bytes::{Buf, Bytes, BytesMut};
use h2::RecvStream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use prost::Message;
use tiny_cache_proto::NOT_EXECUTED;
use tonic::Code;

use super::{
    Failure,
    failure::{Place, ServerStatus},
    head::REQUEST_ID,
    status::GrpcStatus,
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
    let place = if message.is_some() { Place::BehindMessage } else { Place::InsteadOfMessage };
    // A reply in one block of headers has its status there.
    let status = trailers.as_ref().map_or(&head.headers, |trailers| trailers);
    match GrpcStatus::read(status) {
        Some(GrpcStatus { code: Code::Ok, .. }) => {}
        Some(other) => return Err(failed(other, status, &head.headers, place)),
        None => {
            let unknown = GrpcStatus::of_http(StatusCode::OK);
            return Err(failed(unknown, status, &head.headers, place));
        }
    }
    message.ok_or_else(|| Failure::BadReply("it has no message".to_owned()))?.decode()
}

/// Refuses a reply whose headers say that no message follows.
fn check(status: StatusCode, headers: &HeaderMap) -> Result<(), Failure> {
    // An error is one block of headers.
    if let Some(status) = GrpcStatus::read(headers)
        && status.code != Code::Ok
    {
        return Err(failed(status, headers, headers, Place::InsteadOfMessage));
    }
    if status != StatusCode::OK {
        return Err(failed(GrpcStatus::of_http(status), headers, headers, Place::Http));
    }
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if kind.starts_with(b"application/grpc") {
        return Ok(());
    }
    let kind = String::from_utf8_lossy(kind);
    Err(Failure::BadReply(format!("its content type is `{kind}`, not application/grpc")))
}

/// The failure that a status is. The request's id stands in the headers, or where the status
/// stands: an error of the server is one block, and a proxy may move it behind headers.
fn failed(status: GrpcStatus, block: &HeaderMap, headers: &HeaderMap, place: Place) -> Failure {
    let id = headers.get(REQUEST_ID).or_else(|| block.get(REQUEST_ID));
    let request_id = id.and_then(|id| id.to_str().ok()).map(str::to_owned);
    // What stands beside a status behind a message was added by somebody else.
    let not_executed = place == Place::InsteadOfMessage && block.contains_key(NOT_EXECUTED);
    Failure::Status(ServerStatus::new(status, request_id, place, not_executed))
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

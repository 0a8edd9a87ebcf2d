//! Reads the reply to a unary call: headers, one message, trailers.

use bytes::{Buf, Bytes, BytesMut};
use h2::RecvStream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use prost::Message;
use tiny_cache_proto::{NOT_EXECUTED, PREFIX_BYTES};
use tonic::Code;

use super::{
    failure::{Failure, Pushback, ServerStatus, StatusPosition},
    head::REQUEST_ID,
    status::GrpcStatus,
};

/// When a server wants the next try.
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// Reads a reply, and refuses a message of more than `max` bytes.
pub(super) async fn read<M: Message + Default>(
    response: Response<RecvStream>,
    max: usize,
) -> Result<M, Failure> {
    let (head, mut body) = response.into_parts();
    check(head.status, &head.headers)?;
    let message = receive(&mut body, max).await?;

    let trailers = body.trailers().await.map_err(Failure::lost)?;
    let position = match message {
        Some(_) => StatusPosition::BehindMessage,
        None => StatusPosition::InsteadOfMessage,
    };
    // A reply in one block of headers has its status there.
    let status = trailers.as_ref().map_or(&head.headers, |trailers| trailers);
    match GrpcStatus::read(status) {
        Some(GrpcStatus { code: Code::Ok, .. }) => {}
        Some(other) => return Err(failed(other, status, &head.headers, position)),
        None => {
            let unknown = GrpcStatus::of_http(StatusCode::OK);
            return Err(failed(unknown, status, &head.headers, position));
        }
    }
    message.ok_or_else(|| Failure::BadReply("it has no message".to_owned()))?.decode()
}

/// Refuses a reply whose headers carry an error.
fn check(status: StatusCode, headers: &HeaderMap) -> Result<(), Failure> {
    // gRPC servers send an error as one block of headers.
    if let Some(status) = GrpcStatus::read(headers)
        && status.code != Code::Ok
    {
        return Err(failed(status, headers, headers, StatusPosition::InsteadOfMessage));
    }
    if status != StatusCode::OK {
        return Err(failed(GrpcStatus::of_http(status), headers, headers, StatusPosition::Http));
    }
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if kind.starts_with(b"application/grpc") {
        return Ok(());
    }
    let kind = String::from_utf8_lossy(kind);
    Err(Failure::BadReply(format!("its content type is `{kind}`, not application/grpc")))
}

/// The failure of a status. The request id is in the headers, or in the block of the status: the
/// server sends one block, and a proxy may split it.
fn failed(
    status: GrpcStatus,
    block: &HeaderMap,
    headers: &HeaderMap,
    position: StatusPosition,
) -> Failure {
    let id = headers.get(REQUEST_ID).or_else(|| block.get(REQUEST_ID));
    let request_id = id.and_then(|id| id.to_str().ok()).map(str::to_owned);
    // Behind a message, a proxy added it: the server had executed the call.
    let not_executed =
        position == StatusPosition::InsteadOfMessage && block.contains_key(NOT_EXECUTED);
    let pushback = block.get(PUSHBACK).map(|value| Pushback::read(value.as_bytes()));
    Failure::Status(ServerStatus { status, request_id, position, not_executed, pushback })
}

/// The bytes of a message.
enum Received {
    /// It came in one piece, a part of the connection's buffer.
    Borrowed(Bytes),
    /// It came in pieces, which were copied into a buffer of its own.
    Owned(Bytes),
}

impl Received {
    fn decode<M: Message + Default>(self) -> Result<M, Failure> {
        match self {
            // From a slice prost copies the value: a small value that the caller keeps must not
            // pin the connection's buffer.
            Self::Borrowed(bytes) => M::decode(&bytes[..]),
            Self::Owned(bytes) => M::decode(bytes),
        }
        .map_err(|error| Failure::BadReply(error.to_string()))
    }
}

async fn receive(body: &mut RecvStream, max: usize) -> Result<Option<Received>, Failure> {
    let Some(mut first) = next(body).await? else { return Ok(None) };
    // The prefix is rarely split.
    while first.len() < PREFIX_BYTES {
        let Some(more) = next(body).await? else {
            return Err(Failure::BadReply("it ends within the message's length".to_owned()));
        };
        first = Bytes::from([first, more].concat());
    }
    if first.get_u8() != 0 {
        return Err(Failure::BadReply(
            "its message is compressed, but the client accepts no compression".to_owned(),
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

/// The next piece of the body. Returns its bytes to the peer's window.
async fn next(body: &mut RecvStream) -> Result<Option<Bytes>, Failure> {
    loop {
        let Some(piece) = body.data().await else { return Ok(None) };
        let piece = piece.map_err(Failure::lost)?;
        // Fails only if more is released than was received.
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

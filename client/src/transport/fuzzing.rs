//! Replies of any statuses, texts and bodies. Built with `--cfg fuzzing` alone.

use std::fmt::Debug;

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use prost::Message;
use tiny_cache_proto::cache::{CacheStats, CacheValue, MultiCacheValueResponse};
use tokio::{io::DuplexStream, runtime::Builder};
use tonic_health::pb::HealthCheckResponse;

use super::reply;

/// Longest reply: small, so that inputs are longer.
const MAX: usize = 1 << 10;

/// Most pieces of a body. h2 ends a connection on which many small DATA frames wait.
const PIECES: usize = 32;

/// A reply to send.
struct Reply<'a> {
    /// Whether the status is in the headers alone, instead of behind the body.
    is_short: bool,
    http: StatusCode,
    kind: HeaderValue,
    status: HeaderMap,
    body: &'a [u8],
}

/// Lets a server in the process send a reply, and reads it. The first byte chooses the message
/// and the shape of the reply, the second where its body is cut, the third and fourth are the
/// lengths of `grpc-status` and `grpc-message`, which precede the body.
///
/// # Panics
/// The reply is read otherwise if its body arrives in pieces.
pub fn client_reply(bytes: &[u8]) {
    let Some((choice, piece, sent)) = parse(bytes) else { return };
    let read = match choice & 3 {
        0 => read::<CacheValue>,
        1 => read::<MultiCacheValueResponse>,
        2 => read::<CacheStats>,
        _ => read::<HealthCheckResponse>,
    };
    let whole = read(&sent, sent.body.len().max(1));
    assert_eq!(read(&sent, piece), whole, "in pieces of {piece} bytes");
}

fn parse(bytes: &[u8]) -> Option<(u8, usize, Reply<'_>)> {
    let [choice, piece, status, message, rest @ ..] = bytes else { return None };
    let (code, rest) = rest.split_at_checked(usize::from(*status))?;
    let (text, body) = rest.split_at_checked(usize::from(*message))?;
    let mut status = HeaderMap::new();
    if !code.is_empty() {
        status.append("grpc-status", HeaderValue::from_bytes(code).ok()?);
    }
    if !text.is_empty() {
        status.append("grpc-message", HeaderValue::from_bytes(text).ok()?);
    }
    let http = if choice & 8 == 0 { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let kind = if choice & 16 == 0 { "application/grpc" } else { "text/html" };
    let kind = HeaderValue::from_static(kind);
    let sent = Reply { is_short: choice & 4 != 0, http, kind, status, body };
    let piece = usize::from(*piece).max(body.len().div_ceil(PIECES)).max(1);
    Some((*choice, piece, sent))
}

fn read<M: Message + Default + Debug>(sent: &Reply<'_>, piece: usize) -> String {
    let runtime = Builder::new_current_thread().build().expect("a runtime without drivers");
    runtime.block_on(async {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::select! {
            read = ask::<M>(ours) => read,
            served = serve(theirs, sent, piece) => panic!("the connection ended: {served:?}"),
        }
    })
}

async fn ask<M: Message + Default + Debug>(link: DuplexStream) -> String {
    let (mut calls, connection) = h2::client::handshake(link).await.expect("a server is there");
    let request = Request::post("http://server/").body(()).expect("a valid request");
    let (response, _) = calls.send_request(request, true).expect("a connection that is new");
    let answered = async {
        let response = response.await.expect("the server answers");
        format!("{:?}", reply::read::<M>(response, MAX).await)
    };
    tokio::select! {
        read = answered => read,
        ended = connection => panic!("the connection ended: {ended:?}"),
    }
}

async fn serve(link: DuplexStream, sent: &Reply<'_>, piece: usize) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(link).await?;
    while let Some(request) = connection.accept().await {
        answer(request?.1, sent, piece)?;
    }
    Ok(())
}

fn answer(mut to: SendResponse<Bytes>, sent: &Reply<'_>, piece: usize) -> Result<(), h2::Error> {
    let mut head = Response::new(());
    *head.status_mut() = sent.http;
    if sent.is_short {
        *head.headers_mut() = sent.status.clone();
    }
    head.headers_mut().insert(header::CONTENT_TYPE, sent.kind.clone());
    let is_alone = sent.is_short && sent.body.is_empty();
    let mut stream = to.send_response(head, is_alone)?;
    for piece in sent.body.chunks(piece) {
        stream.send_data(Bytes::copy_from_slice(piece), false)?;
    }
    if sent.is_short && !is_alone {
        stream.send_data(Bytes::new(), true)?;
    } else if !is_alone {
        stream.send_trailers(sent.status.clone())?;
    }
    Ok(())
}

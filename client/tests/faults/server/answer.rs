//! What the server does with one request.

use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, server::SendResponse};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use prost::Message;
use tiny_cache_proto::{
    cache::{
        CacheLookup, CacheOperationResult, CacheResponse, CacheStats, CacheStatus, CacheValue,
        ConditionalCacheResponse, ConditionalCacheStatus, MultiCacheItemRequest,
        MultiCacheKeyRequest, MultiCacheResponse, MultiCacheValueResponse,
    },
    v1::{
        AddOutcome, AddReply, BatchReply, BatchRequest, OperationResult, Outcome, ReadReply,
        ReadState, RemoveReply, WriteReply, operation::Operation,
        operation_result::Result as StepResult,
    },
};
use tokio::time::sleep;
use tonic::Code;
use tonic_health::pb::{HealthCheckResponse, health_check_response::ServingStatus};

use super::connection::{Command, Commands};

/// The shortest time of the paused clock: it passes when everything that was sent has
/// arrived.
pub(crate) const SETTLED: Duration = Duration::from_millis(1);

/// The id on the replies of a server that is not a proxy.
pub(crate) const REQUEST_ID: &str = "made-by-the-server";

#[derive(Clone, Debug, Default)]
pub(crate) enum Answer {
    /// What a cache would say in which every key has the value `value`.
    #[default]
    Reply,
    /// Any other answer, after this time.
    After(Duration, Box<Answer>),
    /// A status and the request's id in one block of headers: so a tiny-cache server does it.
    Status(Code),
    /// The request's id in headers, then a status in trailers: so a server on grpcio does it.
    StatusBehindHeaders(Code),
    /// A status in place of a reply without an id: so a proxy does it.
    ProxyStatus(Code),
    /// UNAVAILABLE, with the server's word that the call was not executed.
    Declined,
    /// UNAVAILABLE, with what the server says of the next try.
    PushedBack(&'static str),
    /// A status whose text is this.
    StatusText(Code, &'static str),
    /// A message, and a status other than OK behind it.
    StatusBehindMessage(Code),
    /// Nothing, ever.
    Never,
    /// The end of the stream.
    Reset(Reason),
    /// The headers of a reply, then the end of the stream.
    ResetAfterHeaders(Reason),
    /// The end of the connection.
    Cut(Stage),
    /// GOAWAY: this request was not looked at.
    GoAwayBefore(Reason),
    /// GOAWAY behind this request, which is answered after the time.
    GoAwayAfter(Duration),
    /// This, byte for byte.
    Raw(Raw),
}

/// How far a reply gets before the connection ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    Nothing,
    Headers,
    HalfOfTheMessage,
    Message,
}

/// A reply as it stands on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    /// One DATA frame each.
    pub(crate) data: Vec<Bytes>,
    /// None: the last DATA frame, or the headers, end the stream.
    pub(crate) trailers: Option<Vec<(&'static str, &'static str)>>,
}

impl Answer {
    pub(crate) fn after(time: Duration, answer: Self) -> Self {
        Self::After(time, Box::new(answer))
    }
}

impl Raw {
    /// A reply that nothing is wrong with.
    pub(crate) fn message(data: impl IntoIterator<Item = Bytes>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "application/grpc"), ("x-request-id", REQUEST_ID)],
            data: data.into_iter().collect(),
            trailers: Some(vec![("grpc-status", "0")]),
        }
    }

    /// UNAVAILABLE, with the server's word that the call was not executed.
    pub(crate) fn declined() -> Self {
        let mut raw = Self::status(Code::Unavailable);
        raw.headers.push((tiny_cache_proto::NOT_EXECUTED, "1"));
        raw
    }

    /// A status in one block of headers.
    pub(crate) fn status(code: Code) -> Self {
        let mut raw = Self { trailers: None, ..Self::message([]) };
        raw.headers.extend(words(code));
        raw
    }

    /// A status in trailers behind headers.
    pub(crate) fn status_behind_headers(code: Code) -> Self {
        Self { trailers: Some(words(code)), ..Self::message([]) }
    }

    /// An answer of something that does not know gRPC.
    pub(crate) fn http(status: u16) -> Self {
        Self {
            status,
            headers: vec![("content-type", "text/html")],
            data: vec!["<h1>Sorry</h1>".into()],
            trailers: None,
        }
    }
}

fn words(code: Code) -> Vec<(&'static str, &'static str)> {
    vec![("grpc-status", CODES[code as usize]), ("grpc-message", "as the script says")]
}

/// The codes, as they stand on the wire.
const CODES: [&str; 17] =
    ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"];

/// A message with the five bytes before it.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let body = message.encode_to_vec();
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[0][..], &len, &body].concat().into()
}

/// A `Get` that found this.
pub(crate) fn found(value: impl Into<Bytes>) -> Bytes {
    framed(&CacheValue { found: true, value: value.into() })
}

/// Answers one request. What goes wrong here is that the client has gone.
pub(super) async fn give(
    answer: Answer,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    commands: Commands,
) -> Result<(), h2::Error> {
    let stream = respond.stream_id().as_u32();
    let (head, mut body) = request.into_parts();
    let mut answer = answer;
    while let Answer::After(time, then) = answer {
        sleep(time).await;
        answer = *then;
    }
    match answer {
        Answer::After(..) => unreachable!("unwrapped above"),
        Answer::Reply => reply(&mut respond, &head.uri, &mut body).await,
        Answer::Status(code) => send(&mut respond, Raw::status(code)),
        Answer::StatusBehindHeaders(code) => send(&mut respond, Raw::status_behind_headers(code)),
        Answer::Declined => send(&mut respond, Raw::declined()),
        Answer::PushedBack(millis) => {
            let field = ("grpc-retry-pushback-ms", millis);
            status(&mut respond, Code::Unavailable, &[field])
        }
        Answer::ProxyStatus(code) => status(&mut respond, code, &[]),
        Answer::StatusText(code, text) => status(&mut respond, code, &[("grpc-message", text)]),
        Answer::StatusBehindMessage(code) => {
            let mut stream = headers(&mut respond, &head.uri, &mut body).await?.0;
            stream.send_data(found("value"), false)?;
            stream.send_trailers(trailers(code))
        }
        Answer::Never => {
            // Until the client gives up.
            std::future::poll_fn(|cx| respond.poll_reset(cx)).await.map(drop)
        }
        Answer::Reset(reason) => {
            respond.send_reset(reason);
            Ok(())
        }
        Answer::ResetAfterHeaders(reason) => {
            let mut stream = headers(&mut respond, &head.uri, &mut body).await?.0;
            sleep(SETTLED).await;
            stream.send_reset(reason);
            Ok(())
        }
        Answer::Cut(stage) => {
            let _stream = partly(&mut respond, &head.uri, &mut body, stage).await?;
            let _ = commands.send(Command::Cut);
            // To drop the stream would be to reset it.
            std::future::pending().await
        }
        Answer::GoAwayBefore(reason) => {
            let _ = commands.send(Command::GoAway(stream.saturating_sub(2), reason));
            std::future::poll_fn(|cx| respond.poll_reset(cx)).await.map(drop)
        }
        Answer::GoAwayAfter(time) => {
            let _ = commands.send(Command::GoAway(stream, Reason::NO_ERROR));
            sleep(time).await;
            reply(&mut respond, &head.uri, &mut body).await
        }
        Answer::Raw(raw) => send(&mut respond, raw),
    }
}

async fn reply(
    respond: &mut SendResponse<Bytes>,
    uri: &http::Uri,
    body: &mut RecvStream,
) -> Result<(), h2::Error> {
    let (mut stream, message) = headers(respond, uri, body).await?;
    stream.send_data(message, false)?;
    stream.send_trailers(trailers(Code::Ok))
}

/// Sends the headers of a reply, and gives the message that would follow.
async fn headers(
    respond: &mut SendResponse<Bytes>,
    uri: &http::Uri,
    body: &mut RecvStream,
) -> Result<(SendStream<Bytes>, Bytes), h2::Error> {
    let mut request = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        request.extend_from_slice(&piece);
    }
    let head = Response::builder()
        .header("content-type", "application/grpc")
        .header("x-request-id", REQUEST_ID)
        .body(())
        .unwrap();
    Ok((respond.send_response(head, false)?, message(uri.path(), &request[5..])))
}

async fn partly(
    respond: &mut SendResponse<Bytes>,
    uri: &http::Uri,
    body: &mut RecvStream,
    stage: Stage,
) -> Result<Option<SendStream<Bytes>>, h2::Error> {
    if matches!(stage, Stage::Nothing) {
        return Ok(None);
    }
    let (mut stream, message) = headers(respond, uri, body).await?;
    match stage {
        Stage::Nothing | Stage::Headers => {}
        Stage::HalfOfTheMessage => stream.send_data(message.slice(..message.len() / 2), false)?,
        Stage::Message => stream.send_data(message, false)?,
    }
    sleep(SETTLED).await;
    Ok(Some(stream))
}

fn status(
    respond: &mut SendResponse<Bytes>,
    code: Code,
    more: &[(&'static str, &'static str)],
) -> Result<(), h2::Error> {
    let mut head = Response::new(());
    head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    head.headers_mut().insert("grpc-message", HeaderValue::from_static("as the script says"));
    head.headers_mut().extend(trailers(code));
    head.headers_mut().extend(header_map(more));
    respond.send_response(head, true).map(drop)
}

fn send(respond: &mut SendResponse<Bytes>, raw: Raw) -> Result<(), h2::Error> {
    let mut head = Response::new(());
    *head.status_mut() = raw.status.try_into().unwrap();
    *head.headers_mut() = header_map(&raw.headers);
    let frames = raw.data.len();
    let mut stream = respond.send_response(head, frames == 0 && raw.trailers.is_none())?;
    for (n, data) in raw.data.into_iter().enumerate() {
        stream.send_data(data, n + 1 == frames && raw.trailers.is_none())?;
    }
    raw.trailers.map_or(Ok(()), |trailers| stream.send_trailers(header_map(&trailers)))
}

fn header_map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        // Latin-1, as a careless peer sends it.
        let value: Vec<_> = value.chars().map(|c| u8::try_from(c).unwrap()).collect();
        map.append(HeaderName::from_static(name), HeaderValue::from_bytes(&value).unwrap());
    }
    map
}

fn trailers(code: Code) -> HeaderMap {
    HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), i32::from(code).into())])
}

/// The message of a good reply.
fn message(path: &str, request: &[u8]) -> Bytes {
    let keys = || MultiCacheKeyRequest::decode(request).unwrap().keys;
    let done = |key| CacheOperationResult { key, status: CacheStatus::Ok.into(), ..<_>::default() };
    match path.rsplit('/').next().unwrap() {
        "Get" => found("value"),
        "Set" | "Delete" => framed(&CacheResponse { status: CacheStatus::Ok.into() }),
        "SetIfAbsent" | "CompareAndSet" => {
            framed(&ConditionalCacheResponse { status: ConditionalCacheStatus::Stored.into() })
        }
        "Stats" => framed(&CacheStats::default()),
        "Check" => framed(&HealthCheckResponse { status: ServingStatus::Serving.into() }),
        "MultiGet" => {
            let item =
                |key| CacheLookup { key, found: true, value: "value".into(), ..<_>::default() };
            framed(&MultiCacheValueResponse { items: keys().into_iter().map(item).collect() })
        }
        "MultiSet" => {
            let items = MultiCacheItemRequest::decode(request).unwrap().items;
            let items = items.into_iter().map(|item| done(item.key)).collect();
            framed(&MultiCacheResponse { items })
        }
        "MultiDelete" => {
            framed(&MultiCacheResponse { items: keys().into_iter().map(done).collect() })
        }
        "Batch" => {
            let operations = BatchRequest::decode(request).unwrap().operations;
            let results = operations.into_iter().map(|sent| Some(step(sent.operation.unwrap())));
            let results = results.map(|result| OperationResult { result }).collect();
            framed(&BatchReply { results, process_id: 1 })
        }
        other => panic!("no such call: {other}"),
    }
}

/// A good result of a step.
fn step(sent: Operation) -> StepResult {
    match sent {
        Operation::Read(_) => {
            StepResult::Read(ReadReply { state: ReadState::Miss.into(), ..<_>::default() })
        }
        Operation::Write(_) => {
            StepResult::Write(WriteReply { outcome: Outcome::Applied.into(), ..<_>::default() })
        }
        Operation::Remove(_) => {
            StepResult::Remove(RemoveReply { outcome: Outcome::Applied.into(), ..<_>::default() })
        }
        Operation::Add(_) => {
            StepResult::Add(AddReply { outcome: AddOutcome::Added.into(), ..<_>::default() })
        }
    }
}

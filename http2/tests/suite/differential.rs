//! The same requests through this engine and through the h2 crate: the same replies from
//! both. h2 is also the client, so that frames are cut, windows granted and fields
//! encoded by another hand.

use std::{
    future::poll_fn,
    io::IoSlice,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use h2::{client, server};
use http::{HeaderMap, Request, Response};
use proptest::prelude::*;
use tiny_cache_http2::{
    Block, Body, Config, Connection, Event, FieldName, Lane, Limits, Reply, StreamId, Workspace,
};
use tokio::io::{AsyncRead as _, AsyncWrite as _, DuplexStream, ReadBuf, duplex};

/// One call: how many bytes it sends, in pieces of which size, and how many it gets.
#[derive(Clone, Debug)]
struct Plan {
    path: String,
    fields: Vec<(String, String)>,
    body: usize,
    piece: usize,
    reply: usize,
    cancel: bool,
}

/// What the client has seen of a call.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    trailers: Vec<(String, String)>,
}

/// Pieces are not so small that h2's server ends the connection for them.
fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let name = "[a-z][a-z0-9-]{0,12}";
    let value = "[ -~]{0,40}";
    let fields = proptest::collection::vec((name, value), 0..8);
    let lane = prop_oneof![Just("/whole"), Just("/stream")];
    let size = prop_oneof![0..200usize, 0..70_000usize, 0..300_000usize];
    let plan = (lane, fields, size.clone(), 1000..40_000usize, size, 0..8u8).prop_map(
        |(path, fields, body, piece, reply, cancel)| Plan {
            path: format!("{path}/{reply}"),
            fields: fields
                .into_iter()
                .map(|(name, value)| (format!("x-{name}"), value.trim().to_owned()))
                .collect(),
            body,
            piece,
            reply,
            cancel: cancel == 0,
        },
    );
    proptest::collection::vec(plan, 1..12)
}

/// The reply to a request: the number in its path says how long it is. It carries the length
/// of the request and one of its fields.
fn reply_size(path: &str) -> usize {
    path.rsplit('/').next().and_then(|size| size.parse().ok()).unwrap_or(0)
}

fn list(fields: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap_or("?").to_owned())
    };
    fields.iter().map(text).collect()
}

async fn h2_server(io: DuplexStream) {
    let mut builder = server::Builder::new();
    builder.max_concurrent_streams(256);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(io).await else { return };
    let mut calls = tokio::task::JoinSet::new();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        calls.spawn_local(async move {
            let (head, mut body) = request.into_parts();
            let mut received = 0;
            while let Some(Ok(bytes)) = body.data().await {
                received += bytes.len();
                body.flow_control().release_capacity(bytes.len()).unwrap();
            }
            let mut response = Response::builder().status(200).header("x-received", received);
            if let Some(one) = head.headers.get("x-one") {
                response = response.header("x-one", one);
            }
            let Ok(mut send) = respond.send_response(response.body(()).unwrap(), false) else {
                return;
            };
            let size = reply_size(head.uri.path());
            let _ = send.send_data(Bytes::from(vec![b'r'; size]), false);
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            let _ = send.send_trailers(trailers);
        });
    }
}

/// A request of this engine's, while its body comes.
struct Arriving {
    stream: StreamId,
    path: String,
    one: Option<Vec<u8>>,
    received: usize,
}

fn answer(connection: &mut Connection, call: &Arriving) {
    let names = [FieldName::new("x-received"), FieldName::new("x-one")];
    let received = call.received.to_string();
    let mut fields = vec![(&names[0], received.as_bytes())];
    if let Some(one) = &call.one {
        fields.push((&names[1], one));
    }
    let body = vec![b'r'; reply_size(&call.path)];
    let body = match call.received % 2 {
        0 => Body::Copied(&body),
        _ => Body::Lent([Bytes::from(body)].into()),
    };
    let (head, trailers) = (Block::status(200), Block::empty().field("grpc-status", "0"));
    let reply =
        Reply { head: &head, fields: &fields, body, trailers: &trailers, trailer_fields: &[] };
    // The client may have cancelled the call.
    let _ = connection.reply(call.stream, reply);
}

fn handle(
    event: Event<'_>,
    arriving: &mut Vec<Arriving>,
) -> (Option<Arriving>, Option<(StreamId, usize)>) {
    let new = |stream, head: &tiny_cache_http2::Head, received| Arriving {
        stream,
        path: String::from_utf8_lossy(head.path()).into_owned(),
        one: head.kept(0).map(<[u8]>::to_vec),
        received,
    };
    let mut take = |stream| {
        let place = arriving.iter().position(|call| call.stream == stream)?;
        Some(arriving.swap_remove(place))
    };
    match event {
        Event::Request { stream, head, body, .. } => (Some(new(stream, head, body.len())), None),
        Event::Head { stream, head, end: true, .. } => (Some(new(stream, head, 0)), None),
        Event::Head { stream, head, end: false, .. } => {
            arriving.push(new(stream, head, 0));
            (None, None)
        }
        Event::Data { stream, bytes, end } => {
            let mut call = take(stream).expect("its head has come");
            call.received += bytes.len();
            let release = Some((stream, bytes.len()));
            if end {
                return (Some(call), release);
            }
            arriving.push(call);
            (None, release)
        }
        Event::Trailers { stream, .. } => (take(stream), None),
        Event::Reset { stream, refused, .. } => {
            assert_eq!(refused, None, "h2 breaks no rule");
            take(stream);
            (None, None)
        }
        Event::TooLarge { .. } => panic!("no list is so large"),
        Event::GivenUp { .. } | Event::Stalled { .. } | Event::Pong(_) | Event::GoAway(_) => {
            (None, None)
        }
    }
}

/// Writes what there is, one slice at a time, and reads. Neither waits for the other, or both
/// ends could wait for each other. Returns none at the end.
fn turn(
    io: &mut DuplexStream,
    connection: &mut Connection,
    buffer: &mut [u8],
    cx: &mut Context<'_>,
) -> Poll<Option<usize>> {
    loop {
        let mut slices = [IoSlice::new(&[]); 7];
        if connection.output(&mut slices) == 0 {
            break;
        }
        match Pin::new(&mut *io).poll_write(cx, &slices[0]) {
            Poll::Ready(Ok(written)) => {
                connection.consumed(written, Instant::now(), &mut Workspace::default());
            }
            Poll::Ready(Err(_)) => return Poll::Ready(None),
            Poll::Pending => break,
        }
    }
    if !connection.wants_input() {
        return Poll::Pending;
    }
    let mut read = ReadBuf::new(buffer);
    let polled = ready!(Pin::new(io).poll_read(cx, &mut read));
    let filled = read.filled().len();
    Poll::Ready(polled.ok().map(|()| filled).filter(|filled| *filled > 0))
}

async fn engine(mut io: DuplexStream, read_size: usize) {
    let lane = |head: &tiny_cache_http2::Head| {
        if head.path().starts_with(b"/whole") { Lane::Whole } else { Lane::Stream }
    };
    let config = Arc::new(Config::new(&["x-one"], lane, Limits::default()));
    let mut connection = Connection::server(config, Instant::now());
    let (mut work, mut arriving) = (Workspace::default(), Vec::new());
    let mut buffer = vec![0; read_size];
    loop {
        let Some(read) = poll_fn(|cx| turn(&mut io, &mut connection, &mut buffer, cx)).await else {
            return;
        };
        let mut input = &buffer[..read];
        loop {
            let now = Instant::now();
            let event = connection.receive(&mut input, now, &mut work).expect("h2 breaks no rule");
            let Some(event) = event else { break };
            let (complete, release) = handle(event, &mut arriving);
            if let Some((stream, bytes)) = release {
                connection.release(stream, bytes);
            }
            if let Some(call) = complete {
                answer(&mut connection, &call);
            }
        }
    }
}

async fn call(mut send: client::SendRequest<Bytes>, plan: Plan) -> Option<Outcome> {
    let mut request = Request::builder().method("POST").uri(format!("http://test{}", plan.path));
    for (name, value) in &plan.fields {
        request = request.header(name, value);
    }
    poll_fn(|cx| send.poll_ready(cx)).await.unwrap();
    let (response, mut stream) =
        send.send_request(request.body(()).unwrap(), plan.body == 0).unwrap();
    let mut left = plan.body;
    while left > 0 {
        stream.reserve_capacity(left.min(plan.piece));
        let granted = poll_fn(|cx| stream.poll_capacity(cx)).await?.ok()?;
        let size = granted.min(left);
        left -= size;
        if plan.cancel && left < plan.body / 2 {
            stream.send_reset(h2::Reason::CANCEL);
            return None;
        }
        stream.send_data(Bytes::from(vec![b'q'; size]), left == 0).ok()?;
    }
    let (head, mut body) = response.await.ok()?.into_parts();
    let mut received = Vec::new();
    while let Some(bytes) = body.data().await {
        let bytes = bytes.ok()?;
        body.flow_control().release_capacity(bytes.len()).ok()?;
        received.extend_from_slice(&bytes);
    }
    let trailers = body.trailers().await.ok()?.unwrap_or_default();
    Some(Outcome {
        status: head.status.as_u16(),
        fields: list(&head.headers),
        body: received,
        trailers: list(&trailers),
    })
}

fn run(plans: &[Plan], read_size: Option<usize>) -> Vec<Option<Outcome>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        let (ours, theirs) = duplex(20_000);
        match read_size {
            Some(size) => tokio::task::spawn_local(engine(theirs, size)),
            None => tokio::task::spawn_local(h2_server(theirs)),
        };
        let (send, connection) = client::handshake(ours).await.unwrap();
        tokio::task::spawn_local(connection);
        let calls: Vec<_> = plans
            .iter()
            .map(|plan| tokio::task::spawn_local(call(send.clone(), plan.clone())))
            .collect();
        let mut outcomes = Vec::new();
        for call in calls {
            outcomes.push(call.await.unwrap());
        }
        outcomes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_engine_answers_as_h2_does(plans in plans(), read_size in 1..20_000usize) {
        let (ours, theirs) = (run(&plans, Some(read_size)), run(&plans, None));
        for (plan, (ours, theirs)) in plans.iter().zip(ours.iter().zip(&theirs)) {
            prop_assert_eq!(ours, theirs);
            prop_assert!(ours.is_some() || plan.cancel);
            prop_assert!(ours.as_ref().is_none_or(|ours| ours.body.len() == plan.reply));
        }
    }
}

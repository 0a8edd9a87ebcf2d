//! The same bytes into this engine and into the h2 crate's server: the same requests come out.
//! The frames are legal, and such as no client library makes: padded, cut into CONTINUATION
//! anywhere, with fields in every representation, among frames that change nothing.

use proptest::prelude::*;
use tiny_cache_http2::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::support::*;

/// A request as it is put on the wire.
#[derive(Clone, Debug)]
struct Sent {
    whole: bool,
    /// Name, value, and which representation.
    fields: Vec<(String, String, u8)>,
    body: Vec<Vec<u8>>,
    padding: u8,
    /// Where the header block is cut.
    cuts: Vec<usize>,
    trailers: bool,
    noise: u8,
}

/// A request as a server has seen it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Received {
    path: String,
    /// None where the engine does not keep them.
    fields: Option<Vec<(String, String)>>,
    body: Vec<u8>,
}

fn requests() -> impl Strategy<Value = Vec<Sent>> {
    let field = ("[a-c]{1,2}", "[ -~]{0,20}", 0..4u8)
        .prop_map(|(name, value, form)| (format!("x-{name}"), value.trim().to_owned(), form));
    let body = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..600), 0..4);
    let request = (
        any::<bool>(),
        proptest::collection::vec(field, 0..8),
        body,
        0..20u8,
        proptest::collection::vec(0..200usize, 0..3),
        any::<bool>(),
        0..6u8,
    )
        .prop_map(|(whole, fields, body, padding, cuts, trailers, noise)| Sent {
            whole,
            fields,
            body,
            padding,
            cuts,
            trailers,
            noise,
        });
    proptest::collection::vec(request, 1..20)
}

/// An encoder that mirrors the table of its peer.
#[derive(Default)]
struct Encoder {
    table: Vec<(String, String)>,
}

impl Encoder {
    fn field(&mut self, name: &str, value: &str, form: u8) -> Vec<u8> {
        let place = self.table.iter().position(|(n, v)| n == name && v == value);
        if let (3, Some(place)) = (form, place) {
            return vec![0x80 | (62 + place) as u8];
        }
        let mut block = field(name, value.as_bytes());
        block[0] = [0x00, 0x10, 0x40, 0x40][usize::from(form)];
        if block[0] == 0x40 {
            self.table.insert(0, (name.to_owned(), value.to_owned()));
            // Few enough for an index of one byte, and for the table.
            if self.table.len() > 40 {
                self.table.clear();
                return [&[0x20, 0x3f, 0xe1, 0x1f][..], &block].concat();
            }
        }
        block
    }
}

fn padded(kind: u8, flags: u8, stream: u32, padding: u8, payload: &[u8]) -> Vec<u8> {
    if padding == 0 {
        return frame(kind, flags, stream, payload);
    }
    let payload = [&[padding][..], payload, &vec![0; usize::from(padding)]].concat();
    frame(kind, flags | PADDED, stream, &payload)
}

/// A block in HEADERS and CONTINUATION.
fn block(stream: u32, flags: u8, sent: &Sent, block: &[u8]) -> Vec<u8> {
    let mut cuts: Vec<_> = sent.cuts.iter().map(|cut| cut % (block.len() + 1)).collect();
    cuts.sort_unstable();
    let mut bytes = Vec::new();
    let (mut from, ends) = (0, cuts.into_iter().chain([block.len()]));
    let ends: Vec<_> = ends.collect();
    for (number, end) in ends.iter().enumerate() {
        let last = if number + 1 == ends.len() { END_HEADERS } else { 0 };
        let part = &block[from..*end];
        bytes.extend(match number {
            0 => padded(HEADERS, last | flags, stream, sent.padding, part),
            _ => frame(CONTINUATION, last, stream, part),
        });
        from = *end;
    }
    bytes
}

fn noise(kind: u8, stream: u32) -> Vec<u8> {
    match kind {
        0 => frame(PING, 0, 0, &[7; 8]),
        1 => frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 9]),
        2 => frame(0x21, 0xff, stream, b"extension"),
        3 => window_update(0, 1000),
        4 => settings(&[(4, 50_000), (0x99, 1)]),
        _ => Vec::new(),
    }
}

fn encode(requests: &[Sent]) -> Vec<u8> {
    let mut encoder = Encoder::default();
    let mut bytes = [PREFACE, &settings(&[]), &frame(SETTINGS, ACK, 0, &[])].concat();
    for (stream, sent) in (1..).step_by(2).zip(requests) {
        let lane = if sent.whole { "whole" } else { "stream" };
        // A change of the table's size may only begin a block, so such a block is one field.
        let mut fields = Vec::new();
        let mut prefix = Vec::new();
        for (name, value, form) in &sent.fields {
            let encoded = encoder.field(name, value, *form);
            match encoded.strip_prefix(&[0x20, 0x3f, 0xe1, 0x1f]) {
                Some(_) => {
                    encoder.table.clear();
                    prefix = vec![0x20, 0x3f, 0xe1, 0x1f];
                    fields =
                        sent.fields.iter().flat_map(|(n, v, _)| field(n, v.as_bytes())).collect();
                    break;
                }
                None => fields.extend(encoded),
            }
        }
        let head = [prefix, post(&format!("/{lane}/{stream}")), fields].concat();
        let ends = sent.body.is_empty() && !sent.trailers;
        bytes.extend(block(stream, if ends { END_STREAM } else { 0 }, sent, &head));
        bytes.extend(noise(sent.noise, stream));
        for (number, piece) in sent.body.iter().enumerate() {
            let last = number + 1 == sent.body.len() && !sent.trailers;
            bytes.extend(padded(DATA, u8::from(last), stream, sent.padding, piece));
        }
        if sent.trailers {
            bytes.extend(headers(stream, END_STREAM, &fields_of_trailers()));
        }
    }
    bytes
}

fn fields_of_trailers() -> Vec<u8> {
    fields(&[("x-sum", "1")])
}

fn by_engine(bytes: &[u8], piece: usize) -> Vec<Received> {
    let mut pair = Pair::silent(Limits::default());
    let mut received: Vec<(u32, Received)> = Vec::new();
    for piece in bytes.chunks(piece) {
        pair.send(piece);
        for event in pair.events() {
            match event {
                Seen::Request { stream, path, body, .. } => {
                    received.push((stream, Received { path, fields: None, body }));
                }
                Seen::Head { stream, path, fields, .. } => {
                    let fields = (!path.starts_with("/whole")).then_some(fields);
                    received.push((stream, Received { path, fields, body: Vec::new() }));
                }
                Seen::Data { stream, bytes, .. } => {
                    let mut all = received.iter_mut();
                    let (_, request) = all.find(|(known, _)| *known == stream).unwrap();
                    request.body.extend(bytes);
                }
                Seen::Trailers { .. } => {}
                other => panic!("nothing is wrong with the bytes: {other:?}"),
            }
        }
    }
    assert_eq!(pair.failed, None);
    sorted(received.into_iter().map(|(_, request)| request).collect())
}

fn sorted(mut requests: Vec<Received>) -> Vec<Received> {
    requests.sort();
    requests
}

/// Serves until all expected requests are complete. h2 forgets what it has not handed out when the
/// connection ends.
async fn serve(io: DuplexStream, expected: usize) -> Vec<Received> {
    let mut connection = h2::server::handshake(io).await.unwrap();
    let (complete, mut completed) = tokio::sync::mpsc::unbounded_channel();
    let mut received = Vec::new();
    while received.len() < expected {
        tokio::select! {
            request = connection.accept() => {
                let (request, _) = request.unwrap().expect("nothing is wrong with the bytes");
                let complete = complete.clone();
                tokio::task::spawn_local(async move { complete.send(read(request).await) });
            }
            request = completed.recv() => received.extend(request),
        }
    }
    sorted(received)
}

async fn read(request: http::Request<h2::RecvStream>) -> Received {
    let (head, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        body.flow_control().release_capacity(piece.len()).unwrap();
        bytes.extend_from_slice(&piece);
    }
    let path = head.uri.path().to_owned();
    let mut names: Vec<_> = head.headers.iter().collect();
    names.sort_by_key(|(name, _)| name.as_str().to_owned());
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let fields = names.into_iter().map(|(name, value)| (name.to_string(), text(value)));
    let fields = (!path.starts_with("/whole")).then(|| fields.collect());
    Received { path, fields, body: bytes }
}

fn by_h2(bytes: &[u8], expected: usize) -> Vec<Received> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let (ours, theirs) = duplex(1 << 20);
        let served = tokio::task::spawn_local(serve(theirs, expected));
        let (mut read, mut write) = tokio::io::split(ours);
        tokio::task::spawn_local(async move {
            let mut sink = [0; 4096];
            while let Ok(1..) = read.read(&mut sink).await {}
        });
        write.write_all(bytes).await.unwrap();
        served.await.unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_engine_and_h2_read_the_same_requests(requests in requests(), piece in 1..2000usize) {
        let bytes = encode(&requests);
        let mut ours = by_engine(&bytes, piece);
        for request in &mut ours {
            // h2 gives the values of one name together.
            if let Some(fields) = &mut request.fields {
                fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            }
        }
        prop_assert_eq!(ours.len(), requests.len());
        prop_assert_eq!(ours, by_h2(&bytes, requests.len()));
    }
}

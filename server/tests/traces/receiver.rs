//! A collector: it takes spans over OTLP, refuses them, or never answers.

use std::{
    collections::BTreeMap,
    future,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind},
};
use tokio::{net::TcpListener, sync::watch, time::timeout};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    codec::CompressionEncoding,
    metadata::MetadataMap,
    transport::{Identity, Server, ServerTlsConfig},
};

use super::support::certificates::Certificates;

/// How long spans may take to arrive before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes the status of a refusal.
type Refusal = Box<dyn Fn() -> Status + Send + Sync>;

/// How a collector answers.
pub(crate) enum Manner {
    Takes,
    /// Refuses every request with this status.
    Answers(Refusal),
    /// Refuses the first request with this status and takes those after it.
    RefusesFirst(Refusal),
    /// Takes a batch, but for this many of its spans.
    Rejects(i64),
    NeverAnswers,
}

/// A running collector; it ends with the test's runtime.
pub(crate) struct Receiver {
    addr: SocketAddr,
    tls: bool,
    seen: watch::Receiver<Seen>,
}

/// What has arrived.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) spans: Vec<Seeing>,
    pub(crate) requests: usize,
    /// When each of them came.
    pub(crate) at: Vec<Instant>,
    /// Of the last request.
    pub(crate) metadata: MetadataMap,
}

/// A span, with who sent it.
#[derive(Clone, Debug)]
pub(crate) struct Seeing {
    pub(crate) span: Span,
    pub(crate) scope: String,
    pub(crate) resource: BTreeMap<String, Value>,
}

impl Seeing {
    pub(crate) fn attributes(&self) -> BTreeMap<String, Value> {
        values(&self.span.attributes)
    }

    pub(crate) fn text(&self, key: &str) -> String {
        match &self.attributes()[key] {
            Value::StringValue(text) => text.clone(),
            other => panic!("{key} is no text: {other:?}"),
        }
    }

    pub(crate) fn is_of_an_rpc(&self) -> bool {
        self.span.kind == SpanKind::Server as i32
    }
}

impl Manner {
    pub(crate) fn answers(refusal: impl Fn() -> Status + Send + Sync + 'static) -> Self {
        Self::Answers(Box::new(refusal))
    }

    pub(crate) fn refuses_first(refusal: impl Fn() -> Status + Send + Sync + 'static) -> Self {
        Self::RefusesFirst(Box::new(refusal))
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::that(Manner::Takes).await
    }

    pub(crate) async fn that(manner: Manner) -> Self {
        Self::serve(manner, false).await
    }

    /// One that speaks TLS, with the test process's own certificate.
    pub(crate) async fn over_tls() -> Self {
        Self::serve(Manner::Takes, true).await
    }

    /// One at an address that a test knew before.
    pub(crate) async fn at(addr: SocketAddr) -> Self {
        Self::serve_on(TcpListener::bind(addr).await.unwrap(), Manner::Takes, false)
    }

    async fn serve(manner: Manner, tls: bool) -> Self {
        Self::serve_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), manner, tls)
    }

    fn serve_on(listener: TcpListener, manner: Manner, tls: bool) -> Self {
        let addr = listener.local_addr().unwrap();
        let (sender, seen) = watch::channel(Seen::default());
        let service =
            TraceServiceServer::new(Collector { manner, seen: Arc::new(Mutex::new(sender)) })
                .accept_compressed(CompressionEncoding::Gzip);
        let mut server = Server::builder();
        if tls {
            let made = Certificates::of_this_process();
            let read = |path: String| std::fs::read(path).unwrap();
            let identity =
                Identity::from_pem(read(made.server_certificate()), read(made.server_key()));
            server = server.tls_config(ServerTlsConfig::new().identity(identity)).unwrap();
        }
        let serving =
            server.add_service(service).serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(serving);
        Self { addr, tls, seen }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn endpoint(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.addr)
    }

    /// The spans of RPCs, as soon as there are so many.
    pub(crate) async fn rpcs(&self, count: usize) -> Vec<Seeing> {
        let rpcs = |seen: &Seen| seen.spans.iter().filter(|seeing| seeing.is_of_an_rpc()).count();
        let seen = self.wait(|seen| rpcs(seen) >= count).await;
        let spans: Vec<_> = seen.spans.into_iter().filter(Seeing::is_of_an_rpc).collect();
        assert_eq!(spans.len(), count, "{spans:#?}");
        spans
    }

    /// Waits until what has arrived is as the caller wants it.
    pub(crate) async fn wait(&self, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.clone();
        let Ok(seen) = timeout(PATIENCE, seen.wait_for(|seen| wanted(seen))).await else {
            panic!("what was wanted did not arrive, but {:#?}", self.now().spans)
        };
        seen.unwrap().clone()
    }

    /// What has arrived up to now.
    pub(crate) fn now(&self) -> Seen {
        self.seen.borrow().clone()
    }
}

struct Collector {
    manner: Manner,
    seen: Arc<Mutex<watch::Sender<Seen>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let mut answer = Ok(ExportTraceServiceResponse::default());
        self.seen.lock().unwrap().send_modify(|seen| {
            seen.requests += 1;
            seen.at.push(Instant::now());
            seen.metadata = metadata;
            answer = match &self.manner {
                Manner::Answers(refusal) => Err(refusal()),
                Manner::RefusesFirst(refusal) if seen.requests == 1 => Err(refusal()),
                Manner::Rejects(rejected_spans) => Ok(ExportTraceServiceResponse {
                    partial_success: Some(ExportTracePartialSuccess {
                        rejected_spans: *rejected_spans,
                        error_message: "too old".to_owned(),
                    }),
                }),
                Manner::Takes | Manner::RefusesFirst(_) | Manner::NeverAnswers => {
                    Ok(ExportTraceServiceResponse::default())
                }
            };
            if answer.is_ok() {
                seen.spans.extend(spans(message));
            }
        });
        if matches!(self.manner, Manner::NeverAnswers) {
            future::pending::<()>().await;
        }
        answer.map(Response::new)
    }
}

fn spans(message: ExportTraceServiceRequest) -> Vec<Seeing> {
    let mut seen = Vec::new();
    for of_resource in message.resource_spans {
        let resource = values(&of_resource.resource.unwrap_or_default().attributes);
        for of_scope in of_resource.scope_spans {
            let scope = of_scope.scope.unwrap_or_default().name;
            seen.extend(of_scope.spans.into_iter().map(|span| Seeing {
                span,
                scope: scope.clone(),
                resource: resource.clone(),
            }));
        }
    }
    seen
}

fn values(attributes: &[KeyValue]) -> BTreeMap<String, Value> {
    let value = |value: &Option<AnyValue>| value.clone().and_then(|value| value.value);
    let values: BTreeMap<_, _> = attributes
        .iter()
        .map(|attribute| (attribute.key.clone(), value(&attribute.value).unwrap()))
        .collect();
    assert_eq!(values.len(), attributes.len(), "an attribute is there twice: {attributes:?}");
    values
}

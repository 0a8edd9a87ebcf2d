//! Every RPC on its way from HTTP to a tonic service and back.
//!
//! `head → request id → meter → deadline → route → intake → messages → service → panic guard →
//! status → segments`

mod caller;
mod compression;
mod deadline;
mod facts;
mod head;
mod intake;
mod messages;
mod meter;
mod method;
mod reply;
mod request_body;
mod request_id;
mod segments;

use std::{
    cell::RefCell,
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use tiny_cache_proto::cache::cache_service_server::CacheServiceServer;
use tokio::sync::watch;
use tonic::{Code, Status, body::Body};
use tonic_reflection::pb::v1::server_reflection_server::ServerReflectionServer;
use tower::Service as _;
use tracing::{debug, error};

use crate::{
    health::{Health, HealthServer},
    histogram::Exemplar,
    lifecycle::{EndsAtDrain, Phase},
    reflection::{self, MAX_QUESTION_BYTES, Reflection},
    service::CacheRpcs,
    telemetry::{ConnectionTraces, Ended, Ending, RpcSpan, TRACERESPONSE, Traces},
};

pub(crate) use self::{
    deadline::current as current_deadline,
    facts::{Describe, Facts, Named},
    intake::{IntakeBudget, IntakeLimits},
    meter::{Meter, code_name},
    method::Method,
    reply::ReplyBody,
    request_body::RequestBody,
    request_id::{RequestIds, X_REQUEST_ID, text as request_id_text},
    segments::Reply,
};

use self::{
    caller::Caller,
    compression::Coding,
    deadline::Deadline,
    head::Head,
    messages::{Form, Messages},
    meter::Metered,
    reply::Answered,
    request_body::{Unread, keeping_unread},
};

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// Bytes of a message to the health service: a name. tonic reserves the length that a message
/// announces, outside any budget.
const HEALTH_BYTES: usize = 4 << 10;

/// The services of the gRPC port, as one connection sees them.
#[derive(Clone)]
pub(crate) struct Rpc {
    cache: RefCell<CacheServiceServer<CacheRpcs>>,
    health: RefCell<HealthServer<Health>>,
    reflection: RefCell<ServerReflectionServer<Reflection>>,
    phases: watch::Receiver<Phase>,
    request_ids: RequestIds,
    intake: IntakeLimits,
    meter: Meter,
    traces: ConnectionTraces,
    server_traces: Traces,
    peer: Option<SocketAddr>,
}

/// The services of a worker, and the phase in which their streams end.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) cache: CacheServiceServer<CacheRpcs>,
    pub(crate) health: HealthServer<Health>,
    pub(crate) reflection: ServerReflectionServer<Reflection>,
    pub(crate) phases: watch::Receiver<Phase>,
}

/// What bounds, counts and traces a worker's requests.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) intake: IntakeLimits,
    pub(crate) meter: Meter,
    pub(crate) traces: Traces,
}

impl Rpc {
    /// The services of one worker.
    pub(crate) fn new(services: Services, worker: usize, load: Load) -> Self {
        Self {
            cache: RefCell::new(services.cache),
            health: RefCell::new(services.health),
            reflection: RefCell::new(services.reflection),
            phases: services.phases,
            request_ids: RequestIds::of(worker),
            intake: load.intake,
            meter: load.meter,
            traces: ConnectionTraces::default(),
            server_traces: load.traces,
            peer: None,
        }
    }

    /// The same services for a connection of its own.
    pub(crate) fn for_connection(&self, peer: Option<SocketAddr>) -> Self {
        let traces = self.server_traces.of_connection(peer);
        Self { traces, peer, ..self.clone() }
    }

    /// Finds the service of a call. Returns what was left unread where none takes it.
    fn route(&self, request: Request<RequestBody>, coding: Coding) -> (Routed, Option<Incoming>) {
        let cache = Form { coding, max: self.intake.max_message_bytes, single: true };
        let health = Form { coding, max: HEALTH_BYTES, single: true };
        let question = Form { coding, max: MAX_QUESTION_BYTES, single: false };
        keeping_unread(|| {
            // The path is `/package.Service/Method`.
            let service = request.uri().path().split('/').nth(1).unwrap_or_default();
            Routed::Service(match service {
                tiny_cache_proto::SERVICE_NAME => {
                    let admit = |body| Messages::new(self.intake.admit(body), cache);
                    self.cache.borrow_mut().call(request.map(admit))
                }
                "grpc.health.v1.Health" => {
                    let request = request.map(|body| Messages::new(body, health));
                    self.until_drain(self.health.borrow_mut().call(request))
                }
                "grpc.reflection.v1.ServerReflection"
                | "grpc.reflection.v1alpha.ServerReflection" => {
                    let request = request.map(|body| Messages::new(body, question));
                    let request = reflection::as_v1(request);
                    self.until_drain(self.reflection.borrow_mut().call(request))
                }
                _ => {
                    let status = Status::unimplemented("no such service on this server");
                    return Routed::Here(ready(status.into_http()));
                }
            })
        })
    }

    /// Ends the reply's stream when the server drains. Every service that has streams goes
    /// through here; the cache's has none.
    fn until_drain(&self, answer: Answer) -> Answer {
        let phases = self.phases.clone();
        Box::pin(async move {
            let response = answer.await?;
            Ok(response.map(|body| Body::new(EndsAtDrain::new(body, phases))))
        })
    }
}

impl hyper::service::Service<Request<Incoming>> for Rpc {
    type Response = Response<ReplyBody>;
    type Error = Infallible;
    type Future = Call;

    fn call(&self, mut request: Request<Incoming>) -> Call {
        let started = Instant::now();
        let head = Head::take(&mut request);
        let method = match head {
            Head::Stranger(_) => Method::Other,
            Head::Call(_) | Head::Refused(_) => Method::of(request.uri().path()),
        };
        let span = self.traces.begin(method, &request, started);
        let request_id = self.request_ids.take(request.headers());
        let metered = self.meter.enter(method, started);
        let deadline = Deadline::of(request.headers(), started);
        let caller = Caller::of(&request, self.peer);
        let request = request.map(RequestBody::new);
        let (routed, unread) = match head {
            Head::Call(coding) => self.route(request, coding),
            Head::Refused(response) | Head::Stranger(response) => {
                (Routed::Here(ready(response)), request.into_body().unread())
            }
        };
        let waiting = None;
        Call {
            routed,
            method,
            started,
            deadline,
            span,
            panicked: false,
            request_id,
            caller,
            metered,
            unread,
            waiting,
        }
    }
}

/// A request in flight.
pub(crate) struct Call {
    routed: Routed,
    method: Method,
    started: Instant,
    deadline: Option<Deadline>,
    span: Option<RpcSpan>,
    panicked: bool,
    request_id: HeaderValue,
    caller: Option<Box<Caller>>,
    /// Held until the reply's headers, or until the request is given up.
    metered: Metered,
    /// The rest of a request that is refused before it was read.
    unread: Option<Incoming>,
    /// The reply, until that rest is read.
    waiting: Option<Box<Unread<ReplyBody>>>,
}

enum Routed {
    Service(Answer),
    Here(Ready<Response<Body>>),
}

impl Future for Call {
    type Output = Result<Response<ReplyBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.waiting.is_none() {
            let response = ready!(this.poll_response(cx));
            let reply = this.answered(response);
            let Some(body) = this.unread.take() else {
                return Poll::Ready(Ok(reply));
            };
            let deadline = this.deadline.as_ref().map(Deadline::at);
            this.waiting = Some(Box::new(Unread::new(body, reply, deadline)));
        }
        let waiting = this.waiting.as_mut().expect("it was just set where it was not");
        Pin::new(&mut **waiting).poll(cx).map(Ok)
    }
}

impl Call {
    /// Lets the service answer, until the deadline.
    fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        let answer = match &mut self.routed {
            Routed::Here(response) => return Pin::new(response).poll(cx),
            Routed::Service(answer) => answer,
        };
        if self.deadline.as_mut().is_some_and(Deadline::is_over) {
            return Poll::Ready(self.late());
        }
        Named::want(self.span.as_ref().is_some_and(RpcSpan::records_keys));
        Deadline::enter(self.deadline.as_ref());
        // A panic costs the request that met it. What a handler may have left half done is
        // its own: the store's locks are free again, and guard no data.
        let (polled, unread) =
            keeping_unread(|| catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))));
        self.unread = self.unread.take().or(unread);
        match polled {
            Ok(Poll::Ready(response)) => {
                Poll::Ready(response.unwrap_or_else(|never| match never {}))
            }
            Ok(Poll::Pending) => {
                let Some(deadline) = &mut self.deadline else { return Poll::Pending };
                ready!(deadline.poll(cx));
                Poll::Ready(self.late())
            }
            Err(_panic) => {
                self.panicked = true;
                Poll::Ready(Status::internal("").into_http())
            }
        }
    }

    /// Gives the request up, with all that it holds. What is left of it is not waited for.
    fn late(&mut self) -> Response<Body> {
        self.routed = Routed::Here(ready(Response::new(Body::empty())));
        self.unread = None;
        deadline::exceeded().into_http()
    }

    /// Finishes the reply, and tells metrics, trace and log of it.
    fn answered(&mut self, response: Response<Body>) -> Response<ReplyBody> {
        let (facts, named) = (Facts::take(), Named::take());
        // tonic calls a message that it cannot decode INTERNAL, and no handler gets it.
        let handled = facts.request_bytes.is_some() || self.panicked;
        let Answered { code, hidden, mut reply } =
            reply::finish(response, &self.request_id, handled);
        let code = facts.status(code);
        let took = self.started.elapsed();
        let request_id = &self.request_id;
        let ending = Ending { code, request_id, facts: &facts, named, took };
        let ids =
            self.span.take().and_then(|span| span.end(ending)).map(|Ended { ids, response }| {
                reply.headers_mut().extend(response.map(|response| (TRACERESPONSE, response)));
                ids
            });
        self.metered.end(code, &facts, took, ids);
        let (trace_id, span_id) = in_hex(ids);
        if code == Code::Internal {
            self.log_fault(&trace_id, &span_id, hidden.as_deref());
        }
        debug!(
            request_id = &*request_id::text(request_id),
            trace_id,
            span_id,
            method = self.method.name(),
            code = code_name(code),
            peer = self.caller.as_ref().and_then(|caller| caller.peer).map(display),
            namespace = self.caller.as_ref().map(|caller| &*caller.namespace),
            ?took,
            items = facts.items,
            hits = facts.hits,
            misses = facts.misses,
            value_bytes = facts.value_bytes,
            hidden,
            "answered"
        );
        reply
    }

    /// Logs a fault of this server's own under the id that its caller was given.
    fn log_fault(&self, trace_id: &Option<String>, span_id: &Option<String>, hidden: Option<&str>) {
        let request_id = &*request_id::text(&self.request_id);
        if self.panicked {
            error!(request_id, trace_id, span_id, "a request's handler panicked");
        } else {
            error!(
                request_id,
                trace_id, span_id, hidden, "a request failed by this server's fault"
            );
        }
    }
}

/// The ids of trace and span as a log shows them.
fn in_hex(ids: Option<Exemplar>) -> (Option<String>, Option<String>) {
    ids.map(|ids| (hex::encode(ids.trace_id), hex::encode(ids.span_id))).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io,
        sync::{Arc, Mutex},
        task::Waker,
    };

    #[tokio::test]
    async fn a_panic_costs_the_request_that_met_it_and_says_nothing_of_itself() {
        let meter = Meter::default();
        let started = Instant::now();
        let call = Call {
            routed: Routed::Service(Box::pin(async { panic!("the secret of a handler") })),
            method: Method::Get,
            started,
            deadline: None,
            span: None,
            panicked: false,
            request_id: HeaderValue::from_static("id-7"),
            caller: None,
            metered: meter.enter(Method::Get, started),
            unread: None,
            waiting: None,
        };
        assert_eq!(meter.active(), 1);
        let response = call.await.unwrap_or_else(|never| match never {});
        let headers = response.headers();
        assert_eq!(headers[X_REQUEST_ID], "id-7");
        assert_eq!(headers["grpc-status"], "13");
        let message = headers["grpc-message"].to_str().unwrap().replace("%20", " ");
        assert_eq!(message, "Internal server error (request_id=id-7)");
        assert_eq!(meter.active(), 0);
    }
    /// What is written to it, for a subscriber that must own its writer.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(line)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The id of such an error was in no log below DEBUG, though its message sends callers there.
    #[test]
    fn a_fault_of_the_server_is_logged_under_the_id_that_the_caller_gets() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
        let answer = async {
            Facts { request_bytes: Some(3), ..Facts::default() }.leave();
            Ok(Status::internal("index 7 out of bounds").into_http())
        };
        let meter = Meter::default();
        let mut call = Call {
            routed: Routed::Service(Box::pin(answer)),
            method: Method::Get,
            started: Instant::now(),
            deadline: None,
            span: None,
            panicked: false,
            request_id: HeaderValue::from_static("id-7"),
            caller: None,
            metered: meter.enter(Method::Get, Instant::now()),
            unread: None,
            waiting: None,
        };
        tracing::subscriber::with_default(subscriber, || {
            let polled = Pin::new(&mut call).poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(Ok(response)) = polled else { panic!("it has answered") };
            assert_eq!(response.headers()["grpc-status"], "13");
        });
        let lines = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let line: serde_json::Value = serde_json::from_str(lines.trim()).unwrap();
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["fields"]["request_id"], "id-7");
        assert_eq!(line["fields"]["hidden"], "index 7 out of bounds");
    }
}

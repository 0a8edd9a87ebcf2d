//! Takes a request through the pipeline, and finds its service.

use std::{
    cell::RefCell,
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use tiny_cache_http2::{Head as EngineHead, Lane};
use tiny_cache_proto::{
    SECOND_SERVICE_NAME, SERVICE_NAME, X_CACHE_NAMESPACE,
    cache::cache_service_server::CacheServiceServer, v1::cache_server::CacheServer,
};
use tokio::sync::watch;
use tonic::{Status, body::Body};
use tonic_reflection::pb::v1::server_reflection_server::ServerReflectionServer;
use tower::Service as _;

use super::{
    caller::{Caller, Origin},
    compression::Coding,
    deadline::Deadline,
    head::{Head, Verdict},
    in_flight::{Answer, Barred, Call, Routed},
    intake::IntakeLimits,
    messages::{Form, Messages},
    meter::Meter,
    need::{lacking, may, need},
    overload::{Overload, Place},
    reply::ReplyBody,
    request_body::{RequestBody, Rest},
    unary::{self, UnaryCalls},
};
use crate::{
    access::{Asked, Event, Gate},
    call::{CallStart, Exchange, Method, RequestIds, Terms, Uses, request_id_text},
    health::{Health, HealthServer},
    lifecycle::{EndsAtDrain, Phase},
    reflection::{self, MAX_QUESTION_BYTES, Reflection},
    rejection::Rejection,
    service::{Begins, CacheRpcs},
    telemetry::{RpcSpan, Traces},
    transport::{Answered, Answers, Arrival, Incoming, Unary},
};

/// Bytes of a message to the health service: a name. tonic reserves the length that a message
/// announces, outside any budget.
const HEALTH_BYTES: usize = 4 << 10;

/// The services of the gRPC port, as one worker's connections share them.
pub(crate) struct Rpc {
    unary: UnaryCalls,
    cache: RefCell<CacheServiceServer<Begins>>,
    second: RefCell<CacheServer<Begins>>,
    health: RefCell<HealthServer<Health>>,
    reflection: RefCell<ServerReflectionServer<Reflection>>,
    phases: watch::Receiver<Phase>,
    request_ids: RequestIds,
    intake: IntakeLimits,
    meter: Meter,
    overload: Overload,
    traces: Traces,
}

/// The services as one connection sees them.
pub(crate) struct ConnectionRpc {
    rpc: Rc<Rpc>,
    origin: Origin,
}

/// The services of a worker, and the phase in which their streams end.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) cache: Arc<CacheRpcs>,
    pub(crate) health: HealthServer<Health>,
    pub(crate) reflection: ServerReflectionServer<Reflection>,
    pub(crate) phases: watch::Receiver<Phase>,
}

/// What bounds, counts and traces a worker's requests.
#[derive(Clone, Debug)]
pub(crate) struct WorkerContext {
    pub(crate) intake: IntakeLimits,
    pub(crate) meter: Meter,
    pub(crate) overload: Overload,
    pub(crate) traces: Traces,
}

impl Rpc {
    /// The services of one worker.
    pub(crate) fn new(services: Services, context: WorkerContext) -> Self {
        // Messages are unpacked before tonic sees them. Replies are never compressed: clients
        // may refuse that.
        let begins = Arc::new(Begins(services.cache.clone()));
        let cache = CacheServiceServer::from_arc(begins.clone())
            .max_decoding_message_size(context.intake.max_message_bytes);
        let second = CacheServer::from_arc(begins)
            .max_decoding_message_size(context.intake.max_message_bytes);
        let request_ids = RequestIds::new();
        Self {
            unary: UnaryCalls::new(
                services.cache,
                context.meter.clone(),
                request_ids.clone(),
                (context.intake.max_message_bytes, context.overload.clone()),
            ),
            cache: RefCell::new(cache),
            second: RefCell::new(second),
            health: RefCell::new(services.health),
            reflection: RefCell::new(services.reflection),
            phases: services.phases,
            request_ids,
            intake: context.intake,
            meter: context.meter,
            overload: context.overload,
            traces: context.traces,
        }
    }

    /// The services for a connection, whose calls a gate lets in.
    pub(crate) fn for_connection(
        self: &Rc<Self>,
        peer: Option<SocketAddr>,
        gate: Gate,
    ) -> ConnectionRpc {
        let origin = Origin {
            traces: self.traces.of_connection(peer),
            peer,
            gate,
            holdings: Arc::default(),
        };
        ConnectionRpc { rpc: self.clone(), origin }
    }

    /// Finds the service of a call.
    fn route(&self, request: Request<RequestBody>, coding: Coding) -> Routed {
        let cache = Form { coding, max: self.intake.max_message_bytes, single: true };
        let health = Form { coding, max: HEALTH_BYTES, single: true };
        let question = Form { coding, max: MAX_QUESTION_BYTES, single: false };
        let admit = |body| Messages::new(self.intake.admit(body), cache);
        // The path is `/package.Service/Method`.
        let service = request.uri().path().split('/').nth(1).unwrap_or_default();
        let known = matches!(Method::of(request.uri().path()), Method::Cache(_));
        Routed::Service(match service {
            // tonic says so without a word.
            SERVICE_NAME | SECOND_SERVICE_NAME if !known => {
                let text = format!("no such method of {service} on this server");
                return Routed::here(Status::unimplemented(text).into_http());
            }
            SERVICE_NAME => self.cache.borrow_mut().call(request.map(admit)),
            SECOND_SERVICE_NAME => self.second.borrow_mut().call(request.map(admit)),
            "grpc.health.v1.Health" => {
                let request = request.map(|body| Messages::new(body, health));
                self.until_drain(self.health.borrow_mut().call(request))
            }
            "grpc.reflection.v1.ServerReflection" | "grpc.reflection.v1alpha.ServerReflection" => {
                let request = request.map(|body| Messages::new(body, question));
                let request = reflection::as_v1(request);
                self.until_drain(self.reflection.borrow_mut().call(request))
            }
            _ => {
                let status = Status::unimplemented("no such service on this server");
                return Routed::here(status.into_http());
            }
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

/// A call that is let in: what its caller may do, and what it is answered when that is not enough.
#[derive(Default)]
struct LetIn {
    may: Uses,
    barred: Option<Box<Barred>>,
}

impl ConnectionRpc {
    /// Whether a call is let in, by its headers alone.
    fn let_in(
        &self,
        start: CallStart,
        headers: &HeaderMap,
        request_id: &HeaderValue,
    ) -> Result<LetIn, Status> {
        let Origin { gate, peer, .. } = &self.origin;
        let field = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
        let asked = Asked {
            need: need(start.method),
            authorization: field(AUTHORIZATION.as_str()),
            namespace: field(X_CACHE_NAMESPACE),
            at: start.at,
        };
        let rights = gate.check(&asked).map_err(|refusal| {
            let request_id = &request_id_text(request_id);
            gate.report(&refusal, Event { peer: *peer, method: start.method.name(), request_id });
            Status::from(Rejection::from(refusal))
        })?;
        let may = may(rights);
        let lacks = Uses::ALL.beyond(may);
        if lacks == Uses::default() || !matches!(start.method, Method::Cache(_)) {
            return Ok(LetIn { may, barred: None });
        }
        // The headers are gone when a command says what its message needs.
        let refusal = gate.check(&Asked { need: lacking(lacks), ..asked }).err();
        let barred =
            refusal.map(|refusal| Box::new(Barred { gate: gate.clone(), refusal, peer: *peer }));
        Ok(LetIn { may, barred })
    }
}

impl Answers for ConnectionRpc {
    const NAMES: &'static [&'static str] = &unary::NAMES;

    type Call = Call;
    type Body = ReplyBody;

    fn lane(head: &EngineHead) -> Lane {
        unary::lane(head)
    }

    fn answer(&self, request: Unary<'_>) -> Answered {
        self.rpc.unary.answer(request, &self.origin)
    }

    fn call(&self, mut request: Request<Incoming>) -> Call {
        let rpc = &self.rpc;
        let arrival = request.extensions().get::<Arrival>();
        let at = arrival.map_or_else(Instant::now, |arrival| arrival.came);
        let Head { timeout, verdict } = Head::take(&mut request);
        let method = match verdict {
            Verdict::Stranger(_) => Method::Other,
            Verdict::Call(_) | Verdict::Refused(_) => Method::of(request.uri().path()),
        };
        let start = CallStart { method, at };
        let span = self.origin.traces.begin(start, request.headers(), request.uri().path());
        let request_id = rpc.request_ids.take(request.headers());
        let metered = rpc.meter.enter(start);
        let deadline = timeout.and_then(|timeout| Deadline::after(timeout, at));
        let caller = Caller::of(&request, self.origin.peer);
        let let_in = match verdict {
            Verdict::Call(_) => self.let_in(start, request.headers(), &request_id),
            Verdict::Refused(_) | Verdict::Stranger(_) => Ok(LetIn::default()),
        };
        let (let_in, LetIn { may, barred }) = match let_in {
            Ok(let_in) => (Ok(()), let_in),
            Err(status) => (Err(status), LetIn::default()),
        };
        let terms = Terms {
            deadline: deadline.as_ref().map(|deadline| deadline.at().into_std()),
            is_traced: span.is_some(),
            records_keys: span.as_ref().is_some_and(RpcSpan::records_keys),
            may,
        };
        let exchange = Exchange::new(terms, self.origin.holdings.clone());
        let rest = Rest::default();
        request.extensions_mut().insert(exchange.clone());
        let request = request.map(|body| RequestBody::new(body, rest.clone(), exchange.clone()));
        // Probes, strangers and callers that are not let in take no place.
        let place = match method {
            Method::Cache(_) if let_in.is_ok() => rpc.overload.enter(),
            _ => Some(Place::FREE),
        };
        let routed = match (verdict, let_in) {
            // Dropped unread, but for what HTTP/2 has gathered: nothing of it is kept.
            (Verdict::Call(_), Err(status)) => Routed::here(status.into_http()),
            (Verdict::Call(_), Ok(())) if place.is_none() => {
                Routed::here(rpc.overload.refuse().into_http())
            }
            (Verdict::Call(coding), Ok(())) => rpc.route(request, coding),
            (Verdict::Refused(response) | Verdict::Stranger(response), _) => Routed::here(response),
        };
        Call {
            routed,
            deadline,
            span,
            panicked: false,
            request_id,
            caller,
            metered,
            _place: place,
            exchange,
            barred,
            rest,
            waiting: None,
        }
    }
}

impl hyper::service::Service<Request<hyper::body::Incoming>> for ConnectionRpc {
    type Response = Response<ReplyBody>;
    type Error = Infallible;
    type Future = Unfailing;

    fn call(&self, request: Request<hyper::body::Incoming>) -> Unfailing {
        Unfailing(Answers::call(self, request.map(Incoming::ByHyper)))
    }
}

/// A call as hyper wants it.
pub(crate) struct Unfailing(Call);

impl Future for Unfailing {
    type Output = Result<Response<ReplyBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(Ok)
    }
}

//! A request in flight: lets its service answer until the deadline, and reports how that went.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    mem,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use http::{HeaderValue, Response};
use tonic::{Status, body::Body};

use super::{
    caller::Caller,
    deadline::{self, Deadline},
    meter::Metered,
    outcome::Outcome,
    overload::Place,
    reply::{self, Answered, ReplyBody},
    request_body::{Rest, Unread},
};
use crate::{
    access::{Event, Gate, Refusal},
    call::{Exchange, UnderWay, Uses, request_id_text},
    rejection::Rejection,
    telemetry::{RpcSpan, TRACERESPONSE},
};

/// What a service makes of a request.
pub(super) type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// A request in flight.
pub(crate) struct Call {
    pub(super) routed: Routed,
    pub(super) deadline: Option<Deadline>,
    pub(super) span: Option<RpcSpan>,
    pub(super) panicked: bool,
    pub(super) request_id: HeaderValue,
    pub(super) caller: Option<Box<Caller>>,
    /// Held until the reply's headers, or until the request is given up.
    pub(super) metered: Metered,
    /// Likewise.
    pub(super) _place: Option<Place>,
    /// What tonic does not let through.
    pub(super) exchange: Exchange,
    /// The judge of its connection, and what that answers if the message needs a right that the
    /// caller lacks.
    pub(super) barred: Option<Box<Barred>>,
    /// The rest of a request that is refused before it was read.
    pub(super) rest: Rest,
    /// The reply, until that rest is read.
    pub(super) waiting: Option<Box<Unread<ReplyBody>>>,
}

/// The answer to a message that needs more than its RPC alone.
pub(super) struct Barred {
    pub(super) gate: Gate,
    pub(super) refusal: Refusal,
    pub(super) peer: Option<SocketAddr>,
}

/// Where the answer comes from.
pub(super) enum Routed {
    /// A service of tonic's.
    Service(Answer),
    /// What a service has begun.
    Command(UnderWay),
    /// Boxed, since it is much larger than what a call in flight has.
    Here(Box<Ready<Response<Body>>>),
}

impl Routed {
    pub(super) fn here(response: Response<Body>) -> Self {
        Self::Here(Box::new(ready(response)))
    }
}

impl Future for Call {
    type Output = Response<ReplyBody>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.waiting.is_none() {
            let response = ready!(this.poll_response(cx));
            let reply = this.answered(response);
            let Some(body) = this.rest.take() else {
                return Poll::Ready(reply);
            };
            let deadline = this.deadline.as_ref().map(Deadline::at);
            this.waiting = Some(Box::new(Unread::new(body, reply, deadline)));
        }
        let waiting = this.waiting.as_mut().expect("it was just set where it was not");
        Pin::new(&mut **waiting).poll(cx)
    }
}

impl Call {
    /// Lets the service answer, until the deadline.
    fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        if let Routed::Here(response) = &mut self.routed {
            return Pin::new(response).poll(cx);
        }
        if self.deadline.as_mut().is_some_and(Deadline::is_over) {
            return Poll::Ready(self.late());
        }
        // A panic costs the request that met it. What a handler may have left half done is
        // its own: the store's locks are free again, and guard no data.
        let polled = catch_unwind(AssertUnwindSafe(|| self.poll_routed(cx)));
        match polled {
            Ok(Poll::Ready(response)) => Poll::Ready(response),
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

    /// Lets the service answer, and carries out the command that it has begun.
    fn poll_routed(&mut self, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        match &mut self.routed {
            Routed::Here(response) => Pin::new(response).poll(cx),
            Routed::Service(answer) => {
                let Ok(response) = ready!(answer.as_mut().poll(cx));
                let Some(command) = self.exchange.take_command() else {
                    return Poll::Ready(response);
                };
                self.routed = Routed::Command(command);
                self.poll_routed(cx)
            }
            Routed::Command(command) => {
                let (done, report) = ready!(command.as_mut().poll(cx));
                self.exchange.leave(report);
                Poll::Ready(done.map_or_else(Status::into_http, reply::in_segments))
            }
        }
    }

    /// Gives the request up, with all that it holds. What is left of it is not waited for.
    fn late(&mut self) -> Response<Body> {
        self.routed = Routed::here(Response::new(Body::empty()));
        self.rest.take();
        deadline::exceeded().into_http()
    }

    /// Finishes the reply, and tells metrics, trace and log of it.
    fn answered(&mut self, mut response: Response<Body>) -> Response<ReplyBody> {
        let mut report = self.exchange.take();
        let mut handed = mem::take(&mut report.handed);
        let trips = handed.take_trips();
        if report.lacks != Uses::default()
            && let Some(barred) = self.barred.take()
        {
            let Barred { gate, refusal, peer } = *barred;
            let request_id = &*request_id_text(&self.request_id);
            let method = self.metered.start().method.name();
            gate.report(&refusal, Event { peer, method, request_id });
            response = Status::from(Rejection::from(refusal)).into_http();
        }
        // tonic calls a message that it cannot decode INTERNAL, and no handler gets it.
        let handled = report.facts.request_bytes.is_some() || self.panicked;
        let Answered { code, hidden, mut reply } =
            reply::finish(response, &self.request_id, handled, handed);
        let outcome = Outcome {
            start: self.metered.start(),
            ended: Instant::now(),
            request_id: &request_id_text(&self.request_id),
            code,
            report,
            trips,
            hidden,
            panicked: self.panicked,
        };
        let (caller, metered) = (self.caller.take(), &mut self.metered);
        let response = outcome.report(
            self.span.take(),
            || caller.map(|caller| *caller),
            |measured| metered.end(measured),
        );
        reply.headers_mut().extend(response.map(|response| (TRACERESPONSE, response)));
        reply
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
        task::Waker,
    };

    use tiny_cache_proto::method::CacheMethod;

    use super::*;
    use crate::{
        call::{CallStart, Facts, Method, Report, X_REQUEST_ID},
        rpc::Meter,
    };

    /// A Get with the request id `id-7`, and what its service answers.
    fn get(answer: Answer, exchange: &Exchange, meter: &Meter) -> Call {
        Call {
            routed: Routed::Service(answer),
            deadline: None,
            span: None,
            panicked: false,
            request_id: HeaderValue::from_static("id-7"),
            caller: None,
            metered: meter.enter(CallStart::now(Method::Cache(CacheMethod::Get))),
            _place: None,
            exchange: exchange.clone(),
            barred: None,
            rest: Rest::default(),
            waiting: None,
        }
    }

    #[tokio::test]
    async fn a_panic_costs_the_request_that_met_it_and_says_nothing_of_itself() {
        let meter = Meter::default();
        let panics = Box::pin(async { panic!("the secret of a handler") });
        let call = get(panics, &Exchange::default(), &meter);
        assert_eq!(meter.active(), 1);
        let response = call.await;
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
        let exchange = Exchange::default();
        let left = exchange.clone();
        let answer = async move {
            let facts = Facts { request_bytes: Some(3), ..Facts::default() };
            left.leave(Report { facts, ..Report::default() });
            Ok(Status::internal("index 7 out of bounds").into_http())
        };
        let meter = Meter::default();
        let mut call = get(Box::pin(answer), &exchange, &meter);
        tracing::subscriber::with_default(subscriber, || {
            let polled = Pin::new(&mut call).poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(response) = polled else { panic!("it has answered") };
            assert_eq!(response.headers()["grpc-status"], "13");
        });
        let lines = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let line: serde_json::Value = serde_json::from_str(lines.trim()).unwrap();
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["fields"]["request_id"], "id-7");
        assert_eq!(line["fields"]["hidden"], "index 7 out of bounds");
    }
}

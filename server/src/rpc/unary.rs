//! The short way of a call: its message is there as a whole, and it is answered at once, without a
//! future, tonic or HTTP's types.
//!
//! Only what is regular goes this way. Whatever else comes, such as a compressed message or a head
//! that is to be refused, takes the long way, which words every refusal.

use std::{
    cell::{Cell, RefCell},
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, header};
use tiny_cache_http2::{Block, Body, FieldName, Head, Lane, Reply};
use tiny_cache_proto::{PREFIX_BYTES, X_CACHE_NAMESPACE, X_REQUEST_ID, method::CacheMethod};
use tonic::{Code, Status};

use super::{
    caller::{Caller, Origin},
    deadline,
    head::is_grpc,
    meter::{Measured, Meter},
    need::{lacking, may, need},
    outcome::Outcome,
    overload::Overload,
    reply::{self, Answered as Finished},
};
use crate::{
    access::{Asked, Event, Refusal},
    call::{
        CallStart, EMPTY_ID, Handed, Method, ReplyWriter, Report, RequestIds, Terms, Trips, Uses,
    },
    rejection::Rejection,
    service::{CacheRpcs, Encoded, Whole},
    telemetry::{Carrier, RpcSpan, TRACERESPONSE},
    transport::{Answered, HEADER_LIST_BYTES, ReplyTo, Unary},
};

/// The fields that are read, by their places.
pub(super) const NAMES: [&str; 8] = [
    X_CACHE_NAMESPACE,
    "authorization",
    "content-type",
    "grpc-encoding",
    "grpc-timeout",
    X_REQUEST_ID,
    "traceparent",
    "tracestate",
];

/// Places of the fields of which there may be one value: those of `head::SINGLE`.
const SINGLE_PLACES: Range<usize> = 0..5;

const NAMESPACE: usize = 0;
const AUTHORIZATION: usize = 1;
const CONTENT_TYPE: usize = 2;
const ENCODING: usize = 3;
const TIMEOUT: usize = 4;
const REQUEST_ID: usize = 5;
const PARENT: usize = 6;
const STATE: usize = 7;

/// Calls of the contract come whole, if they are small.
pub(super) fn lane(head: &Head) -> Lane {
    match method(head) {
        Some(_) => Lane::Whole,
        None => Lane::Stream,
    }
}

fn method(head: &Head) -> Option<CacheMethod> {
    CacheMethod::of(std::str::from_utf8(head.path()).ok()?).filter(|_| head.method() == b"POST")
}

/// What answers the calls of a worker, one after another.
#[derive(Debug)]
pub(super) struct UnaryCalls {
    rpcs: Arc<CacheRpcs>,
    meter: Meter,
    request_ids: RequestIds,
    max_message_bytes: usize,
    overload: Overload,
    head: Block,
    ok: Block,
    request_id: FieldName,
    traceresponse: FieldName,
    message: RefCell<ReplyWriter>,
    clock: Clock,
}

/// Times the calls of a turn with one look each: a call begins when the one before it has ended.
#[derive(Debug)]
struct Clock {
    turn: Cell<Instant>,
    last: Cell<Instant>,
}

impl Clock {
    fn new() -> Self {
        let now = Instant::now();
        Self { turn: Cell::new(now), last: Cell::new(now) }
    }

    /// The beginning of a call that came in this turn, or before it.
    fn begin(&self, came: Instant, turn: Instant) -> Instant {
        if self.turn.replace(turn) != turn {
            self.last.set(turn);
        }
        if came == turn { self.last.get() } else { came }
    }

    fn end(&self) -> Instant {
        self.last.set(Instant::now());
        self.last.get()
    }
}

/// What is regular in a request: the call that it makes.
struct Regular<'a> {
    method: CacheMethod,
    timeout: Option<Duration>,
    message: Encoded<'a>,
}

impl<'a> Regular<'a> {
    fn of(head: &'a Head, body: &'a [u8], max_message_bytes: usize) -> Option<Self> {
        let method = method(head)?;
        let is_identity = head.kept(ENCODING).is_none_or(|coding| coding == b"identity");
        let is_single = !SINGLE_PLACES.into_iter().any(|place| head.is_repeated(place));
        let fits = head.metadata_bytes() <= HEADER_LIST_BYTES;
        if !(is_identity && is_single && fits && head.kept(CONTENT_TYPE).is_some_and(is_grpc)) {
            return None;
        }
        let timeout = match head.kept(TIMEOUT) {
            Some(text) => Some(deadline::parse(text)?),
            None => None,
        };
        let (prefix, bytes) = body.split_first_chunk::<PREFIX_BYTES>()?;
        let [flag, length @ ..] = *prefix;
        let is_whole = flag == 0 && u32::from_be_bytes(length) as usize == bytes.len();
        let namespace = head.kept(NAMESPACE);
        (is_whole && bytes.len() <= max_message_bytes).then_some(Self {
            method,
            timeout,
            message: Encoded { namespace, bytes },
        })
    }
}

/// The caller's span, in the fields of a head.
struct Fields<'a>(&'a Head);

impl Carrier for Fields<'_> {
    fn parents(&self) -> impl Iterator<Item = &[u8]> {
        self.0.all_kept(PARENT)
    }

    fn states(&self) -> impl Iterator<Item = &[u8]> {
        self.0.all_kept(STATE)
    }
}

/// How a call ended.
enum Done {
    /// Its reply is written.
    Ok,
    Refused(Rejection),
    Late,
    Panicked,
    /// It was not let in.
    Barred(Refusal),
}

impl UnaryCalls {
    pub(super) fn new(
        rpcs: Arc<CacheRpcs>,
        meter: Meter,
        request_ids: RequestIds,
        (max_message_bytes, overload): (usize, Overload),
    ) -> Self {
        Self {
            rpcs,
            meter,
            request_ids,
            max_message_bytes,
            overload,
            head: Block::status(200).field(header::CONTENT_TYPE.as_str(), "application/grpc"),
            ok: Block::empty().field("grpc-status", "0"),
            request_id: FieldName::new(X_REQUEST_ID),
            traceresponse: FieldName::new(TRACERESPONSE.as_str()),
            message: RefCell::new(ReplyWriter::new()),
            clock: Clock::new(),
        }
    }

    /// Answers a call, unless it has to take the long way.
    pub(super) fn answer(&self, request: Unary<'_>, origin: &Origin) -> Answered {
        let Unary { head, body, came, turn, reply } = request;
        let Some(regular) = Regular::of(head, body, self.max_message_bytes) else {
            return Answered::No;
        };
        // The long way has the words.
        if self.overload.is_full() {
            return Answered::No;
        }
        let start =
            CallStart { method: Method::Cache(regular.method), at: self.clock.begin(came, turn) };
        let mut call = Call { calls: self, origin, head, start, span: None };
        let mut message = self.message.borrow_mut();
        message.clear();
        let carried_out = match origin.gate.check(&call.asked()) {
            Ok(rights) => call.carry_out(&regular, (came, may(rights)), &mut message),
            Err(refusal) => {
                call.begin_span();
                Some((Done::Barred(refusal), Report::default()))
            }
        };
        let Some((done, report)) = carried_out else { return Answered::No };
        let mut made = EMPTY_ID;
        let outcome = Outcome {
            start,
            ended: self.clock.end(),
            request_id: self.request_ids.choose(head.kept(REQUEST_ID), &mut made),
            code: Code::Ok,
            report,
            trips: Trips::default(),
            hidden: None,
            panicked: matches!(done, Done::Panicked),
        };
        match done {
            Done::Ok => call.send(reply, outcome, &mut message),
            Done::Refused(rejection) => call.refuse(reply, outcome, rejection.into()),
            Done::Late => call.refuse(reply, outcome, deadline::exceeded()),
            Done::Panicked => call.refuse(reply, outcome, Status::internal("")),
            Done::Barred(refusal) => {
                let (peer, request_id) = (origin.peer, outcome.request_id);
                origin
                    .gate
                    .report(&refusal, Event { peer, method: start.method.name(), request_id });
                call.refuse(reply, outcome, Rejection::from(refusal).into());
            }
        }
        Answered::Yes
    }
}

/// A call that is answered at once.
struct Call<'a> {
    calls: &'a UnaryCalls,
    origin: &'a Origin,
    head: &'a Head,
    start: CallStart,
    /// Begun when the message is decoded.
    span: Option<RpcSpan>,
}

impl Call<'_> {
    /// What is judged of it before anything of its message is read.
    fn asked(&self) -> Asked<'_> {
        Asked {
            need: need(self.start.method),
            authorization: self.head.kept(AUTHORIZATION),
            namespace: self.head.kept(NAMESPACE),
            at: self.start.at,
        }
    }

    /// Decodes the message and runs its command. `None`: it is no message, and nothing was done.
    fn carry_out(
        &mut self,
        call: &Regular<'_>,
        (came, may): (Instant, Uses),
        reply: &mut ReplyWriter,
    ) -> Option<(Done, Report)> {
        // A deadline beyond the clock's range is none.
        let deadline = call.timeout.and_then(|timeout| came.checked_add(timeout));
        if deadline.is_some_and(|deadline| self.start.at >= deadline) {
            self.begin_span();
            return Some((Done::Late, Report::default()));
        }
        let rpcs = &self.calls.rpcs;
        // A panic costs the request that met it. What a command may have left half done is its
        // own: the store's locks are free again, and guard no data.
        let answered = catch_unwind(AssertUnwindSafe(|| {
            // What is answered at once asks no second tier, of which its span would tell.
            let begin =
                || Terms { deadline, is_traced: false, records_keys: self.begin_span(), may };
            rpcs.answer_whole(call.method, call.message, begin, reply)
        }));
        Some(match answered {
            Ok(None) => return None,
            Ok(Some(Whole { done: Ok(()), report })) => (Done::Ok, report),
            Ok(Some(Whole { done: Err(Rejection::Lacks), report })) => {
                // The words are the gate's. It knows other rights by now if the rules were read
                // again just then: the long way begins anew.
                let asked = Asked { need: lacking(report.lacks), ..self.asked() };
                (Done::Barred(self.origin.gate.check(&asked).err()?), report)
            }
            Ok(Some(Whole { done: Err(rejection), report })) => (Done::Refused(rejection), report),
            Err(_panic) => (Done::Panicked, Report::default()),
        })
    }

    /// Begins the span of a call that is sampled. Returns whether it records keys.
    fn begin_span(&mut self) -> bool {
        // The path of a method that is served is not recorded.
        self.span = self.origin.traces.begin(self.start, &Fields(self.head), "");
        self.span.as_ref().is_some_and(RpcSpan::records_keys)
    }

    fn report(&mut self, outcome: Outcome<'_>) -> Option<HeaderValue> {
        let caller = || Some(Caller::new(self.head.kept(NAMESPACE), self.origin.peer));
        let count = |measured: Measured<'_>| self.calls.meter.count(self.start, measured);
        outcome.report(self.span.take(), caller, count)
    }

    /// Sends the reply whose message is written.
    fn send(&mut self, reply: ReplyTo<'_>, outcome: Outcome<'_>, message: &mut ReplyWriter) {
        let UnaryCalls { head, ok, request_id, traceresponse, .. } = self.calls;
        let id = (request_id, outcome.request_id.as_bytes());
        let response = self.report(outcome);
        let body = match message.finish() {
            Some(whole) => Body::Copied(whole),
            None => Body::Lent(message.take().into_frames().collect()),
        };
        let all = [id, (traceresponse, response.as_ref().map_or(b"", |value| value.as_bytes()))];
        let fields = if response.is_some() { &all[..] } else { &all[..1] };
        reply.send(Reply { head, fields, body, trailers: ok, trailer_fields: &[] });
    }

    /// Answers with an error, in the form that the long way gives it.
    fn refuse(&mut self, reply: ReplyTo<'_>, outcome: Outcome<'_>, status: Status) {
        let id = HeaderValue::from_str(outcome.request_id).expect("an id is valid in a header");
        let Finished { code, hidden, reply: mut refusal } =
            reply::finish(status.into_http(), &id, true, Handed::default());
        let response = self.report(Outcome { code, hidden, ..outcome });
        refusal.headers_mut().extend(response.map(|response| (TRACERESPONSE, response)));
        reply.send_headers(&refusal);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::head::SINGLE, *};

    #[test]
    fn what_there_may_be_one_of_has_the_first_places() {
        let singles = SINGLE.map(|name| name.as_str().to_owned());
        assert_eq!(NAMES[SINGLE_PLACES], singles);
        assert_eq!((NAMES[TIMEOUT], NAMES[NAMESPACE]), ("grpc-timeout", X_CACHE_NAMESPACE));
        assert_eq!(NAMES[AUTHORIZATION], "authorization");
        assert_eq!((NAMES[REQUEST_ID], NAMES[STATE]), (X_REQUEST_ID, "tracestate"));
    }

    #[test]
    fn calls_of_one_turn_follow_one_another() {
        let clock = Clock::new();
        let turn = Instant::now();
        assert_eq!(clock.begin(turn, turn), turn);
        let ended = clock.end();
        assert_eq!(clock.begin(turn, turn), ended);
        let next = Instant::now();
        assert_eq!(clock.begin(turn, next), turn, "one whose body came late began with its head");
        assert_eq!(clock.begin(next, next), next);
    }
}

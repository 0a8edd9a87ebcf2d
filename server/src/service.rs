//! The RPCs of the contract: runs each one's command in the namespace of the caller, and reports on
//! it. Tonic's service and the short way of a message that is there as a whole share all of it.

use futures::FutureExt;
use prost::Message;
use tiny_cache_proto::{
    X_CACHE_NAMESPACE, cache::cache_service_server::CacheService, key::Namespace,
    method::CacheMethod,
};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    call::{Exchange, ReplyMessage, Report, RequestMessage, Segments, Terms},
    command::{
        Bounds, Command, CompareAndSet, Context, Delete, GROUP, Get, MultiDelete, MultiGet,
        MultiSet, Set, SetIfAbsent, Stats,
    },
    rejection::Rejection,
    store::StoreHandle,
};

/// The RPCs of the contract, over one worker's handle of the store.
#[derive(Debug)]
pub(crate) struct CacheRpcs {
    store: StoreHandle,
    bounds: Bounds,
}

/// The table of RPCs: one row for each, with its name in the trait and its command.
macro_rules! serve {
    ($($rpc:ident: $command:ident;)*) => {
        #[async_trait]
        impl CacheService for CacheRpcs {
            $(
                async fn $rpc(
                    &self,
                    request: Request<<$command as Command>::Request>,
                ) -> Result<Response<<$command as Command>::Reply>, Status> {
                    self.answer::<$command>(request).await
                }
            )*
        }

        impl CacheRpcs {
            /// Answers a message that is there as a whole, and writes the reply's into `reply`.
            /// `begin` is asked for the terms of the call once the message is decoded. `None`:
            /// it is no message of the RPC, or too long for one go, and nothing was done.
            pub(crate) fn answer_whole(
                &self,
                method: CacheMethod,
                message: Encoded<'_>,
                begin: impl FnOnce() -> Terms,
                reply: &mut Vec<u8>,
            ) -> Option<Whole> {
                match method {
                    $(CacheMethod::$command => self.whole::<$command>(message, begin, reply),)*
                }
            }
        }
    };
}

/// A message as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoded<'a> {
    /// The namespace that the caller named, if any.
    pub(crate) namespace: Option<&'a str>,
    pub(crate) bytes: &'a [u8],
}

/// How a message was answered.
#[derive(Debug)]
pub(crate) struct Whole {
    /// The segments of a large reply. A small one is written.
    pub(crate) done: Result<Option<Segments>, Rejection>,
    pub(crate) report: Report,
}

serve! {
    get: Get;
    multi_get: MultiGet;
    set: Set;
    set_if_absent: SetIfAbsent;
    compare_and_set: CompareAndSet;
    multi_set: MultiSet;
    delete: Delete;
    multi_delete: MultiDelete;
    stats: Stats;
}

impl CacheRpcs {
    pub(crate) fn new(store: StoreHandle, bounds: Bounds) -> Self {
        Self { store, bounds }
    }

    fn whole<C: Command>(
        &self,
        Encoded { namespace, bytes }: Encoded<'_>,
        begin: impl FnOnce() -> Terms,
        reply: &mut Vec<u8>,
    ) -> Option<Whole> {
        let message = C::Request::decode(bytes).ok()?;
        if message.keys().len() > GROUP {
            return None;
        }
        let report = Report::of_request(&message, bytes.len());
        let answered = self.run::<C>(namespace, begin(), message, report).now_or_never();
        let (done, mut report) = answered.expect("no command lets others go first within a group");
        let done = done.map(|message| {
            let segments = message.segments();
            let before = reply.len();
            if segments.is_none() {
                message.encode(reply).expect("a Vec takes all that is written to it");
            }
            let bytes = segments.as_ref().map_or(reply.len() - before, Segments::bytes);
            report.add_reply(&message, bytes);
            segments
        });
        Some(Whole { done, report })
    }

    /// Answers one of tonic's requests.
    async fn answer<C: Command>(
        &self,
        request: Request<C::Request>,
    ) -> Result<Response<C::Reply>, Status> {
        let (metadata, mut extensions, message) = request.into_parts();
        let exchange: Exchange = extensions.remove().unwrap_or_default();
        // Bytes that are no text are no namespace either; "?" is none.
        let namespace = metadata.get(X_CACHE_NAMESPACE).map(|text| text.to_str().unwrap_or("?"));
        let report = Report::of_request(&message, message.encoded_len());
        let (done, mut report) = self.run::<C>(namespace, exchange.terms, message, report).await;
        if let Ok(reply) = &done {
            report.add_reply(reply, reply.encoded_len());
        }
        exchange.leave(report);
        let reply = done?;
        let segments = reply.segments();
        let mut response = Response::new(reply);
        if let Some(segments) = segments {
            response.extensions_mut().insert(segments);
        }
        Ok(response)
    }

    /// Runs a command in the namespace that the caller named, if any, and adds its keys to the
    /// report where they are asked for.
    async fn run<C: Command>(
        &self,
        namespace: Option<&str>,
        terms: Terms,
        message: C::Request,
        mut report: Report,
    ) -> (Result<C::Reply, Rejection>, Report) {
        let namespace = match namespace.map_or(Ok(Namespace::SHARED), Namespace::parse) {
            Ok(namespace) => namespace,
            Err(invalid) => return (Err(invalid.into()), report),
        };
        if terms.records_keys {
            report.add_keys(namespace.as_str(), &message);
        }
        let deadline = terms.deadline;
        let context = Context { store: &self.store, namespace, bounds: self.bounds, deadline };
        let done = C::run(&context, message).await;
        match &done {
            // The store counts what it refuses itself.
            Ok(_) | Err(Rejection::Store(_)) => {}
            Err(_) => self.store.count_refusal(namespace),
        }
        (done, report)
    }
}

//! The RPCs of the contract: runs each one's command in the namespace of the caller, and reports on
//! it. Tonic's service and the short way of a message that is there as a whole share all of it.

use futures::FutureExt;
use prost::Message;
use tiny_cache_proto::{
    X_CACHE_NAMESPACE,
    cache::{
        CacheItem, CacheKey, CacheResponse, CacheStats, CacheValue, CompareAndSetRequest,
        ConditionalCacheResponse, Empty, MultiCacheItemRequest, MultiCacheKeyRequest,
        MultiCacheResponse, MultiCacheValueResponse, cache_service_server::CacheService,
    },
    key::Namespace,
    method::CacheMethod,
};
use tonic::{Extensions, Request, Response, Status, async_trait, metadata::MetadataMap};

use crate::{
    call::{Exchange, ReplyMessage, ReplyWriter, Report, RequestMessage, Segments, Terms},
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

/// The table of RPCs: one row for each, with its name in tonic's trait, its command and the
/// messages that tonic knows it by.
macro_rules! serve {
    ($($rpc:ident: $command:ident($message:ident) -> $reply:ident;)*) => {
        #[async_trait]
        impl CacheService for CacheRpcs {
            $(
                async fn $rpc(
                    &self,
                    request: Request<$message>,
                ) -> Result<Response<$reply>, Status> {
                    let (metadata, extensions, message) = request.into_parts();
                    let bytes = message.encoded_len();
                    let request = (&message).into();
                    let answered = self.answer::<$command>(&metadata, extensions, request, bytes);
                    Ok(in_segments(answered.await?))
                }
            )*
        }

        impl CacheRpcs {
            /// Answers a message that is there as a whole, and writes the reply's. `begin` is asked
            /// for the terms of the call once the message is decoded. `None`: it is no message of
            /// the RPC, or an unusual one, or too long for one go, and nothing was done.
            pub(crate) fn answer_whole(
                &self,
                method: CacheMethod,
                message: Encoded<'_>,
                begin: impl FnOnce() -> Terms,
                reply: &mut ReplyWriter,
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

/// What a command is asked.
struct Asked<'a, R> {
    /// The namespace that the caller named, if any.
    namespace: Option<&'a str>,
    terms: Terms,
    /// Bytes of the message.
    bytes: usize,
    request: R,
}

/// How a message was answered.
#[derive(Debug)]
pub(crate) struct Whole {
    /// Whether there is a reply. It is written then.
    pub(crate) done: Result<(), Rejection>,
    pub(crate) report: Report,
}

serve! {
    get: Get(CacheKey) -> CacheValue;
    multi_get: MultiGet(MultiCacheKeyRequest) -> MultiCacheValueResponse;
    set: Set(CacheItem) -> CacheResponse;
    set_if_absent: SetIfAbsent(CacheItem) -> ConditionalCacheResponse;
    compare_and_set: CompareAndSet(CompareAndSetRequest) -> ConditionalCacheResponse;
    multi_set: MultiSet(MultiCacheItemRequest) -> MultiCacheResponse;
    delete: Delete(CacheKey) -> CacheResponse;
    multi_delete: MultiDelete(MultiCacheKeyRequest) -> MultiCacheResponse;
    stats: Stats(Empty) -> CacheStats;
}

/// A reply whose message is written, and not to be encoded by tonic: it never encodes what is
/// dropped first (`rpc/reply.rs`).
fn in_segments<M: Default>(message: Segments) -> Response<M> {
    let mut response = Response::new(M::default());
    response.extensions_mut().insert(message);
    response
}

impl CacheRpcs {
    pub(crate) fn new(store: StoreHandle, bounds: Bounds) -> Self {
        Self { store, bounds }
    }

    fn whole<C: Command>(
        &self,
        Encoded { namespace, bytes }: Encoded<'_>,
        begin: impl FnOnce() -> Terms,
        reply: &mut ReplyWriter,
    ) -> Option<Whole> {
        let request = C::Request::decode(bytes)?;
        if request.keys().len() > GROUP {
            return None;
        }
        let asked = Asked { namespace, terms: begin(), bytes: bytes.len(), request };
        let answered = self.run::<C>(asked, reply).now_or_never();
        let (done, report) = answered.expect("no command lets others go first within a group");
        Some(Whole { done, report })
    }

    /// Answers one of tonic's requests, whose message has so many bytes.
    async fn answer<'a, C: Command>(
        &'a self,
        metadata: &'a MetadataMap,
        mut extensions: Extensions,
        request: C::Request<'a>,
        bytes: usize,
    ) -> Result<Segments, Status> {
        let exchange: Exchange = extensions.remove().unwrap_or_default();
        // Bytes that are no text are no namespace either; "?" is none.
        let namespace = metadata.get(X_CACHE_NAMESPACE).map(|text| text.to_str().unwrap_or("?"));
        let mut reply = ReplyWriter::new();
        let asked = Asked { namespace, terms: exchange.terms, bytes, request };
        let (done, report) = self.run::<C>(asked, &mut reply).await;
        exchange.leave(report);
        done?;
        Ok(reply.take())
    }

    /// Runs a command, and writes its reply. Reports on both, with the keys where they are asked
    /// for.
    async fn run<'a, C: Command>(
        &'a self,
        Asked { namespace, terms, bytes, request }: Asked<'a, C::Request<'a>>,
        reply: &mut ReplyWriter,
    ) -> (Result<(), Rejection>, Report) {
        let mut report = Report::of_request(&request, bytes);
        let namespace = match namespace.map_or(Ok(Namespace::SHARED), Namespace::parse) {
            Ok(namespace) => namespace,
            Err(invalid) => return (Err(invalid.into()), report),
        };
        if terms.records_keys {
            report.add_keys(namespace.as_str(), &request);
        }
        let deadline = terms.deadline;
        let context = Context { store: &self.store, namespace, bounds: self.bounds, deadline };
        let done = match C::run(&context, request).await {
            Ok(answer) => {
                answer.write(reply);
                report.add_reply(&answer, reply.len());
                Ok(())
            }
            // The store counts what it refuses itself.
            Err(refused @ Rejection::Store(_)) => Err(refused),
            Err(rejection) => {
                self.store.count_refusal(namespace);
                Err(rejection)
            }
        };
        (done, report)
    }
}

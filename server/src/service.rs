//! The RPCs of both services: runs each one's command in the namespace of the caller, within its
//! quota of requests, and reports on it. Two ways lead to a command:
//!
//! ```text
//! a message that is there as a whole        any other, and what the short way leaves
//!   answer_whole                              Begins: tonic reads the message
//!     whole: decode                             answer
//!       ├─ with a tier: near ──┐                  │
//!       └─ else: prepare       │                prepare
//!                 carry_out    │                  carry_out, which may wait
//!                   conclude ◄─┘                    conclude
//! ```
//!
//! On the short way `None` is for the other way to take: the message is unusual or long, or not all
//! of it is near. Nothing was done then.

use std::sync::Arc;

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
    v1::{
        AddReply, AddRequest, BatchReply, BatchRequest, DescribeReply, DescribeRequest,
        HotKeysReply, HotKeysRequest, InvalidateReply, InvalidateRequest, ReadReply, ReadRequest,
        ReleaseReply, ReleaseRequest, RemoveReply, RemoveRequest, ScanReply, ScanRequest,
        WhatIfReply, WhatIfRequest, WriteReply, WriteRequest, cache_server::Cache,
    },
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait, metadata::MetadataMap};

use crate::{
    access::{Need, Right},
    call::{
        Exchange, Hands, ReplyMessage, ReplyWriter, Report, RequestMessage, Segments, Terms, Uses,
    },
    command::{
        Bounds, Command, CompareAndSet, Context, Delete, GROUP, Get, MultiDelete, MultiGet,
        MultiSet, Set, SetIfAbsent, Stats,
        v1::{
            Add, Batch, Describe, HotKeys, Invalidate, Read, Release, Remove, Scan, WhatIf, Write,
        },
    },
    pinned::{self, LENT_BYTES, Pressure},
    rejection::Rejection,
    store::StoreHandle,
    tier::Tier,
};

/// The RPCs of both services, over one worker's handle of the store.
#[derive(Debug)]
pub(crate) struct CacheRpcs {
    store: StoreHandle,
    /// `None`: the store has everything.
    tier: Option<Tier>,
    bounds: Bounds,
    /// Set when nobody may wait any more.
    drain: CancellationToken,
}

/// The table of RPCs by service: one row for each, with its name in tonic's trait, its command, the
/// messages that tonic knows it by, and what it needs of its caller.
macro_rules! serve {
    ($($service:ident {
        $($rpc:ident: $command:ident($message:ident) -> $reply:ident, $need:expr;)*
    })*) => {
        /// What an RPC needs of its caller.
        pub(crate) fn need(method: CacheMethod) -> Need {
            match method {
                $($(CacheMethod::$command => $need,)*)*
            }
        }

        $(#[async_trait]
        impl $service for Begins {
            $(
                async fn $rpc(
                    &self,
                    request: Request<$message>,
                ) -> Result<Response<$reply>, Status> {
                    let (metadata, mut extensions, message) = request.into_parts();
                    let exchange: Exchange = extensions.remove().unwrap_or_default();
                    let call = Begun::of(&metadata, &exchange, message.encoded_len());
                    let rpcs = self.0.clone();
                    exchange.begin(async move {
                        rpcs.answer::<$command>(&call, (&message).into()).await
                    });
                    // Not encoded, since the body is never asked for.
                    Ok(Response::new($reply::default()))
                }
            )*
        })*

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
                    $($(CacheMethod::$command => {
                        self.whole::<$command>(message, begin, reply)
                    })*)*
                }
            }
        }
    };
}

const READ: Need = Need::Namespace(Right::Read);
const WRITE: Need = Need::Namespace(Right::Write);
/// The message says what it needs.
const ANY: Need = Need::AnyInNamespace;
/// They are those of all callers.
const FIGURES: Need = Need::Server(Right::Administer);

/// A message as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoded<'a> {
    /// The namespace that the caller named, if any.
    pub(crate) namespace: Option<&'a [u8]>,
    pub(crate) bytes: &'a [u8],
}

/// The services as tonic knows them. It reads a message, and the command on it is begun here and
/// carried out when tonic's part is over ([`Exchange`]): a call that waits holds nothing of tonic's.
#[derive(Clone, Debug)]
pub(crate) struct Begins(pub(crate) Arc<CacheRpcs>);

/// What a command needs of the call that began it.
struct Begun {
    namespace: Option<Box<[u8]>>,
    terms: Terms,
    hands: Hands,
    /// Bytes of the message.
    bytes: usize,
}

impl Begun {
    fn of(metadata: &MetadataMap, exchange: &Exchange, bytes: usize) -> Self {
        let namespace = metadata.get(X_CACHE_NAMESPACE).map(|given| given.as_bytes().into());
        let hands = Hands::on(exchange.holdings.clone());
        Self { namespace, terms: exchange.terms, hands, bytes }
    }
}

/// What a command is asked.
struct Asked<'a, R> {
    /// The namespace that the caller named, if any.
    namespace: Option<&'a [u8]>,
    terms: &'a Terms,
    /// What its caller is handed to hold; none: the call is answered at once.
    hands: Option<&'a Hands>,
    /// Bytes of the message.
    bytes: usize,
    request: R,
}

/// A command that was looked at.
struct Prepared<'a, R> {
    /// What it works with and what it is asked, unless it may not run.
    run: Result<(Context<'a>, Option<R>), Rejection>,
    report: Report,
}

/// How a message was answered.
#[derive(Debug)]
pub(crate) struct Whole {
    /// Whether there is a reply. It is written then.
    pub(crate) done: Result<(), Rejection>,
    pub(crate) report: Report,
}

serve! {
    CacheService {
        get: Get(CacheKey) -> CacheValue, READ;
        multi_get: MultiGet(MultiCacheKeyRequest) -> MultiCacheValueResponse, READ;
        set: Set(CacheItem) -> CacheResponse, WRITE;
        set_if_absent: SetIfAbsent(CacheItem) -> ConditionalCacheResponse, WRITE;
        compare_and_set: CompareAndSet(CompareAndSetRequest) -> ConditionalCacheResponse, WRITE;
        multi_set: MultiSet(MultiCacheItemRequest) -> MultiCacheResponse, WRITE;
        delete: Delete(CacheKey) -> CacheResponse, WRITE;
        multi_delete: MultiDelete(MultiCacheKeyRequest) -> MultiCacheResponse, WRITE;
        stats: Stats(Empty) -> CacheStats, FIGURES;
    }

    Cache {
        read: Read(ReadRequest) -> ReadReply, READ;
        write: Write(WriteRequest) -> WriteReply, WRITE;
        remove: Remove(RemoveRequest) -> RemoveReply, WRITE;
        add: Add(AddRequest) -> AddReply, WRITE;
        release: Release(ReleaseRequest) -> ReleaseReply, WRITE;
        invalidate: Invalidate(InvalidateRequest) -> InvalidateReply, WRITE;
        batch: Batch(BatchRequest) -> BatchReply, ANY;
        scan: Scan(ScanRequest) -> ScanReply, READ;
        describe: Describe(DescribeRequest) -> DescribeReply, READ;
        hot_keys: HotKeys(HotKeysRequest) -> HotKeysReply, FIGURES;
        what_if: WhatIf(WhatIfRequest) -> WhatIfReply, FIGURES;
    }
}

impl CacheRpcs {
    pub(crate) fn new(
        (store, tier): (StoreHandle, Option<Tier>),
        bounds: Bounds,
        drain: CancellationToken,
    ) -> Self {
        Self { store, tier, bounds, drain }
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
        if self.tier.is_some() {
            return self.near::<C>(namespace, (&request, bytes.len()), begin, reply);
        }
        let (terms, bytes) = (begin(), bytes.len());
        let asked = Asked { namespace, terms: &terms, hands: None, bytes, request };
        let mut prepared = self.prepare::<C>(asked);
        let answered = self.carry_out::<C>(&mut prepared, reply).now_or_never();
        let done = answered.expect("no command lets others go first within a group");
        Some(Whole { done, report: prepared.report })
    }

    /// Answers a request that came through tonic.
    ///
    /// No `async fn`, which would keep its arguments twice: a call that waits for a lease has little
    /// more than what this holds.
    fn answer<'a, C: Command>(
        &'a self,
        call: &'a Begun,
        request: C::Request<'a>,
    ) -> impl Future<Output = (Result<Segments, Status>, Report)> {
        let Begun { terms, bytes, .. } = call;
        let (namespace, hands) = (call.namespace.as_deref(), Some(&call.hands));
        let mut prepared =
            self.prepare::<C>(Asked { namespace, terms, hands, bytes: *bytes, request });
        async move {
            let mut reply = ReplyWriter::new();
            let done = self.carry_out::<C>(&mut prepared, &mut reply).await;
            let report = Report { handed: call.hands.take(), ..prepared.report };
            (done.map(|()| reply.take()).map_err(Status::from), report)
        }
    }

    /// Whether a large reply is not sent because too many wait for their readers. That of a write is:
    /// it is small beside its request, and the write was carried out.
    fn has_no_room(&self, answer: &impl ReplyMessage) -> bool {
        let refused = answer.may_be_withheld() && self.bounds.pinned.pressure() != Pressure::None;
        if refused {
            pinned::count_refused();
        }
        refused
    }

    /// Looks at what a command is asked before it runs. Reports on it, with the keys where they are
    /// asked for.
    fn prepare<'a, C: Command>(
        &'a self,
        Asked { namespace, terms, hands, bytes, request }: Asked<'a, C::Request<'a>>,
    ) -> Prepared<'a, C::Request<'a>> {
        let mut report = Report::of_request(&request, bytes);
        let run = self.let_run::<C>(namespace, terms, &request, &mut report).map(|namespace| {
            let context = self.context(namespace, terms, hands);
            (context, Some(request))
        });
        Prepared { run, report }
    }

    /// Whether a command may run, and in which namespace.
    fn let_run<'a, C: Command>(
        &self,
        namespace: Option<&'a [u8]>,
        terms: &Terms,
        request: &C::Request<'a>,
        report: &mut Report,
    ) -> Result<Namespace<'a>, Rejection> {
        let namespace = namespace.map_or(Ok(Namespace::SHARED), Namespace::of_metadata)?;
        if terms.records_keys {
            report.add_keys(namespace.as_str(), request);
        }
        if self.tier.is_some() && !C::OVER_TIER {
            return Err(Rejection::OverTier);
        }
        report.lacks = request.uses().beyond(terms.may);
        if report.lacks != Uses::default() {
            return Err(Rejection::Lacks);
        }
        self.store.admit(namespace, request.keys().len())?;
        Ok(namespace)
    }

    /// Runs a command, and writes its reply.
    async fn carry_out<'a, C: Command>(
        &'a self,
        Prepared { run, report }: &mut Prepared<'a, C::Request<'a>>,
        reply: &mut ReplyWriter,
    ) -> Result<(), Rejection> {
        let (context, request) = run.as_mut().map_err(|rejection| rejection.clone())?;
        let request = request.take().expect("a command is carried out once");
        let answer = C::run(context, request).await;
        self.conclude(answer, context.namespace, reply, report)
    }

    /// Answers from the near part alone, where there is a second tier under it. `None`: that does
    /// not suffice, and nothing was done.
    fn near<'a, C: Command>(
        &'a self,
        namespace: Option<&'a [u8]>,
        (request, bytes): (&C::Request<'a>, usize),
        begin: impl FnOnce() -> Terms,
        reply: &mut ReplyWriter,
    ) -> Option<Whole> {
        let tier = self.tier.as_ref()?;
        let namespace = namespace.map_or(Ok(Namespace::SHARED), Namespace::of_metadata).ok()?;
        let answer = C::near(&self.context(namespace, &Terms::NONE, None), request)?;
        let mut report = Report::of_request(request, bytes);
        if begin().records_keys {
            report.add_keys(namespace.as_str(), request);
        }
        let keys = request.keys().len();
        let done = match self.store.admit(namespace, keys) {
            Ok(()) => {
                tier.count_near(&self.store, namespace, keys);
                self.conclude(Ok(answer), namespace, reply, &mut report)
            }
            Err(refused) => Err(refused.into()),
        };
        Some(Whole { done, report })
    }

    fn context<'a>(
        &'a self,
        namespace: Namespace<'a>,
        terms: &'a Terms,
        hands: Option<&'a Hands>,
    ) -> Context<'a> {
        let Self { store, bounds, drain, .. } = self;
        let (tier, bounds) = (self.tier.as_ref(), *bounds);
        Context { store, tier, namespace, bounds, terms, drain, hands }
    }

    /// Writes the reply of a command, and counts what is refused.
    fn conclude(
        &self,
        answer: Result<impl ReplyMessage, Rejection>,
        namespace: Namespace<'_>,
        reply: &mut ReplyWriter,
        report: &mut Report,
    ) -> Result<(), Rejection> {
        match answer {
            Ok(answer) => {
                answer.write(reply);
                if reply.len() >= LENT_BYTES && self.has_no_room(&answer) {
                    reply.clear();
                    self.store.count_refusal(namespace);
                    return Err(Rejection::RepliesUnread);
                }
                report.add_reply(&answer, reply.len());
                Ok(())
            }
            // The store counts what it refuses itself.
            Err(refused @ Rejection::Store(_)) => Err(refused),
            Err(rejection) => {
                self.store.count_refusal(namespace);
                Err(rejection)
            }
        }
    }
}

//! The table of RPCs: the fields of each message, their encoding and the reply. The structs borrow
//! from the caller; nothing is copied before it is encoded.

use bytes::Bytes;
use prost::Message;
use tiny_cache_proto::{cache, method::CacheMethod, v1};
use tonic_health::pb;

use super::wire::{Field, Frames, TooLong};

/// A call that can be made.
pub trait Rpc: sealed::Encode + Sync {
    /// The message of the reply.
    type Reply: Message + Default + Send;
}

pub(crate) mod sealed {
    use super::{Frames, Method, TooLong};

    pub trait Encode {
        const METHOD: Method;

        /// Whether a repetition leads to the same outcome.
        const IS_IDEMPOTENT: bool;

        fn frames(&self) -> Result<Frames, TooLong>;
    }
}

/// The RPC of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// An RPC of the wire contract.
    Cache(CacheMethod),
    /// `grpc.health.v1.Health/Check`
    HealthCheck,
}

impl Method {
    /// Every method, at its index.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        CacheMethod::ALL.into_iter().map(Self::Cache).chain([Self::HealthCheck])
    }

    pub(super) fn index(self) -> usize {
        match self {
            Self::Cache(method) => method as usize,
            Self::HealthCheck => CacheMethod::ALL.len(),
        }
    }

    /// The path of its requests.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Cache(method) => method.path(),
            Self::HealthCheck => "/grpc.health.v1.Health/Check",
        }
    }
}

/// Rows of `Name { fields } -> reply, method, idempotent: bool, this => frames`.
macro_rules! rpcs {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? } -> $reply:ty,
        $method:expr, idempotent: $is_idempotent:literal, $this:ident => $frames:expr;
    )+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'a> {
            $($(#[$field_doc])* pub $field: $type,)+
        }

        impl sealed::Encode for $name<'_> {
            const METHOD: Method = $method;
            const IS_IDEMPOTENT: bool = $is_idempotent;

            fn frames(&self) -> Result<Frames, TooLong> {
                let $this = self;
                $frames
            }
        }

        impl Rpc for $name<'_> {
            type Reply = $reply;
        }
    )+};
}

rpcs! {
    /// Reads one value.
    Get {
        /// 1 to 256 characters.
        key: &'a str,
    } -> cache::CacheValue, Method::Cache(CacheMethod::Get), idempotent: true,
    this => Frames::of_message(&[Field::Text(this.key)]);

    /// Reads many values.
    MultiGet {
        /// 1 to 256 characters each.
        keys: &'a [&'a str],
    } -> cache::MultiCacheValueResponse, Method::Cache(CacheMethod::MultiGet), idempotent: true,
    this => elements(this.keys);

    /// Writes one value.
    Set {
        /// 1 to 256 characters.
        key: &'a str,
        /// The value to store.
        value: &'a Bytes,
        /// Seconds; 0 never expires.
        ttl: i32,
    } -> cache::CacheResponse, Method::Cache(CacheMethod::Set), idempotent: true,
    this => Frames::of_message(&this.fields());

    /// Writes one value unless there is a live one.
    SetIfAbsent {
        /// 1 to 256 characters.
        key: &'a str,
        /// The value to store.
        value: &'a Bytes,
        /// Seconds; 0 never expires.
        ttl: i32,
    } -> cache::ConditionalCacheResponse, Method::Cache(CacheMethod::SetIfAbsent), idempotent: false,
    this => Frames::of_message(&Set { key: this.key, value: this.value, ttl: this.ttl }.fields());

    /// Replaces one value if it is the expected one.
    CompareAndSet {
        /// 1 to 256 characters.
        key: &'a str,
        /// The value to replace.
        expected: &'a Bytes,
        /// The value to store.
        value: &'a Bytes,
        /// Seconds; 0 never expires.
        ttl: i32,
    } -> cache::ConditionalCacheResponse, Method::Cache(CacheMethod::CompareAndSet), idempotent: false,
    this => Frames::of_message(&[
        Field::Text(this.key), Field::Bytes(this.expected), Field::Bytes(this.value),
        Field::Int32(this.ttl),
    ]);

    /// Writes many values.
    MultiSet {
        /// The items to write, in this order.
        items: &'a [Set<'a>],
    } -> cache::MultiCacheResponse, Method::Cache(CacheMethod::MultiSet), idempotent: true,
    this => {
        let items: Vec<_> = this.items.iter().map(Set::fields).collect();
        let messages: Vec<_> = items.iter().map(|item| Field::Message(item)).collect();
        Frames::of_repeated(&messages)
    };

    /// Removes one value.
    Delete {
        /// 1 to 256 characters.
        key: &'a str,
    } -> cache::CacheResponse, Method::Cache(CacheMethod::Delete), idempotent: true,
    this => Frames::of_message(&[Field::Text(this.key)]);

    /// Removes many values.
    MultiDelete {
        /// 1 to 256 characters each.
        keys: &'a [&'a str],
    } -> cache::MultiCacheResponse, Method::Cache(CacheMethod::MultiDelete), idempotent: true,
    this => elements(this.keys);

    /// Asks for the health of a service; an empty name means the server.
    HealthCheck {
        /// The full name of the service.
        service: &'a str,
    } -> pb::HealthCheckResponse, Method::HealthCheck, idempotent: true,
    this => Frames::of_message(&[Field::Text(this.service)]);
}

/// Asks for the figures of the server.
#[derive(Clone, Copy, Debug)]
pub struct Stats;

impl sealed::Encode for Stats {
    const METHOD: Method = Method::Cache(CacheMethod::Stats);
    const IS_IDEMPOTENT: bool = true;

    fn frames(&self) -> Result<Frames, TooLong> {
        Frames::of_message(&[])
    }
}

impl Rpc for Stats {
    type Reply = cache::CacheStats;
}

/// Rows of the second service, whose messages prost encodes.
macro_rules! second {
    ($($message:ident -> $reply:ident, $method:ident, idempotent: $is_idempotent:literal;)+) => {$(
        impl sealed::Encode for v1::$message {
            const METHOD: Method = Method::Cache(CacheMethod::$method);
            const IS_IDEMPOTENT: bool = $is_idempotent;

            fn frames(&self) -> Result<Frames, TooLong> {
                Frames::of_prost(self)
            }
        }

        impl Rpc for v1::$message {
            type Reply = v1::$reply;
        }
    )+};
}

second! {
    ReadRequest -> ReadReply, Read, idempotent: true;
    // A write that is repeated meets the version of its first try.
    WriteRequest -> WriteReply, Write, idempotent: false;
    RemoveRequest -> RemoveReply, Remove, idempotent: false;
    // Added twice, it is another number.
    AddRequest -> AddReply, Add, idempotent: false;
    // Given back twice, it is given back.
    ReleaseRequest -> ReleaseReply, Release, idempotent: true;
    // Whatever it meets the second time was written after the first, and is made anew.
    InvalidateRequest -> InvalidateReply, Invalidate, idempotent: true;
    BatchRequest -> BatchReply, Batch, idempotent: false;
    // A page that is repeated lists what is there then.
    ScanRequest -> ScanReply, Scan, idempotent: true;
    DescribeRequest -> DescribeReply, Describe, idempotent: true;
    HotKeysRequest -> HotKeysReply, HotKeys, idempotent: true;
    WhatIfRequest -> WhatIfReply, WhatIf, idempotent: true;
}

/// A batch that changes nothing.
#[derive(Clone, Debug)]
pub struct ReadsAlone(pub v1::BatchRequest);

impl sealed::Encode for ReadsAlone {
    const METHOD: Method = Method::Cache(CacheMethod::Batch);
    const IS_IDEMPOTENT: bool = true;

    fn frames(&self) -> Result<Frames, TooLong> {
        self.0.frames()
    }
}

impl Rpc for ReadsAlone {
    type Reply = v1::BatchReply;
}

impl<'a> Set<'a> {
    fn fields(&self) -> [Field<'a>; 3] {
        [Field::Text(self.key), Field::Bytes(self.value), Field::Int32(self.ttl)]
    }
}

fn elements(keys: &[&str]) -> Result<Frames, TooLong> {
    let keys: Vec<_> = keys.iter().copied().map(Field::Element).collect();
    Frames::of_repeated(&keys)
}

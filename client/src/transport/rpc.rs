//! One struct for each RPC: what is sent, and which message comes back. Borrows from the
//! caller; nothing is copied before it is encoded.

use bytes::Bytes;
use prost::Message;
use tiny_cache_proto::cache;
use tonic_health::pb;

use super::wire::{Field, Frames, TooLong};

/// A call that can be made.
pub trait Rpc: sealed::Encode + Sync {
    /// The message that answers it.
    type Reply: Message + Default + Send;
}

pub(crate) mod sealed {
    use super::{Frames, Method, TooLong};

    pub trait Encode {
        const METHOD: Method;

        fn frames(&self) -> Result<Frames, TooLong>;
    }
}

/// The RPCs by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `cache.CacheService/Get`
    Get,
    /// `cache.CacheService/MultiGet`
    MultiGet,
    /// `cache.CacheService/Set`
    Set,
    /// `cache.CacheService/SetIfAbsent`
    SetIfAbsent,
    /// `cache.CacheService/CompareAndSet`
    CompareAndSet,
    /// `cache.CacheService/MultiSet`
    MultiSet,
    /// `cache.CacheService/Delete`
    Delete,
    /// `cache.CacheService/MultiDelete`
    MultiDelete,
    /// `cache.CacheService/Stats`
    Stats,
    /// `grpc.health.v1.Health/Check`
    HealthCheck,
}

impl Method {
    /// Every one, in the order of their numbers.
    pub(super) const ALL: [Self; 10] = [
        Self::Get,
        Self::MultiGet,
        Self::Set,
        Self::SetIfAbsent,
        Self::CompareAndSet,
        Self::MultiSet,
        Self::Delete,
        Self::MultiDelete,
        Self::Stats,
        Self::HealthCheck,
    ];

    /// The path of its requests.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Get => "/cache.CacheService/Get",
            Self::MultiGet => "/cache.CacheService/MultiGet",
            Self::Set => "/cache.CacheService/Set",
            Self::SetIfAbsent => "/cache.CacheService/SetIfAbsent",
            Self::CompareAndSet => "/cache.CacheService/CompareAndSet",
            Self::MultiSet => "/cache.CacheService/MultiSet",
            Self::Delete => "/cache.CacheService/Delete",
            Self::MultiDelete => "/cache.CacheService/MultiDelete",
            Self::Stats => "/cache.CacheService/Stats",
            Self::HealthCheck => "/grpc.health.v1.Health/Check",
        }
    }
}

macro_rules! rpc {
    ($name:ident, $reply:ty, $this:ident => $frames:expr) => {
        impl sealed::Encode for $name<'_> {
            const METHOD: Method = Method::$name;

            fn frames(&self) -> Result<Frames, TooLong> {
                let $this = self;
                $frames
            }
        }

        impl Rpc for $name<'_> {
            type Reply = $reply;
        }
    };
}

/// Reads one value.
#[derive(Clone, Copy, Debug)]
pub struct Get<'a> {
    /// 1 to 256 characters.
    pub key: &'a str,
}

rpc!(Get, cache::CacheValue, this => Frames::of_message(&[Field::Text(this.key)]));

/// Reads many values.
#[derive(Clone, Copy, Debug)]
pub struct MultiGet<'a> {
    /// 1 to 256 characters each.
    pub keys: &'a [&'a str],
}

rpc!(MultiGet, cache::MultiCacheValueResponse, this => elements(this.keys));

/// Writes one value.
#[derive(Clone, Copy, Debug)]
pub struct Set<'a> {
    /// 1 to 256 characters.
    pub key: &'a str,
    /// What is stored.
    pub value: &'a Bytes,
    /// Seconds; 0 never expires.
    pub ttl: i32,
}

impl<'a> Set<'a> {
    fn fields(&self) -> [Field<'a>; 3] {
        [Field::Text(self.key), Field::Bytes(self.value), Field::Int32(self.ttl)]
    }
}

rpc!(Set, cache::CacheResponse, this => Frames::of_message(&this.fields()));

/// Writes one value unless a live one is there.
#[derive(Clone, Copy, Debug)]
pub struct SetIfAbsent<'a> {
    /// 1 to 256 characters.
    pub key: &'a str,
    /// What is stored.
    pub value: &'a Bytes,
    /// Seconds; 0 never expires.
    pub ttl: i32,
}

rpc!(SetIfAbsent, cache::ConditionalCacheResponse, this => Frames::of_message(&[
    Field::Text(this.key), Field::Bytes(this.value), Field::Int32(this.ttl),
]));

/// Replaces one value if it is the expected one.
#[derive(Clone, Copy, Debug)]
pub struct CompareAndSet<'a> {
    /// 1 to 256 characters.
    pub key: &'a str,
    /// What must be there.
    pub expected: &'a Bytes,
    /// What is stored then.
    pub value: &'a Bytes,
    /// Seconds; 0 never expires.
    pub ttl: i32,
}

rpc!(CompareAndSet, cache::ConditionalCacheResponse, this => Frames::of_message(&[
    Field::Text(this.key), Field::Bytes(this.expected), Field::Bytes(this.value),
    Field::Int32(this.ttl),
]));

/// Writes many values.
#[derive(Clone, Copy, Debug)]
pub struct MultiSet<'a> {
    /// What is written, in this order.
    pub items: &'a [Set<'a>],
}

rpc!(MultiSet, cache::MultiCacheResponse, this => {
    let items: Vec<_> = this.items.iter().map(Set::fields).collect();
    let messages: Vec<_> = items.iter().map(|item| Field::Message(item)).collect();
    Frames::of_repeated(&messages)
});

/// Removes one value.
#[derive(Clone, Copy, Debug)]
pub struct Delete<'a> {
    /// 1 to 256 characters.
    pub key: &'a str,
}

rpc!(Delete, cache::CacheResponse, this => Frames::of_message(&[Field::Text(this.key)]));

/// Removes many values.
#[derive(Clone, Copy, Debug)]
pub struct MultiDelete<'a> {
    /// 1 to 256 characters each.
    pub keys: &'a [&'a str],
}

rpc!(MultiDelete, cache::MultiCacheResponse, this => elements(this.keys));

/// Asks for the figures of the server.
#[derive(Clone, Copy, Debug)]
pub struct Stats;

impl sealed::Encode for Stats {
    const METHOD: Method = Method::Stats;

    fn frames(&self) -> Result<Frames, TooLong> {
        Frames::of_message(&[])
    }
}

impl Rpc for Stats {
    type Reply = cache::CacheStats;
}

/// Asks whether a service is served; an empty name means the server.
#[derive(Clone, Copy, Debug)]
pub struct HealthCheck<'a> {
    /// The full name of the service.
    pub service: &'a str,
}

rpc!(HealthCheck, pb::HealthCheckResponse, this => Frames::of_message(&[Field::Text(this.service)]));

fn elements(keys: &[&str]) -> Result<Frames, TooLong> {
    let keys: Vec<_> = keys.iter().copied().map(Field::Element).collect();
    Frames::of_repeated(&keys)
}

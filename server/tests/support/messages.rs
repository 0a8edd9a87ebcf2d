//! Short constructors for the contract's messages, and the calls of a table
//! that goes through many RPCs.

use bytes::Bytes;
use prost::Message;
use tiny_cache_proto::{
    cache::{
        CacheItem, CacheKey, CompareAndSetRequest, Empty, MultiCacheItemRequest,
        MultiCacheKeyRequest,
    },
    method::CacheMethod,
    v1::{
        AddRequest, BatchRequest, Condition, DescribeRequest, HotKeysRequest, InvalidateRequest,
        Operation, ReadRequest, ReleaseRequest, RemoveRequest, ScanRequest, WhatIfRequest,
        WriteRequest, condition::Holds, operation::Operation as Sent,
    },
};
use tonic::Request;

pub(crate) fn key(key: impl Into<String>) -> CacheKey {
    CacheKey { key: key.into() }
}

pub(crate) fn keys<K: Into<String>>(keys: impl IntoIterator<Item = K>) -> MultiCacheKeyRequest {
    MultiCacheKeyRequest { keys: keys.into_iter().map(Into::into).collect() }
}

/// An item that never expires.
pub(crate) fn item(key: impl Into<String>, value: impl Into<Bytes>) -> CacheItem {
    lasting(key, value, 0)
}

/// An item with a ttl in seconds.
pub(crate) fn lasting(key: impl Into<String>, value: impl Into<Bytes>, ttl: i32) -> CacheItem {
    CacheItem { key: key.into(), value: value.into(), ttl }
}

pub(crate) fn items(items: impl IntoIterator<Item = CacheItem>) -> MultiCacheItemRequest {
    MultiCacheItemRequest { items: items.into_iter().collect() }
}

/// Replaces `expected` by `value`, which never expires.
pub(crate) fn swap(
    key: impl Into<String>,
    expected: impl Into<Bytes>,
    value: impl Into<Bytes>,
) -> CompareAndSetRequest {
    CompareAndSetRequest {
        key: key.into(),
        expected_value: expected.into(),
        value: value.into(),
        ttl: 0,
    }
}

/// Reads an entry of the second service, with its value.
pub(crate) fn read(key: impl Into<String>) -> ReadRequest {
    ReadRequest { key: key.into(), ..ReadRequest::default() }
}

/// Writes a value that never expires, whatever is there.
pub(crate) fn write(key: impl Into<String>, value: impl Into<Bytes>) -> WriteRequest {
    WriteRequest { key: key.into(), value: value.into(), ..WriteRequest::default() }
}

/// The same write, on a condition.
pub(crate) fn when(request: WriteRequest, holds: Option<Holds>) -> WriteRequest {
    let condition = holds.map(|holds| Condition { holds: Some(holds) });
    WriteRequest { condition, ..request }
}

pub(crate) fn remove(key: impl Into<String>, holds: Option<Holds>) -> RemoveRequest {
    let condition = holds.map(|holds| Condition { holds: Some(holds) });
    RemoveRequest { key: key.into(), condition, ..RemoveRequest::default() }
}

/// An invalidation of these tags.
pub(crate) fn tagged(tags: &[&str]) -> InvalidateRequest {
    let tags = tags.iter().map(ToString::to_string).collect();
    InvalidateRequest { tags, ..InvalidateRequest::default() }
}

/// The same message, asked in a namespace.
pub(crate) fn within<M>(namespace: &str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-cache-namespace", namespace.parse().unwrap());
    request
}

/// An RPC and its encoded request, for tables over many RPCs.
pub(crate) struct Call {
    pub(crate) rpc: &'static str,
    pub(crate) message: Vec<u8>,
}

impl Call {
    pub(crate) fn new(rpc: &'static str, message: &impl Message) -> Self {
        Self { rpc, message: message.encode_to_vec() }
    }

    /// The request path.
    pub(crate) fn path(&self) -> String {
        let mut known = CacheMethod::ALL.iter().map(|method| method.path());
        let found = known.find(|path| path.rsplit('/').next() == Some(self.rpc));
        found.map_or_else(|| format!("/cache.CacheService/{}", self.rpc), str::to_owned)
    }
}

/// Every RPC that names one key.
pub(crate) fn single_calls(name: &str) -> Vec<Call> {
    vec![
        Call::new("Get", &key(name)),
        Call::new("Set", &item(name, "v")),
        Call::new("SetIfAbsent", &item(name, "v")),
        Call::new("CompareAndSet", &swap(name, "v", "w")),
        Call::new("Delete", &key(name)),
    ]
}

/// Every RPC that names many keys, with `names`.
pub(crate) fn batch_calls(names: &[String]) -> Vec<Call> {
    vec![
        Call::new("MultiGet", &keys(names)),
        Call::new("MultiSet", &items(names.iter().map(|name| item(name, "v")))),
        Call::new("MultiDelete", &keys(names)),
    ]
}

/// Every RPC of the contract, each with a request that is answered OK.
pub(crate) fn every_call() -> Vec<Call> {
    let mut calls = single_calls("every-call");
    calls.extend(batch_calls(&["every-call".to_owned()]));
    calls.push(Call::new("Stats", &Empty {}));
    calls
}

/// Every RPC of the second service, each with a request that is answered OK.
pub(crate) fn second_calls() -> Vec<Call> {
    let written = write("every-call", "v");
    let operations = vec![Operation { operation: Some(Sent::Write(written.clone())) }];
    vec![
        Call::new("Read", &read("every-call")),
        Call::new("Write", &written),
        Call::new("Remove", &remove("every-call", None)),
        Call::new("Add", &AddRequest { key: "a-counter".to_owned(), ..AddRequest::default() }),
        Call::new("Release", &ReleaseRequest { key: "every-call".to_owned(), lease_token: 7 }),
        Call::new("Batch", &BatchRequest { operations }),
        Call::new("Invalidate", &tagged(&["every-call"])),
        Call::new("Scan", &ScanRequest::default()),
        Call::new("Describe", &DescribeRequest { key: "every-call".to_owned() }),
        Call::new("HotKeys", &HotKeysRequest::default()),
        Call::new("WhatIf", &WhatIfRequest {}),
    ]
}

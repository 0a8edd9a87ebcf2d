//! Rights as a table: every RPC of every service, for everybody, in every form of a namespace, as
//! small and as compressed messages. What is expected comes from the plain reading of the rules.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use prost::Message;
use tonic::Code;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_request::MessageRequest,
};

use crate::support::{
    Deployment,
    messages::{Call, every_call, second_calls},
    wire::{Wire, framed},
};

use super::callers::{Caller, Files, LONGEST, RULES, callers};

crate::rows![
    rights_are_those_of_the_rules_in_every_form_of_a_namespace,
    health_is_open_and_everything_else_is_for_known_callers,
];

/// Forms of a namespace, with what the service makes of them: a name, or `None` for an invalid one.
fn namespaces() -> Vec<(Option<Vec<u8>>, Option<String>)> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let name = |name: &str| Some(name.to_owned());
    vec![
        (None, name("")),
        (text(""), name("")),
        (text(" \t "), name("")),
        (text("shop"), name("shop")),
        (text("  shop\t"), name("shop")),
        (text("Shop"), name("Shop")),
        (text("shop-"), name("shop-")),
        (text("shop-eu"), name("shop-eu")),
        (text("shopping"), name("shopping")),
        (text("other"), name("other")),
        (text(LONGEST), name(LONGEST)),
        (text(&format!("{LONGEST}n")), None),
        (text("shop*"), None),
        (text("*"), None),
        (text("_shared"), None),
        (text("-shop"), None),
        (text("shop,other"), None),
        (text("shop other"), None),
        (Some(b"shop\xff".to_vec()), None),
        (Some("shöp".as_bytes().to_vec()), None),
    ]
}

/// The right of an RPC, and whether it is one over the whole server.
fn needed(rpc: &str) -> (&'static str, bool) {
    match rpc {
        "Get" | "MultiGet" | "Read" | "Scan" | "Describe" => ("read", false),
        // The batch of `second_calls` writes. Add needs `read` as well: that is in `messages`.
        "Add" | "Batch" | "Set" | "SetIfAbsent" | "CompareAndSet" | "MultiSet" | "Delete"
        | "MultiDelete" | "Write" | "Release" | "Remove" | "Invalidate" => ("write", false),
        "Stats" | "HotKeys" | "WhatIf" => ("administer", true),
        other => panic!("{other} has no row here"),
    }
}

/// The plain reading of the rules.
fn may(identity: &str, right: &str, namespace: &str) -> bool {
    RULES.iter().any(|(who, patterns, rights)| {
        let covers = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => namespace.starts_with(prefix),
            None if pattern == "_shared" => namespace.is_empty(),
            None => namespace == pattern,
        };
        *who == identity
            && rights.contains(&right)
            && patterns.iter().any(|pattern| covers(pattern))
    })
}

pub(super) fn expected(identity: Option<&str>, rpc: &str, namespace: Option<&str>) -> Code {
    let Some(identity) = identity else { return Code::Unauthenticated };
    let (right, over_server) = needed(rpc);
    if over_server && !may(identity, right, "") {
        return Code::PermissionDenied;
    }
    match namespace {
        None => Code::InvalidArgument,
        Some(_) if over_server => Code::Ok,
        Some(name) if may(identity, right, name) => Code::Ok,
        Some(_) => Code::PermissionDenied,
    }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(data).unwrap();
    packer.finish().unwrap()
}

/// The metadata of a call.
pub(super) fn metadata<'a>(
    caller: &'a Caller,
    namespace: Option<&'a [u8]>,
) -> Vec<(&'static str, &'a [u8])> {
    let authorization = caller.authorization.as_deref().map(|value| ("authorization", value));
    authorization.into_iter().chain(namespace.map(|name| ("x-cache-namespace", name))).collect()
}

async fn rights_are_those_of_the_rules_in_every_form_of_a_namespace(on: Deployment) {
    let files = Files::new();
    let site = files.start(on);
    let mut wire = site.wire().await;
    let (callers, namespaces) = (callers(), namespaces());
    let of_one_right = second_calls().into_iter().filter(|call| call.rpc != "Add");
    for call in every_call().into_iter().chain(of_one_right) {
        let path = call.path();
        let Call { rpc, message } = call;
        for caller in &callers {
            for (given, name) in &namespaces {
                let expected = expected(caller.identity, rpc, name.as_deref());
                let mut metadata = metadata(caller, given.as_deref());
                let plain = wire.begin(&path, &metadata, &message).await.unwrap();
                metadata.push(("grpc-encoding", b"gzip"));
                let packed = framed(true, &gzip(&message));
                let packed = wire.begin_framed(&path, &metadata, packed).await.unwrap();
                for reply in [plain.reply().await.unwrap(), packed.reply().await.unwrap()] {
                    let code = reply.code();
                    assert_eq!(code, expected, "{rpc} by {} in {given:?}: {reply:?}", caller.what);
                    assert!(reply.initial("x-request-id").is_some(), "{reply:?}");
                    assert_eq!(reply.headers_ended_it, code != Code::Ok, "{reply:?}");
                }
            }
        }
    }
}

fn question() -> Vec<u8> {
    let asked = Some(MessageRequest::ListServices(String::new()));
    ServerReflectionRequest { host: String::new(), message_request: asked }.encode_to_vec()
}

async fn health_is_open_and_everything_else_is_for_known_callers(on: Deployment) {
    let files = Files::new();
    let site = files.start(on);
    let mut wire = site.wire().await;
    let service = "/cache.CacheService";
    for caller in &callers() {
        let metadata = metadata(caller, None);
        for path in ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/List"] {
            let reply = wire.call(path, &metadata, &[]).await.unwrap();
            assert_eq!(reply.code(), Code::Ok, "{path} by {}", caller.what);
        }
        let watch = wire.begin("/grpc.health.v1.Health/Watch", &metadata, &[]).await.unwrap();
        let started = watch.headers().await.unwrap();
        assert!(!started.initial.contains_key("grpc-status"), "Watch by {}", caller.what);

        let known = caller.identity.is_some();
        for (path, known_gets) in [
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo".to_owned(), Code::Ok),
            ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo".to_owned(), Code::Ok),
            (format!("{service}/Flush"), Code::Unimplemented),
            (format!("{service}/Get/"), Code::Unimplemented),
            ("/grpc.health.v1.Health/Stop".to_owned(), Code::Unimplemented),
            ("/another.Service/Get".to_owned(), Code::Unimplemented),
            ("/".to_owned(), Code::Unimplemented),
        ] {
            let expected = if known { known_gets } else { Code::Unauthenticated };
            let reply = wire.call(&path, &metadata, &question()).await.unwrap();
            assert_eq!(reply.code(), expected, "{path} by {}: {reply:?}", caller.what);
        }
        // A query is no way round: the path behind it is the RPC's.
        let query = format!("{service}/Get?x");
        let reply = wire.call(&query, &metadata, &[]).await.unwrap();
        let shared = expected(caller.identity, "Get", Some(""));
        let without_key = if shared == Code::Ok { Code::InvalidArgument } else { shared };
        assert_eq!(reply.code(), without_key, "{query} by {}: {reply:?}", caller.what);
    }
}

/// The table needs a row for each RPC of the contract.
#[test]
fn every_rpc_of_the_contract_has_its_right() {
    for method in tiny_cache_proto::method::CacheMethod::ALL {
        needed(method.name().rsplit('/').next().unwrap());
    }
    let calls = every_call().len() + second_calls().len();
    assert_eq!(calls, tiny_cache_proto::method::CacheMethod::ALL.len());
}

/// One call on a connection that is there.
pub(super) async fn code(wire: &mut Wire, call: &Call, caller: &Caller, namespace: &str) -> Code {
    let metadata = metadata(caller, Some(namespace.as_bytes()));
    wire.call(&call.path(), &metadata, &call.message).await.unwrap().code()
}

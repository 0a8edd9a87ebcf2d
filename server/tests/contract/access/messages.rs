//! Rights that a message needs beside that of its RPC: they are asked for by what the message says,
//! and refused like any other.

use prost::Message;
use tiny_cache_proto::v1::{
    AddRequest, BatchRequest, Operation, ReadRequest, RemoveRequest, WriteRequest,
    operation::Operation as Sent,
};
use tonic::Code::{self, Ok as Done, PermissionDenied};

use super::callers::{Files, token};
use crate::support::{
    Deployment,
    http::sample,
    messages::{read, remove, write},
};

crate::rows![a_message_that_needs_another_right_is_refused_without_it];

fn batch<const N: usize>(each: [Sent; N]) -> Vec<u8> {
    let operations = each.map(|one| Operation { operation: Some(one) }).to_vec();
    BatchRequest { operations }.encode_to_vec()
}

/// Of each RPC: its message, and its status for a caller that may read, that may write, and both.
fn rows() -> Vec<(&'static str, Vec<u8>, [Code; 3])> {
    let touch = ReadRequest { touch_ttl_ms: Some(1000), ..read("k") };
    let swap = WriteRequest { return_previous: true, ..write("k", "v") };
    let take = RemoveRequest { return_previous: true, ..remove("k", None) };
    let reads = [Done, PermissionDenied, Done];
    let writes = [PermissionDenied, Done, Done];
    let both = [PermissionDenied, PermissionDenied, Done];
    vec![
        ("Write", write("k", "v").encode_to_vec(), writes),
        ("Read", read("k").encode_to_vec(), reads),
        ("Read", touch.encode_to_vec(), both),
        ("Write", swap.encode_to_vec(), both),
        ("Add", AddRequest { key: "n".to_owned(), ..AddRequest::default() }.encode_to_vec(), both),
        ("Batch", batch([]), [Done, Done, Done]),
        ("Batch", batch([Sent::Read(read("k"))]), reads),
        ("Batch", batch([Sent::Write(write("k", "v"))]), writes),
        ("Batch", batch([Sent::Write(write("k", "v")), Sent::Read(read("k"))]), both),
        ("Batch", batch([Sent::Read(touch)]), both),
        ("Remove", remove("k", None).encode_to_vec(), writes),
        ("Remove", take.encode_to_vec(), both),
    ]
}

async fn a_message_that_needs_another_right_is_refused_without_it(on: Deployment) {
    let files = Files::new();
    let site = files.start(on);
    let mut wire = site.wire().await;
    let mut refusals = 0.0;
    for (rpc, message, expected) in rows() {
        let path = format!("/tinycache.v1.Cache/{rpc}");
        for (name, code) in ["reader", "writer", "ops"].into_iter().zip(expected) {
            let authorization = format!("Bearer {}", token(name));
            let metadata =
                [("authorization", authorization.as_bytes()), ("x-cache-namespace", &b"shop"[..])];
            let reply = wire.call(&path, &metadata, &message).await.unwrap();
            assert_eq!(reply.code(), code, "{rpc} of {message:?} by {name}: {reply:?}");
            if code == PermissionDenied {
                refusals += 1.0;
                let right = if name == "reader" { "write" } else { "read" };
                let expected =
                    format!("token:{name} has no right to {right} in the namespace shop");
                assert_eq!(reply.status.message(), expected, "{rpc} of {message:?}");
            }
        }
    }
    let page = site.http("/metrics").await.body;
    let counted = sample(&page, "tiny_cache_access_refused_total{reason=\"no_right\"}");
    assert_eq!(counted, Some(refusals));
}

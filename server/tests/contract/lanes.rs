//! A connection whose calls go every way through the server at once: small ones that are answered as
//! they come, and those that are large, long, compressed, or for another service.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use prost::Message;
use tiny_cache_proto::cache::{CacheValue, MultiCacheValueResponse};
use tonic::Code;

use crate::support::{
    Deployment,
    messages::{item, key, keys},
    wire::{Pending, Wire, framed},
};

crate::rows![calls_of_every_way_share_a_connection];

const ROUNDS: usize = 20;
/// More than a window of HTTP/2, so that it comes piece by piece.
const LARGE: usize = 300_000;
/// More than a batch carries out in one go.
const LONG: usize = 500;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(data).unwrap();
    packer.finish().unwrap()
}

async fn begin(wire: &mut Wire, method: &str, message: &impl Message) -> Pending {
    let path = format!("/cache.CacheService/{method}");
    wire.begin(&path, &[], &message.encode_to_vec()).await.unwrap()
}

async fn calls_of_every_way_share_a_connection(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    begin(&mut wire, "Set", &item("small", "v")).await.reply().await.unwrap();
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let packed = framed(true, &gzip(&key("small").encode_to_vec()));
        let gzip = [("grpc-encoding", &b"gzip"[..])];
        let large = item(format!("large{round}"), vec![7; LARGE]);
        rounds.push((
            begin(&mut wire, "Set", &large).await,
            begin(&mut wire, "Get", &key("small")).await,
            begin(&mut wire, "MultiGet", &keys(vec!["small"; LONG])).await,
            wire.begin_framed("/cache.CacheService/Get", &gzip, packed).await.unwrap(),
            begin(&mut wire, "Get", &key("")).await,
            wire.begin("/grpc.health.v1.Health/Check", &[], &[]).await.unwrap(),
        ));
    }
    for (set, get, batch, packed, refused, health) in rounds.into_iter().rev() {
        assert_eq!(health.reply().await.unwrap().code(), Code::Ok);
        assert_eq!(refused.reply().await.unwrap().code(), Code::InvalidArgument);
        for read in [packed, get] {
            assert_eq!(read.reply().await.unwrap().decoded::<CacheValue>().value, "v");
        }
        let found: MultiCacheValueResponse = batch.reply().await.unwrap().decoded();
        assert_eq!(found.items.iter().filter(|item| item.value == "v").count(), LONG);
        assert_eq!(set.reply().await.unwrap().code(), Code::Ok);
    }
    for round in 0..ROUNDS {
        let get = begin(&mut wire, "Get", &key(format!("large{round}"))).await;
        let value: CacheValue = get.reply().await.unwrap().decoded();
        assert_eq!(value.value, vec![7; LARGE]);
    }
}

//! Describe: size, times and place of an entry.

use tiny_cache_proto::v1::{DescribeReply, DescribeRequest, Place, ReadState, WriteRequest};
use tonic::Code;

use crate::support::{
    Deployment, Second,
    messages::{item, key, lasting, read, within, write},
    scrape::Scrape,
};

crate::rows![
    an_entry_is_described_with_its_size_and_its_times,
    a_description_is_no_use_of_the_entry,
    a_stale_entry_is_described_as_one,
    what_cannot_be_described_is_refused,
];

async fn describe(second: &mut Second, name: &str) -> DescribeReply {
    let request = DescribeRequest { key: name.to_owned() };
    second.describe(request).await.unwrap().into_inner()
}

async fn an_entry_is_described_with_its_size_and_its_times(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    let miss = describe(&mut second, "k").await;
    let process_id = miss.process_id;
    assert!(process_id > 0);
    let expected = DescribeReply { process_id, ..DescribeReply::default() };
    assert_eq!(miss, DescribeReply { state: ReadState::Miss.into(), ..expected });

    cache.set(lasting("k", vec![7; 1000], 100)).await.unwrap();
    let told = describe(&mut second, "k").await;
    let version = second.read(read("k")).await.unwrap().into_inner().version;
    assert_eq!((told.state(), told.version, told.value_bytes), (ReadState::Fresh, version, 1000));
    assert_eq!((told.stale_left_ms, told.process_id), (0, process_id));
    assert!((50_000..=100_000).contains(&told.ttl_left_ms), "{told:?}");
    assert!((0..50_000).contains(&told.age_ms), "{told:?}");
    let counted = cache.stats(tiny_cache_proto::cache::Empty {}).await.unwrap();
    assert_eq!(told.memory_bytes, counted.memory_usage_bytes);

    let request = DescribeRequest { key: "k".to_owned() };
    let other = second.describe(within("team", request)).await.unwrap().into_inner();
    assert_eq!(other.state(), ReadState::Miss);
    cache.set(item("k", "")).await.unwrap();
    let told = describe(&mut second, "k").await;
    assert_eq!((told.ttl_left_ms, told.value_bytes), (0, 0));
}

async fn a_description_is_no_use_of_the_entry(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    cache.set(item("k", "v")).await.unwrap();
    for reads in [0, 1, 2, 2] {
        for _ in 0..3 {
            let told = describe(&mut second, "k").await;
            assert_eq!((told.place(), told.window_reads), (Place::Window, reads));
            assert_eq!(told.residents_since_use, None);
        }
        cache.get(key("k")).await.unwrap();
    }
    let scrape = Scrape::of(&site).await;
    assert_eq!(scrape.find("tiny_cache_hits_total"), Some(4.0));
    assert_eq!(scrape.find("tiny_cache_misses_total"), Some(0.0));
}

async fn a_stale_entry_is_described_as_one(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let stale = WriteRequest { ttl_ms: 1, stale_ms: 600_000, ..write("k", "v") };
    second.write(stale).await.unwrap();
    let told = loop {
        let told = describe(&mut second, "k").await;
        if told.state() == ReadState::Stale {
            break told;
        }
    };
    assert_eq!(told.ttl_left_ms, 0);
    assert!((1..=600_000).contains(&told.stale_left_ms), "{told:?}");
}

async fn what_cannot_be_described_is_refused(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    for (name, message) in
        [(String::new(), "Key cannot be empty"), ("é".repeat(257), "Key is too long (max 256)")]
    {
        let refused = second.describe(DescribeRequest { key: name }).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, message));
    }
}

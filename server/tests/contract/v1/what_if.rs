//! WhatIf: the hit ratio that other memory would give, over the wire and in the metrics. Whether it
//! is right is tested beside the store.

use std::time::Duration;

use tiny_cache_proto::v1::{WhatIfReply, WhatIfRequest};
use tonic::Code;

use crate::support::{
    Deployment, Second,
    messages::{item, key, read},
    scrape::Scrape,
};

crate::rows![
    each_size_has_its_hit_ratio,
    without_reads_there_is_no_ratio,
    a_server_that_does_not_estimate_says_so,
];

/// Asks until so many reads are simulated, which takes a tenth of a second.
async fn what_if(second: &mut Second, reads: i64) -> WhatIfReply {
    loop {
        let reply = second.what_if(WhatIfRequest {}).await.unwrap().into_inner();
        if reply.reads >= reads {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn each_size_has_its_hit_ratio(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_MEMORY_MB", "64")]);
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    cache.set(item("k", "v")).await.unwrap();
    for _ in 0..2 {
        cache.get(key("k")).await.unwrap();
        second.read(read("k")).await.unwrap();
    }
    cache.get(key("absent")).await.unwrap();
    let reply = what_if(&mut second, 5).await;
    assert_eq!((reply.reads, reply.sampled_reads, reply.one_in), (5, 5, 1));
    assert!(reply.over_ms > 0);
    let close = |ratio: f64| (ratio - 0.8).abs() < 1e-9;
    assert!(close(reply.hit_ratio) && close(reply.simulated_hit_ratio), "{reply:?}");
    let sizes: Vec<_> = reply.sizes.iter().map(|of| (of.memory_times, of.memory_bytes)).collect();
    assert_eq!(sizes, [(0.5, 32 << 20), (1.0, 64 << 20), (2.0, 128 << 20), (4.0, 256 << 20)]);
    for size in &reply.sizes {
        assert!(close(size.hit_ratio) && size.filled < 0.1 && size.entries == 1, "{reply:?}");
    }

    let scrape = Scrape::of(&site).await;
    for memory in ["0.5", "1", "2", "4"] {
        let of = |name| scrape.value(&format!("tiny_cache_what_if_{name}{{memory=\"{memory}\"}}"));
        assert!(close(of("hit_ratio")) && of("filled_ratio") < 0.1, "{memory}");
    }
    scrape.assert(&[("what_if_sampled_reads", 5.0), ("what_if_lost_events_total", 0.0)]);
}

async fn without_reads_there_is_no_ratio(on: Deployment) {
    let site = on.start();
    let reply = what_if(&mut site.second().await, 0).await;
    assert_eq!((reply.reads, reply.sizes.len()), (0, 4));
    assert!(reply.sizes.iter().all(|size| size.hit_ratio == 0.0), "{reply:?}");
    assert_eq!(Scrape::of(&site).await.series("tiny_cache_what_if_hit_ratio"), 0);
}

async fn a_server_that_does_not_estimate_says_so(on: Deployment) {
    let site = on.start_with(&[("CACHE_WHAT_IF", "false")]);
    let refused = site.second().await.what_if(WhatIfRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("CACHE_WHAT_IF"), "{refused:?}");
    assert!(!Scrape::of(&site).await.page.contains("tiny_cache_what_if"));
}

//! Connections that the server ends by itself, at their age or for want of calls: as in a drain, so
//! that no call is lost.

use std::time::{Duration, Instant};

use prost::Message;
use tokio::time::timeout;

use crate::support::{
    Deployment,
    frames::{DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, Outcome, PING, call_block},
    messages::{item, key},
    scrape::Scrape,
    wire::framed,
};

crate::rows![
    a_connection_is_ended_at_its_age_by_two_goaways,
    a_connection_without_calls_is_ended_and_one_with_calls_is_not,
    a_call_that_is_open_at_the_age_is_answered,
    a_retired_connection_is_counted_by_its_reason,
];

const LONG: Duration = Duration::from_secs(20);
const AGE: [(&str, &str); 1] = [("CACHE_MAX_CONNECTION_AGE_SECONDS", "1")];
const IDLE: [(&str, &str); 1] = [("CACHE_MAX_CONNECTION_IDLE_SECONDS", "1")];

/// Reads until the connection ends, and answers pings. Returns the last streams of its GOAWAYs.
async fn until_the_end(frames: &mut Frames) -> Vec<u32> {
    let mut last = Vec::new();
    let read = async {
        while let Some((head, payload)) = frames.read_frame().await {
            match head[3] {
                GOAWAY => {
                    assert_eq!(payload[4..8], [0; 4], "a graceful end");
                    last.push(u32::from_be_bytes(*payload.first_chunk().unwrap()));
                }
                PING if head[4] == 0 => frames.send(PING, 1, 0, &payload).await,
                _ => {}
            }
        }
    };
    timeout(LONG, read).await.expect("the connection ends");
    last
}

async fn a_connection_is_ended_at_its_age_by_two_goaways(on: Deployment) {
    let site = on.start_with(&AGE);
    let mut frames = Frames::over(site.stream().await).await;
    let opened = Instant::now();
    frames.request(1, &call_block("/cache.CacheService/Get"), 100, &key("k").encode_to_vec()).await;
    let outcome = timeout(LONG, frames.outcome(1)).await.unwrap();
    assert!(matches!(outcome, Outcome::Answered(_)), "{outcome:?}");
    assert_eq!(until_the_end(&mut frames).await, [(1 << 31) - 1, 1]);
    assert!(opened.elapsed() > Duration::from_millis(850), "{:?}", opened.elapsed());
}

async fn a_connection_without_calls_is_ended_and_one_with_calls_is_not(on: Deployment) {
    let site = on.start_with(&IDLE);
    let (mut idle, mut busy) =
        (Frames::over(site.stream().await).await, Frames::over(site.stream().await).await);
    let ended = tokio::spawn(async move { until_the_end(&mut idle).await });
    let began = Instant::now();
    // A call that is open for longer than the time, and then one call after another.
    busy.send(HEADERS, END_HEADERS, 1, &call_block("/cache.CacheService/Set")).await;
    tokio::time::sleep(Duration::from_millis(1800)).await;
    busy.send(DATA, END_STREAM, 1, &framed(false, &item("k", "v").encode_to_vec())).await;
    for stream in [1, 3, 5, 7, 9, 11, 13] {
        if stream > 1 {
            let get = call_block("/cache.CacheService/Get");
            busy.request(stream, &get, 100, &key("k").encode_to_vec()).await;
        }
        let outcome = timeout(LONG, busy.outcome(stream)).await.unwrap();
        assert!(matches!(outcome, Outcome::Answered(Some(_))), "{stream}: {outcome:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(ended.await.unwrap(), [(1 << 31) - 1, 0]);
    assert!(began.elapsed() > Duration::from_secs(3));
    assert_eq!(until_the_end(&mut busy).await, [(1 << 31) - 1, 13]);
}

async fn a_call_that_is_open_at_the_age_is_answered(on: Deployment) {
    let site = on.start_with(&AGE);
    let mut frames = Frames::over(site.stream().await).await;
    frames.send(HEADERS, END_HEADERS, 1, &call_block("/cache.CacheService/Set")).await;
    let mut goaways = 0;
    while goaways < 2 {
        let (head, payload) = timeout(LONG, frames.read_frame()).await.unwrap().unwrap();
        match head[3] {
            GOAWAY => goaways += 1,
            PING if head[4] == 0 => frames.send(PING, 1, 0, &payload).await,
            _ => {}
        }
    }
    frames.send(DATA, END_STREAM, 1, &framed(false, &item("k", "v").encode_to_vec())).await;
    let outcome = timeout(LONG, frames.outcome(1)).await.unwrap();
    assert!(matches!(outcome, Outcome::Answered(Some(_))), "{outcome:?}");
    assert!(until_the_end(&mut frames).await.is_empty());
}

async fn a_retired_connection_is_counted_by_its_reason(on: Deployment) {
    const NAME: &str = "tiny_cache_connections_retired_total";
    for (vars, age, idle) in [(AGE, 1.0, 0.0), (IDLE, 0.0, 1.0)] {
        let site = on.start_with(&vars);
        let mut frames = Frames::over(site.stream().await).await;
        until_the_end(&mut frames).await;
        let scrape = Scrape::of(&site).await;
        for (reason, count) in [("age", age), ("idle", idle), ("grace", 0.0)] {
            let told = scrape.value(&format!("{NAME}{{reason=\"{reason}\"}}"));
            assert!((told - count).abs() < 0.5, "{reason}: {told}");
        }
    }
}

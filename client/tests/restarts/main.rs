//! A server that is restarted while it is used costs its callers retries, not errors, where they
//! have the patience for it, and nothing is done twice. Run it with `cargo test --profile checks --test restarts --
//! --ignored --nocapture`: it prints the figures that it judges.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

mod history; // what callers were told, and whether it can be true
mod load; // what they do

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tiny_cache_client::{Client, testing::TestServer};

use self::{
    history::{History, parse},
    load::{COUNTERS, Progress, Task},
};

const TASKS: u64 = 64;
const OPERATIONS: usize = 200_000;
const RESTARTS: usize = 2;

#[test]
#[ignore = "takes many seconds, and wants optimisation"]
fn a_server_that_is_restarted_twice_costs_no_error_and_nothing_is_done_twice() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = start("0").await;
        // A restart takes longer than the default pauses.
        let client = Client::builder(server.address()).python_defaults().connect().await.unwrap();
        let progress = Progress::new(OPERATIONS, RESTARTS + 1);
        let begin = Instant::now();
        let tasks: Vec<_> = (0..TASKS)
            .map(|n| tokio::spawn(Task::new(n + 1, client.clone(), progress.clone()).run()))
            .collect();

        let (server, outages) = restarts(server, &progress).await;
        let mut history = History::default();
        let mut latencies = Histogram::<u64>::new(3).unwrap();
        let mut operations = 0;
        for task in tasks {
            let task = task.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
            history.merge(task.history);
            latencies.add(task.latencies).unwrap();
            operations += task.operations;
        }
        let took = begin.elapsed();

        eprintln!("{operations} operations of {TASKS} tasks in {took:.1?}, without an error");
        for (n, outage) in outages.iter().enumerate() {
            let Outage { begun, ended, under_way, took } = outage;
            eprintln!(
                "restart {}: at operation {begun}, {under_way} under way; over after {took:.0?} \
                 at operation {ended}",
                n + 1
            );
        }
        let at = |quantile| Duration::from_micros(latencies.value_at_quantile(quantile));
        eprintln!(
            "latency: p50 {:.2?}, p99 {:.2?}, p99.9 {:.2?}, max {:.2?}",
            at(0.5),
            at(0.99),
            at(0.999),
            Duration::from_micros(latencies.max())
        );
        let (stored, lives) = (history.stored.len(), history.seeds.len());
        eprintln!("{COUNTERS} counters: {stored} steps in {lives} lives, none lost, none twice");

        assert!(operations >= OPERATIONS);
        assert_eq!(outages.len(), RESTARTS);
        for outage in &outages {
            // The server went away from operations under way, and there were more to come.
            assert!(outage.under_way > 0 && outage.ended < OPERATIONS, "{outage:?}");
        }
        history.check(&last(&client).await).unwrap();
        // Every counter was lost with every server, and begun again.
        assert_eq!(lives, COUNTERS * (RESTARTS + 1));
        server.shutdown().await;
    });
}

/// What a restart was like.
#[derive(Debug)]
struct Outage {
    /// Operations before it.
    begun: usize,
    /// Operations until the server was back.
    ended: usize,
    under_way: usize,
    took: Duration,
}

/// Restarts the server after each part of the operations but the last.
async fn restarts(mut server: TestServer, progress: &Progress) -> (TestServer, Vec<Outage>) {
    let port = server.address().rsplit(':').next().unwrap().to_owned();
    let mut outages = Vec::new();
    for _ in 0..RESTARTS {
        progress.parts.acquire().await.unwrap().forget();
        let (begin, begun) = (Instant::now(), progress.begun());
        let under_way = progress.under_way.load(Ordering::Relaxed);
        server.shutdown().await;
        server = start(&port).await;
        let (ended, took) = (progress.begun(), begin.elapsed());
        outages.push(Outage { begun, ended, under_way, took });
    }
    (server, outages)
}

async fn start(port: &str) -> TestServer {
    TestServer::start_with([("CACHE_WORKERS", "2"), ("CACHE_PORT", port)]).await.unwrap()
}

/// The counters as they are read at last.
async fn last(client: &Client) -> Vec<(usize, history::Life, u64)> {
    let mut last = Vec::new();
    for counter in 0..COUNTERS {
        let value = client.get_text(&format!("counter-{counter}")).await.unwrap().unwrap();
        let (life, number) = parse(&value).unwrap();
        last.push((counter, life, number));
    }
    last
}

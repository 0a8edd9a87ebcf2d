//! A client that is used from several runtimes, one after another or at once.

use std::{future::IntoFuture, time::Duration};

use tiny_cache_client::{Client, testing::TestServer};
use tokio::runtime::{Builder, Runtime};

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn writes_and_reads(client: &Client) {
    for n in 0..20 {
        client.set("k", n.to_string()).await.unwrap();
        assert_eq!(client.get_text("k").await.unwrap().unwrap(), n.to_string());
    }
}

#[test]
fn a_client_goes_on_when_the_runtime_that_made_it_has_ended() {
    let keeper = two_threads();
    let server = keeper.block_on(TestServer::start()).unwrap();
    for make in [one_thread, two_threads] {
        let first = make();
        let client = first.block_on(server.client()).unwrap();
        first.block_on(writes_and_reads(&client));
        drop(first);
        for make in [one_thread, two_threads, one_thread] {
            let next = make();
            next.block_on(writes_and_reads(&client));
            next.shutdown_timeout(Duration::from_secs(10));
        }
        one_thread().block_on(client.close());
    }
}

#[test]
fn a_runtime_can_end_while_calls_of_another_are_under_way() {
    let keeper = two_threads();
    let server = keeper.block_on(TestServer::start()).unwrap();
    let stays = two_threads();
    for _ in 0..10 {
        let ends = two_threads();
        let builder = Client::builder(server.address()).first_backoff(Duration::from_millis(5));
        let client = ends.block_on(builder.connect()).unwrap();
        let callers: Vec<_> = (0..8)
            .map(|n| {
                let client = client.clone();
                stays.spawn(async move {
                    for _ in 0..50 {
                        client.set(&n.to_string(), vec![0; 1_000]).await.unwrap();
                    }
                })
            })
            .collect();
        ends.shutdown_background();
        for caller in callers {
            stays.block_on(caller).unwrap();
        }
        stays.block_on(client.close());
    }
}

#[test]
fn a_client_may_be_dropped_anywhere() {
    let runtime = two_threads();
    let server = runtime.block_on(TestServer::start()).unwrap();
    let client = runtime.block_on(server.client()).unwrap();
    drop(client);
    let client = runtime.block_on(server.client()).unwrap();
    runtime.shutdown_background();
    drop(client);
}

#[test]
fn a_client_can_be_built_outside_a_runtime() {
    let runtime = one_thread();
    let server = runtime.block_on(TestServer::start()).unwrap();
    let client = Client::builder(server.address()).build().unwrap();
    runtime.block_on(writes_and_reads(&client));
}

/// The health checks that the server has answered.
async fn checks(server: &TestServer) -> f64 {
    let mut http = crate::http::Http::connect(server.http_address()).await.unwrap();
    let metrics = http.get("/metrics").await.unwrap().body;
    let lines = metrics.lines().filter(|line| {
        line.starts_with("rpc_server_call_duration_seconds_count")
            && line.contains("grpc.health.v1.Health/Check")
    });
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// The checks ran on the runtime that had built the client, and ended with it: later
/// connections were never checked.
#[test]
fn health_checks_follow_the_calls_to_another_runtime() {
    let keeper = two_threads();
    let server = keeper.block_on(TestServer::start()).unwrap();
    for make in [one_thread, two_threads] {
        let first = make();
        let builder =
            Client::builder(server.address()).health_check_interval(Duration::from_millis(20));
        let client = first.block_on(builder.connect()).unwrap();
        first.block_on(writes_and_reads(&client));
        drop(first);
        let next = make();
        next.block_on(async {
            writes_and_reads(&client).await;
            let before = checks(&server).await;
            let begin = std::time::Instant::now();
            while checks(&server).await < before + 3.0 {
                assert!(begin.elapsed() < Duration::from_secs(30), "no checks are made");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }
}

/// A current-thread runtime that is kept but not run drives its connections no more. A call
/// from elsewhere waited on them for its whole time.
#[test]
fn a_runtime_that_is_not_run_holds_calls_up_for_no_more_than_some_tries() {
    let keeper = two_threads();
    let server = keeper.block_on(TestServer::start()).unwrap();
    let parked = one_thread();
    let client = parked.block_on(server.client()).unwrap();
    parked.block_on(writes_and_reads(&client));
    let next = one_thread();
    // The tries take a second each, the last of them over a connection of this runtime.
    let call = client.set("k", "v").total_deadline(Duration::from_secs(30));
    next.block_on(call.into_future()).unwrap();
    next.block_on(writes_and_reads(&client));
}

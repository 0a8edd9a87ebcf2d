//! A client that is used from several runtimes, one after another or at once.

use std::time::Duration;

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
fn a_client_can_be_built_outside_a_runtime_if_it_makes_no_checks() {
    let runtime = one_thread();
    let server = runtime.block_on(TestServer::start()).unwrap();
    let client = Client::builder(server.address()).health_check_interval(Duration::ZERO).build();
    runtime.block_on(writes_and_reads(&client.unwrap()));
}

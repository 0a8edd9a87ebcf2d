//! `get_or_fill`: one call to the origin for all that miss, and no failure by the cache.

use std::{
    convert::Infallible,
    future::IntoFuture,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tiny_cache_client::{
    ChangeOutcome, Claimed, Client, Condition, FillError, testing::TestServer,
};
use tokio::task::JoinSet;

/// Something slow.
#[derive(Clone, Default)]
struct Origin(Arc<AtomicUsize>);

impl Origin {
    async fn load(self) -> Result<String, Infallible> {
        let asked = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(format!("made in call {asked}"))
    }

    fn asked(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Callers of one key through as many clients, which share nothing, as if in processes of their own.
async fn stampede(
    server: &TestServer,
    clients: usize,
    callers: usize,
    origin: &Origin,
) -> Duration {
    let mut all = Vec::new();
    for _ in 0..clients {
        all.push(server.client().await.unwrap());
    }
    for client in &all {
        assert!(client.ping().await);
    }
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let (client, origin) = (all[caller % clients].clone(), origin.clone());
        tasks
            .spawn(async move { client.get_or_fill("page", move || origin.load()).await.unwrap() });
    }
    for value in tasks.join_all().await {
        assert_eq!(value, "made in call 1");
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stampede_makes_one_call_to_the_origin() {
    for clients in [1, 50] {
        let server = TestServer::start().await.unwrap();
        let origin = Origin::default();
        let took = stampede(&server, clients, 2000, &origin).await;
        println!("2,000 callers through {clients} clients were answered in {took:?}");
        assert_eq!(origin.asked(), 1);
        // What it is without load, with the noise of a busy machine.
        assert!(took < Duration::from_secs(3), "{took:?}");
        let client = server.client().await.unwrap();
        assert_eq!(client.get("page").await.unwrap().unwrap(), "made in call 1");
    }
}

#[tokio::test]
async fn a_caller_that_dies_lets_the_next_one_fill() {
    let server = TestServer::start().await.unwrap();
    let (first, second) = (server.client().await.unwrap(), server.client().await.unwrap());
    let dies = tokio::spawn(async move {
        let never = std::future::pending::<Result<String, Infallible>>;
        first.get_or_fill("page", never).await
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    let origin = Origin::default();
    let fills = second.get_or_fill("page", || origin.load()).into_future();
    dies.abort();
    assert_eq!(fills.await.unwrap(), "made in call 1");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(second.get("page").await.unwrap().unwrap(), "made in call 1");
}

#[tokio::test]
async fn a_failure_of_the_origin_is_its_callers_alone() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let failed = client.get_or_fill("page", || async { Err::<String, _>("no such page") }).await;
    assert!(matches!(failed, Err(FillError::Origin("no such page"))), "{failed:?}");
    assert_eq!(client.get("page").await.unwrap(), None);
    let filled = client.get_or_fill("page", || Origin::default().load()).await;
    assert_eq!(filled.unwrap(), "made in call 1");
}

#[tokio::test]
async fn a_cache_that_is_away_is_no_failure() {
    let client = Client::builder("127.0.0.1:1").retries(0).build().unwrap();
    let filled = client.get_or_fill("page", || Origin::default().load()).await;
    assert_eq!(filled.unwrap(), "made in call 1");
    let refused = client.get_or_fill("", || Origin::default().load()).await;
    assert!(matches!(refused, Err(FillError::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn a_value_that_is_newer_than_the_origins_stays() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let other = client.clone();
    let slow = || async move {
        other.set("page", "newer").await.unwrap();
        Ok::<_, Infallible>("older")
    };
    assert_eq!(client.get_or_fill("page", slow).await.unwrap(), "older");
    assert_eq!(client.get("page").await.unwrap().unwrap(), "newer");
}

#[tokio::test]
async fn a_fill_keeps_to_its_ttl_and_its_namespace() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let request = client.get_or_fill("page", || Origin::default().load()).namespace("team");
    request.ttl(Duration::from_millis(1500)).await.unwrap();
    let team = client.in_namespace("team").unwrap();
    let left = team.read("page").await.unwrap().unwrap().ttl_left.unwrap();
    assert!(left <= Duration::from_millis(1500), "{left:?}");
    assert_eq!(client.get("page").await.unwrap(), None);
}

#[tokio::test]
async fn a_lease_is_claimed_given_back_and_lost() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let span = Duration::from_secs(5);
    let Claimed::Granted(lease) = client.claim("k", span).await.unwrap() else { panic!("a lease") };
    assert_eq!(
        client.claim("k", span).wait(Duration::from_millis(10)).await.unwrap(),
        Claimed::Busy
    );
    assert!(client.release("k", lease).await.unwrap());
    assert!(!client.release("k", lease).await.unwrap());
    let written = client.write("k", "late").with_lease(lease).await.unwrap();
    assert_eq!((written.outcome, written.version), (ChangeOutcome::LeaseLost, None));

    let Claimed::Granted(lease) = client.claim("k", span).await.unwrap() else { panic!("a lease") };
    let absent = client.write("k", "v").with_lease(lease).when(Condition::Absent).await.unwrap();
    assert!(absent.is_applied());
    let Claimed::Found(entry) = client.claim("k", span).await.unwrap() else { panic!("an entry") };
    assert_eq!(Some(entry.version), absent.version);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn across_an_expiry_nobody_waits() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let origin = Origin::default();
    let ask = || {
        let (client, origin) = (client.clone(), origin.clone());
        async move {
            let begun = Instant::now();
            let fill = client.get_or_fill("page", move || origin.load());
            let fill = fill.ttl(Duration::from_millis(200)).stale_for(Duration::from_secs(60));
            (fill.await.unwrap(), begun.elapsed())
        }
    };
    assert_eq!(ask().await.0, "made in call 1");
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(client.get("page").await.unwrap(), None, "the first service has no stale values");
    let mut callers = JoinSet::new();
    (0..500).for_each(|_| drop(callers.spawn(ask())));
    for (value, took) in callers.join_all().await {
        assert_eq!(value, "made in call 1");
        // The origin takes 100 ms.
        assert!(took < Duration::from_millis(90), "{took:?}");
    }
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(origin.asked(), 2);
    assert_eq!(ask().await.0, "made in call 2");
}

#[tokio::test]
async fn a_value_is_refreshed_before_it_expires() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let minute = Duration::from_secs(60);
    let written = client.write("page", "old").ttl(minute).refresh_before(minute).await.unwrap();
    let origin = Origin::default();
    let value = client.get_or_fill("page", || origin.load()).await.unwrap();
    assert_eq!(value, "old");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let entry = client.read("page").await.unwrap().unwrap();
    assert!(entry.version > written.version.unwrap());
    assert_eq!(entry.value.unwrap(), "made in call 1");
}

/// What was made before an invalidation reaches its caller, and nobody after it.
#[tokio::test]
async fn what_was_invalidated_while_it_was_made_is_not_stored() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let other = client.clone();
    let slow = move || async move {
        other.invalidate(["author:3"]).await.unwrap();
        Ok::<_, Infallible>("older")
    };
    assert_eq!(client.get_or_fill("page", slow).tags(["author:3"]).await.unwrap(), "older");
    assert_eq!(client.get("page").await.unwrap(), None);
    let origin = Origin::default();
    let fill = || {
        let origin = origin.clone();
        client.get_or_fill("page", || origin.load()).tags(["author:3"])
    };
    assert_eq!(fill().await.unwrap(), "made in call 1");
    assert_eq!(fill().await.unwrap(), "made in call 1");
    client.invalidate(["author:3"]).await.unwrap();
    assert_eq!(fill().await.unwrap(), "made in call 2");
    client.invalidate_namespace().await.unwrap();
    assert_eq!(fill().await.unwrap(), "made in call 3");
}

//! Nodes over one tier, and what is asked of them.

use std::time::{Duration, Instant};

use tiny_cache_proto::cache::{CacheItem, CacheKey};
use tonic::Code;

use crate::support::{Cache, Deployment, Site, redis::Watched};

/// How long something may take that comes by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A node over this tier.
pub(crate) fn node(url: &str, vars: &[(&str, &str)]) -> Site {
    let mut all = vec![("CACHE_BACKEND", "redis"), ("CACHE_BACKEND_URL", url)];
    if !vars.iter().any(|(name, _)| *name == "CACHE_BACKEND_REQUIRED") {
        all.push(("CACHE_BACKEND_REQUIRED", "true"));
    }
    all.extend(vars);
    Deployment::SeveralWorkersAndShards.start_with(&all)
}

pub(crate) async fn set(cache: &mut Cache, name: &str, value: &str) -> Code {
    let item = CacheItem { key: name.into(), value: value.to_owned().into(), ttl: 0 };
    cache.set(item).await.map_or_else(|status| status.code(), |_| Code::Ok)
}

pub(crate) async fn get(cache: &mut Cache, name: &str) -> Option<String> {
    let found = cache.get(CacheKey { key: name.into() }).await.unwrap();
    found.found.then(|| String::from_utf8(found.value.to_vec()).unwrap())
}

/// Reads until the value is near, so that the next read asks nobody.
pub(crate) async fn warm(site: &Site, cache: &mut Cache, name: &str) {
    until("the value is near", async || {
        let before =
            figure(site, r#"tiny_cache_backend_command_duration_seconds_count{command="read"}"#)
                .await;
        get(cache, name).await;
        let after =
            figure(site, r#"tiny_cache_backend_command_duration_seconds_count{command="read"}"#)
                .await;
        before == after
    })
    .await;
}

/// A sample of the metrics.
pub(crate) async fn figure(site: &Site, sample: &str) -> f64 {
    let metrics = site.http("/metrics").await;
    let metrics = metrics.body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample}")).parse().unwrap()
}

pub(crate) async fn is_up(site: &Site) -> bool {
    figure(site, "tiny_cache_backend_up").await > 0.5
}

/// Waits until something holds that comes by itself.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < give_up, "it never comes so far that {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Kills the server that the node of `site` uses, and sees it go on with the replica that the
/// sentinels make the primary.
pub(crate) async fn fail_over(watched: &mut Watched, site: &Site) -> Cache {
    let mut cache = site.connect().await;
    assert_eq!(set(&mut cache, "k", "v").await, Code::Ok);
    warm(site, &mut cache, "k").await;
    until("it is replicated", async || {
        watched.replica.ask(&["GET", "tiny-cache::k"]).contains('v')
    })
    .await;
    watched.server.kill();
    until("it is noticed", async || !is_up(site).await).await;
    until("the replica is found", async || is_up(site).await).await;
    assert_eq!(get(&mut cache, "k").await.as_deref(), Some("v"));
    until("it takes writes", async || set(&mut cache, "k", "w").await == Code::Ok).await;
    assert!(watched.replica.ask(&["GET", "tiny-cache::k"]).contains('w'));
    cache
}

//! Nodes over one tier, and what is asked of them.

use std::time::{Duration, Instant};

use tiny_cache_proto::cache::{CacheItem, CacheKey};
use tonic::Code;

use crate::support::{Cache, Deployment, Site};

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

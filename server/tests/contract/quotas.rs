//! Quotas of namespaces over real sockets: what a namespace does beyond them is its own loss.

use std::{io::Write, path::PathBuf};

use tempfile::NamedTempFile;
use tiny_cache_proto::cache::{CacheOperationResult, CacheStatus, Empty};
use tonic::{Code, Status};

use crate::support::{
    Cache, Deployment, Site,
    messages::{every_call, item, items, key, keys, swap, within},
    scrape::Scrape,
};

crate::rows![
    a_namespace_at_its_quota_loses_its_own_entries_and_no_others,
    a_value_that_is_larger_than_all_of_a_quota_is_refused_by_the_quotas_name,
    in_a_batch_a_value_beyond_the_quota_is_the_items_error,
    requests_beyond_the_rate_are_refused_at_once_and_those_of_others_are_answered,
    a_batch_counts_as_its_items,
    usage_and_quotas_stand_on_the_http_port,
];

/// A server with these quotas, whose file lives as long as it.
struct Limited {
    site: Site,
    file: NamedTempFile,
}

fn file(quotas: &str) -> (NamedTempFile, PathBuf) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(quotas.as_bytes()).unwrap();
    let path = file.path().to_owned();
    (file, path)
}

fn limited(on: Deployment, quotas: &str) -> Limited {
    let (file, path) = file(quotas);
    let site = on.start_with(&[("CACHE_QUOTAS_PATH", path.to_str().unwrap())]);
    Limited { site, file }
}

async fn held(cache: &mut Cache, namespace: &str, names: impl Iterator<Item = String>) -> usize {
    let found = cache.multi_get(within(namespace, keys(names))).await.unwrap();
    found.items.iter().filter(|item| item.found).count()
}

fn assert_refused(refused: Result<(), Status>, begin: &str) {
    let status = refused.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().starts_with(begin), "{}", status.message());
    assert!(status.message().ends_with("raise it in CACHE_QUOTAS_PATH"), "{}", status.message());
}

async fn a_namespace_at_its_quota_loses_its_own_entries_and_no_others(on: Deployment) {
    let limited = limited(on, "[namespace.noisy]\nmax_entries = 50\nmax_bytes = '1MiB'");
    let mut cache = limited.site.connect().await;
    let names = || (0..200).map(|n| format!("k{n}"));
    for name in names() {
        cache.set(within("quiet", item(name.clone(), "v"))).await.unwrap();
        cache.set(item(name.clone(), "v")).await.unwrap();
        cache.set(within("noisy", item(name, "v"))).await.unwrap();
    }
    cache.multi_set(within("noisy", items(names().map(|name| item(name, "w"))))).await.unwrap();
    assert_eq!(held(&mut cache, "noisy", names()).await, 50);
    assert_eq!(held(&mut cache, "quiet", names()).await, 200);
    assert_eq!(held(&mut cache, "", names()).await, 200);
    let newest = (150..200).map(|n| format!("k{n}"));
    assert_eq!(held(&mut cache, "noisy", newest).await, 50);

    // Large ones take as much room as they need, and no more than there is.
    for n in 0..20 {
        let large = item(format!("large{n}"), vec![7; 300_000]);
        cache.set(within("noisy", large)).await.unwrap();
    }
    let large = (0..20).map(|n| format!("large{n}"));
    assert_eq!(held(&mut cache, "noisy", large).await, 3);
    assert_eq!(held(&mut cache, "quiet", names()).await, 200);
}

async fn a_value_that_is_larger_than_all_of_a_quota_is_refused_by_the_quotas_name(on: Deployment) {
    let limited = limited(on, "[namespace.shop]\nmax_bytes = 10000");
    let mut cache = limited.site.connect().await;
    cache.set(within("shop", item("k", "old"))).await.unwrap();
    let large = vec![7; 10_000];
    let said = "quota max_bytes=10000 of namespace \"shop\" is less than the ";
    let set = cache.set(within("shop", item("k", large.clone()))).await;
    assert_refused(set.map(drop), said);
    let set = cache.set_if_absent(within("shop", item("n", large.clone()))).await;
    assert_refused(set.map(drop), said);
    let swapped = cache.compare_and_set(within("shop", swap("k", "old", large.clone()))).await;
    assert_refused(swapped.map(drop), said);
    assert_eq!(cache.get(within("shop", key("k"))).await.unwrap().value, "old");
    // No other namespace has that quota.
    cache.set(within("other", item("k", large.clone()))).await.unwrap();
    cache.set(item("k", large)).await.unwrap();
}

async fn in_a_batch_a_value_beyond_the_quota_is_the_items_error(on: Deployment) {
    let limited = limited(on, "[namespace.shop]\nmax_bytes = 10000");
    let mut cache = limited.site.connect().await;
    let batch = [item("a", "v"), item("b", vec![7; 10_000]), item("c", "v")];
    let reply = cache.multi_set(within("shop", items(batch))).await.unwrap();
    let status: Vec<_> = reply.items.iter().map(CacheOperationResult::status).collect();
    assert_eq!(status, [CacheStatus::Ok, CacheStatus::Error, CacheStatus::Ok]);
    let error = &reply.items[1].error;
    assert!(error.starts_with("quota max_bytes=10000 of namespace \"shop\" is less"), "{error}");
    let found = cache.multi_get(within("shop", keys(["a", "b", "c"]))).await.unwrap();
    let found: Vec<_> = found.items.iter().map(|item| item.found).collect();
    assert_eq!(found, [true, false, true]);
}

/// A thousand requests, and then one a second.
const SELDOM: &str = "[namespace.shop]\nrequests_per_second = 1\nburst = 1000\n";

async fn requests_beyond_the_rate_are_refused_at_once_and_those_of_others_are_answered(
    on: Deployment,
) {
    let limited = limited(on, SELDOM);
    let mut cache = limited.site.connect().await;
    cache.set(within("shop", item("k", "v"))).await.unwrap();
    let names = || (0..990).map(|n| format!("k{n}"));
    cache.multi_get(within("shop", keys(names()))).await.unwrap();
    let mut wire = limited.site.wire().await;
    let shop: [(&str, &[u8]); 1] = [("x-cache-namespace", b"shop")];
    for call in every_call() {
        // What is left of it, and what comes back meanwhile.
        let status = loop {
            let reply = wire.call(&call.path(), &shop, &call.message).await.unwrap();
            if reply.status.code() != Code::Ok {
                break reply.status;
            }
        };
        assert_eq!(status.code(), Code::ResourceExhausted, "{}: {status:?}", call.rpc);
        let said = "quota requests_per_second=1 of namespace \"shop\" is used up; try again in ";
        assert!(status.message().starts_with(said), "{}", status.message());
        let wait = status.metadata().get("grpc-retry-pushback-ms").unwrap().to_str().unwrap();
        assert!((1..=2_000).contains(&wait.parse::<u64>().unwrap()), "{wait}");
        let other: [(&str, &[u8]); 1] = [("x-cache-namespace", b"other")];
        for others in [&[][..], &other] {
            let reply = wire.call(&call.path(), others, &call.message).await.unwrap();
            assert_eq!(reply.status.code(), Code::Ok, "{}", call.rpc);
        }
    }
}

async fn a_batch_counts_as_its_items(on: Deployment) {
    let limited = limited(on, SELDOM);
    let mut cache = limited.site.connect().await;
    let names = |n| (0..n).map(|n| format!("k{n}"));
    let refused = cache.multi_get(within("shop", keys(names(1001)))).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(
        refused.message(),
        "quota burst=1000 of namespace \"shop\" is less than the 1001 items of this batch; send \
         smaller ones or raise it in CACHE_QUOTAS_PATH"
    );
    // To ask again as it is would not help.
    assert!(refused.metadata().get("grpc-retry-pushback-ms").is_none());
    cache.multi_get(within("shop", keys(names(900)))).await.unwrap();
    let refused = cache.multi_set(within("shop", items(names(500).map(|name| item(name, "v")))));
    let refused = refused.await.unwrap_err();
    assert!(refused.message().starts_with("quota requests_per_second=1 of"), "{refused:?}");
    let none = cache.multi_get(within("shop", keys(names(3)))).await.unwrap();
    assert!(none.items.iter().all(|item| !item.found), "nothing of it was done");
}

async fn usage_and_quotas_stand_on_the_http_port(on: Deployment) {
    let quotas = "
        [namespace.shop]
        max_bytes = '1MiB'
        max_entries = 3
        requests_per_second = 1000000
        burst = 100
        [namespace.'*']
        max_bytes = 5000
        [namespace._shared]
    ";
    let limited = limited(on, quotas);
    let mut cache = limited.site.connect().await;
    for n in 0..5 {
        cache.set(within("shop", item(format!("k{n}"), "v"))).await.unwrap();
    }
    cache.multi_get(within("shop", keys((0..101).map(|n| n.to_string())))).await.unwrap_err();
    cache.set(within("team", item("k", "v"))).await.unwrap();
    cache.set(within("team", item("k", vec![7; 5_000]))).await.unwrap_err();
    let scrape = Scrape::of(&limited.site).await;
    let of = |figure: &str, labels: &str| {
        scrape.find(&format!("tiny_cache_namespace_{figure}{{cache_namespace={labels}}}"))
    };
    for (figure, labels, value) in [
        ("quota_bytes", "\"shop\"", Some(1_048_576.0)),
        ("quota_bytes", "\"team\"", Some(5_000.0)),
        ("quota_bytes", "\"_other\"", Some(5_000.0)),
        ("quota_bytes", "\"_shared\"", None),
        ("quota_entries", "\"shop\"", Some(3.0)),
        ("quota_entries", "\"team\"", None),
        ("quota_requests_per_second", "\"shop\"", Some(1_000_000.0)),
        ("quota_evictions_total", "\"shop\"", Some(2.0)),
        ("quota_evictions_total", "\"team\"", Some(0.0)),
        ("quota_refusals_total", "\"shop\",quota=\"requests_per_second\"", Some(1.0)),
        ("quota_refusals_total", "\"shop\",quota=\"max_bytes\"", Some(0.0)),
        ("quota_refusals_total", "\"team\",quota=\"max_bytes\"", Some(1.0)),
        ("quota_refusals_total", "\"team\",quota=\"requests_per_second\"", None),
        ("entries", "\"shop\"", Some(3.0)),
        ("evictions_total", "\"shop\"", Some(2.0)),
        ("refusals_total", "\"shop\"", Some(1.0)),
        ("refusals_total", "\"team\"", Some(1.0)),
    ] {
        assert_eq!(of(figure, labels), value, "{figure} {labels}");
    }
    assert_eq!(scrape.find("tiny_cache_evictions_by_cause_total{cause=\"quota\"}"), Some(2.0));
    let stats = cache.stats(Empty {}).await.unwrap();
    assert_eq!((stats.evictions, stats.lru_evictions), (2, 0));

    let page: serde_json::Value =
        serde_json::from_str(&limited.site.http("/namespaces").await.body).unwrap();
    let names: Vec<_> = page["namespaces"].as_array().unwrap().iter().collect();
    let named = |name| *names.iter().find(|of| of["namespace"] == name).unwrap();
    let shop = named("shop");
    assert_eq!((&shop["entries"], &shop["refusals"]), (&3.into(), &1.into()));
    assert_eq!(shop["memory_usage_bytes"].as_f64(), of("memory_usage_bytes", "\"shop\""));
    assert_eq!(
        shop["quota"],
        serde_json::json!({
            "max_bytes": 1_048_576, "max_entries": 3, "requests_per_second": 1_000_000,
            "burst": 100, "evictions": 2, "refused_requests": 1, "refused_entries": 0,
        })
    );
    assert_eq!(named("_shared")["quota"]["max_bytes"], serde_json::Value::Null);
}

#[test]
fn a_changed_file_is_gone_by_and_a_broken_one_changes_nothing() {
    crate::support::run(async {
        let limited = limited(Deployment::SeveralWorkersAndShards, "[namespace]\n");
        let (site, path) = (&limited.site, limited.file.path());
        let mut cache = site.connect().await;
        let names = || (0..100).map(|n| format!("k{n}"));
        cache.multi_set(within("shop", items(names().map(|name| item(name, "v"))))).await.unwrap();
        cache.multi_set(items(names().map(|name| item(name, "v")))).await.unwrap();

        std::fs::write(path, "[namespace.shop]\nmax_entries = 10\n").unwrap();
        site.server.reload();
        let entries = "tiny_cache_namespace_entries{cache_namespace=\"shop\"}";
        // Those beyond it go by themselves.
        Scrape::until(site, |scrape| scrape.find(entries) == Some(10.0)).await;
        assert_eq!(held(&mut cache, "", names()).await, 100);

        std::fs::write(path, "[namespace.shop]\nmax_entries = ten\n").unwrap();
        site.server.reload();
        let failed = "tiny_cache_reloads_total{file=\"quotas\",result=\"failed\"}";
        Scrape::until(site, |scrape| scrape.find(failed).is_some_and(|n| n > 0.0)).await;
        cache.multi_set(within("shop", items(names().map(|name| item(name, "v"))))).await.unwrap();
        assert_eq!(held(&mut cache, "shop", names()).await, 10);
    });
}

#[test]
fn without_quotas_no_metric_speaks_of_them() {
    crate::support::run(async {
        let site = Deployment::OneWorkerOneShard.start();
        assert!(!Scrape::of(&site).await.page.contains("_quota_"));
    });
}

#[test]
fn a_file_that_is_wrong_stops_the_start_with_file_line_and_remedy() {
    let (_file, path) = file("[namespace.shop]\nmax_byte = 5\n");
    let mut vars = crate::support::deployment::loopback();
    vars.push(("CACHE_QUOTAS_PATH".into(), path.to_str().unwrap().into()));
    let settings = tiny_cache_server::Settings::from_vars(vars).unwrap();
    let said = tiny_cache_server::Server::start(settings).unwrap_err().to_string();
    let begin =
        format!("CACHE_QUOTAS_PATH: {}, line 2: unknown field `max_byte`, ", path.display());
    assert!(said.starts_with(&begin), "{said}");
}

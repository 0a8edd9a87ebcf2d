//! Several servers behind `--target`, and `where`.

use serde_json::json;
use tiny_cache_test_support::process::Run;

use crate::cache::{Cache, command, run};

#[test]
fn keys_are_spread_over_the_servers_of_the_target() {
    let (a, b) = (Cache::start(), Cache::start());
    let target = format!("a={}, b={}@2", a.address(), b.address());
    let run = |args: &[&str]| command(["--target", &target].iter().chain(args)).run();
    run(&["mset", "k6=6", "k7=7", "k8=8", "k9=9", "k10=10", "k11=11"]).ended(0, "");
    run(&["mget", "k11", "k6", "k8"]).ended(0, "k11\t11\nk6\t6\nk8\t8\n");
    run(&["get", "k8"]).ended(0, "8");

    // Each key is where `where` says.
    let placed = run(&["where", "k6", "k7", "k8", "k9", "k10", "k11", "--output", "json"]).json();
    let items = placed["items"].as_array().unwrap();
    let on_a = items.iter().filter(|item| item["server"] == "a").count() as u64;
    assert_eq!(on_a, 2, "{placed}");
    for (cache, count) in [(&a, on_a), (&b, 6 - on_a)] {
        assert_eq!(cache.run(["stats", "--output", "json"]).json()["entries"], count);
    }
    assert_eq!(run(&["stats", "--output", "json"]).json()["entries"], 6);
    assert_eq!(run(&["ping", "--output", "json"]).json()["alive"], true);
}

#[test]
fn where_names_the_server_without_a_call() {
    let target = ["--target", "tiny-cache-0.nodes,tiny-cache-1.nodes:7"];
    let run = |args: &[&str]| command(target.iter().chain(args)).run();
    run(&["where", "user:7", "tab\tkey"]).ended(
        0,
        "user:7\ttiny-cache-1.nodes\tgrpc://tiny-cache-1.nodes:7\n\
         tab\\tkey\ttiny-cache-0.nodes\tgrpc://tiny-cache-0.nodes:50051\n",
    );
    let place = run(&["--namespace", "team", "where", "user:7", "--output", "json"]).json();
    assert_eq!(
        place,
        json!({ "items": [{
            "key": "user:7",
            "server": "tiny-cache-0.nodes",
            "address": "grpc://tiny-cache-0.nodes:50051",
        }] })
    );
}

#[test]
fn a_name_stands_for_all_of_its_addresses() {
    let cache = Cache::start();
    let target = format!("dns:///localhost:{}", cache.port());
    let run = |args: &[&str]| command(["--target", &target].iter().chain(args)).run();
    run(&["set", "k", "v"]).ended(0, "");
    let address = cache.address();
    run(&["where", "k"]).ended(0, format!("k\t{address}\tgrpc://{address}\n"));
    assert_eq!(cache.run(["stats", "--output", "json"]).json()["entries"], 1);
}

#[test]
fn a_bad_list_is_refused_with_the_server_that_is_wrong() {
    for (target, error) in [
        ("a:1,a:2", "two servers have the name `a`"),
        ("a:1,b:x", "bad address `b:x`"),
        ("a:1,b:2@0", "bad server `grpc"),
        ("a:1,", "bad address ``"),
        ("dns:///a b", "bad address `a b`"),
    ] {
        let ended = run(["--target", target, "where", "k"]);
        assert!(ended.error().starts_with(error), "{target}: {ended:?}");
    }
    let ended = run(["--target", "a:1,grpc://b:2", "--tls", "where", "k"]);
    assert!(ended.error().contains("grpc://b:2 is plain, but --tls asks for TLS"), "{ended:?}");
}

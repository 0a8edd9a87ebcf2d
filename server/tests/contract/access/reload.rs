//! Files that change while calls are made: none is refused that the files allow throughout, none
//! passes that they never allow.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde_json::json;
use tonic::Code;

use crate::support::{Deployment, http::sample, messages::every_call};

use super::callers::{Files, KNOWN, STRANGER, claims, line, rules, token};

crate::rows![files_may_change_under_load];

const CHANGES: usize = 30;
const PAUSE: Duration = Duration::from_millis(100);

async fn files_may_change_under_load(on: Deployment) {
    let files = Files::new();
    let site = files.start(on);
    let stop = AtomicBool::new(false);
    let alice = format!("Bearer {}", KNOWN.sign(&claims("alice", json!({}))));
    let forged = format!("Bearer {}", STRANGER.sign(&claims("alice", json!({}))));
    let reader = format!("Bearer {}", token("reader"));
    let retired = format!("Bearer {}", token("retired"));
    let cases = [
        (reader.clone(), "Get", "shop", Code::Ok),
        (reader.clone(), "Get", "shop-eu", Code::Ok),
        (alice, "Get", "shop", Code::Ok),
        (reader.clone(), "Set", "shop", Code::PermissionDenied),
        (reader, "Get", "other", Code::PermissionDenied),
        (forged, "Get", "shop", Code::Unauthenticated),
        (retired, "Get", "shop", Code::Unauthenticated),
    ];
    let (site, running) = (&site, &stop);
    let callers: Vec<_> = cases
        .into_iter()
        .map(|(authorization, rpc, namespace, expected)| async move {
            let call = every_call().into_iter().find(|call| call.rpc == rpc).unwrap();
            let mut wire = site.wire().await;
            let metadata = [
                ("authorization", authorization.as_bytes()),
                ("x-cache-namespace", namespace.as_bytes()),
            ];
            let mut calls = 0;
            while !running.load(Ordering::Relaxed) {
                let reply = wire.call(&call.path(), &metadata, &call.message).await.unwrap();
                assert_eq!(reply.code(), expected, "{rpc} in {namespace}: {reply:?}");
                calls += 1;
                // So that the others, and whoever changes the files, have their turns.
                tokio::task::yield_now().await;
            }
            calls
        })
        .collect();
    let changes = async {
        for round in 0..CHANGES {
            change(&files, round);
            assert!(site.server.reload());
            tokio::time::sleep(PAUSE).await;
        }
        // A busy machine may take several changes for one, but not all of them.
        let count = async |result: &str| {
            let name = format!("tiny_cache_reloads_total{{file=\"access\",result=\"{result}\"}}");
            sample(&site.http("/metrics").await.body, &name).unwrap()
        };
        let give_up = Instant::now() + Duration::from_secs(30);
        while count("ok").await < 2.0 || count("failed").await < 1.0 {
            assert!(Instant::now() < give_up, "the files were not read again");
            change(&files, 0);
            site.server.reload();
            tokio::time::sleep(PAUSE).await;
            change(&files, 2);
            site.server.reload();
            tokio::time::sleep(PAUSE).await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (calls, ()) = tokio::join!(futures::future::join_all(callers), changes);
    assert!(calls.iter().all(|calls| *calls > CHANGES), "{calls:?}");
}

/// Another set of files: all of them say of our callers what the first one said. Each third is
/// broken, and allows what it must not where anybody took a part of it. What breaks it is written
/// first and mended last, because a server may read at any time.
fn change(files: &Files, round: usize) {
    let reader = line("reader", &token("reader"));
    let passing = line(&format!("extra{round}"), &token(&format!("extra{round}")));
    let extra = format!(
        "[[rule]]\nidentity = \"token:extra{round}\"\nnamespaces = [\"*\"]\nrights = [\"write\"]\n"
    );
    let keys = json!({ "keys": [KNOWN.jwk()] }).to_string();
    match round % 3 {
        0 => {
            files.write("tokens", &(reader + &passing));
            files.write("rules.toml", &(extra + &rules()));
            files.write("keys.json", &keys);
        }
        1 => {
            files.write("tokens", &(passing + &reader));
            files.write("rules.toml", &rules());
            files.write("keys.json", &keys);
        }
        _ => {
            files.write("keys.json", "{ broken");
            files.write("tokens", &(line("reader", &token("retired")) + &reader));
            let everything =
                rules().replace("\"shop\"", "\"*\"").replace("[\"read\"]", "[\"write\"]");
            files.write("rules.toml", &everything);
        }
    }
}

//! A thousand histories of eight clients who contend for a few keys, in which entries expire and,
//! on a full cache, are evicted: each key must have answered as one register does.

use std::time::Instant;

use crate::{
    setting::deployments,
    support::{
        contention::{CLIENTS, Contender, Judged, histories_have_an_order},
        register::Departure,
        run,
    },
};

const HISTORIES: u64 = 1000;

/// Histories that run at once.
const WAVE: usize = 40;

const POLICIES: [&str; 3] = ["window", "tinylfu", "lru"];

#[test]
#[ignore = "a thousand histories; make test-hardening runs it"]
fn a_thousand_histories_of_contended_keys_have_an_order() {
    let deployments = deployments();
    // Of each deployment, half with room for all, and half on full caches.
    let each = HISTORIES.div_ceil(deployments.len() as u64 * 6);
    let mut all = 0;
    for (row, deployment) in (0..).zip(deployments) {
        let started = Instant::now();
        let roomy = ("window", "0", Departure::AtDeadline, 3 * each);
        let full = POLICIES.map(|policy| (policy, "48", Departure::AnyTime, each));
        for (column, (policy, most, departure, count)) in (0..).zip([&[roomy][..], &full].concat())
        {
            let vars = [("CACHE_EVICTION_POLICY", policy), ("CACHE_MAX_ITEMS", most)];
            let judged = run(async {
                let site = deployment.start_with(&vars);
                let mut clients = Vec::new();
                for _ in 0..CLIENTS {
                    clients.push(Contender::connect(&site).await);
                }
                let mut judged = Judged::default();
                let first = 10_000 * row + 1_000 * column;
                let seeds: Vec<u64> = (first..first + count).collect();
                for wave in seeds.chunks(WAVE) {
                    let wave = wave.iter().copied();
                    judged.add(&histories_have_an_order(&clients, wave, departure).await);
                }
                judged
            });
            println!(
                "{deployment:?}, {policy}, {}: {} histories, {} events, {} reads of nothing, {} \
                 keys that were evicted, after {:.0?}",
                if most == "0" { "roomy" } else { "full" },
                judged.histories,
                judged.events,
                judged.misses,
                judged.evicted,
                started.elapsed(),
            );
            assert_eq!(judged.evicted > 0, departure == Departure::AnyTime, "{judged:?}");
            all += judged.histories as u64;
        }
    }
    println!("{all} histories, each with an order");
    assert!(all >= HISTORIES);
}

//! Random calls of every RPC, each reply of which is compared with a plain model: a million, or
//! `HARDENING_CALLS`.

use std::time::{Duration, Instant};

use crate::{
    setting::{calls, deployments},
    support::{
        random_calls::{Figures, ROOMY, agree_with_a_model},
        run,
    },
};

/// Longer than the shortest TTL: however fast the calls are made, some entries expire between them.
const REST: Duration = Duration::from_millis(1_200);

const POLICIES: [&str; 3] = ["window", "tinylfu", "lru"];

#[test]
#[ignore = "up to a million calls; make test-hardening runs it"]
fn random_calls_agree_with_a_plain_model() {
    let (calls, deployments) = (calls(), deployments());
    // Lanes make whole numbers of calls, so a few more are asked for.
    let each = calls / deployments.len() / POLICIES.len() + 32;
    let mut all = Figures::default();
    for (row, deployment) in (1..).zip(deployments) {
        for (column, policy) in (0..).zip(POLICIES) {
            let started = Instant::now();
            let mut vars = ROOMY.to_vec();
            vars.push(("CACHE_EVICTION_POLICY", policy));
            let figures = run(async {
                let site = deployment.start_with(&vars);
                agree_with_a_model(&site, (each, REST), 10 * row + column).await
            });
            let made: u64 = figures.calls.values().sum();
            println!(
                "{deployment:?}, {policy}: {made} calls and {} items of batches in {:.1?}, {} \
                 compressed, {} entries expired, {} stale ones read, {} operations close to a \
                 deadline",
                figures.items,
                started.elapsed(),
                figures.compressed,
                figures.expired,
                figures.stale,
                figures.close,
            );
            all.add(&figures);
        }
    }
    let made: u64 = all.calls.values().sum();
    println!("{made} calls without a difference: {:?}", all.calls);
    println!("refused as they had to be: {:?}", all.refusals);
    assert!(made >= calls as u64);
    assert_eq!((all.calls.len(), all.refusals.len()), (16, 8), "{all:?}");
    assert!(all.expired > 0 && all.stale > 0);
}

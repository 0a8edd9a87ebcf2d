//! One ledger, many hands: threads write, delete, swap and read the same few keys of a map
//! behind locks, which is linearizable, and nobody is blamed.

use std::{collections::HashMap, sync::Mutex, thread, time::Instant};

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::{super::Findings, *};

const THREADS: u64 = 4;
const OPERATIONS: usize = 5000;
const KEYS: [&str; 3] = ["a", "b", "c"];

type Cache = Mutex<HashMap<&'static str, Bytes>>;

type Get = fn(&Cache, &str) -> Option<Bytes>;

/// What one thread works with.
struct Lane<'a> {
    ledger: &'a Ledger,
    cache: &'a Cache,
    start: Instant,
    get: Get,
}

#[test]
fn threads_that_share_a_ledger_and_a_sound_cache_find_nothing() {
    let findings = all_threads(|cache, key| cache.lock().unwrap().get(key).cloned());
    assert!(findings.is_clean(), "{findings:?}");
    assert!(findings.hits > 0 && findings.misses > 0, "{findings:?}");
    assert_eq!(findings.foreign, 0);
}

#[test]
fn threads_that_share_a_cache_which_mixes_up_its_keys_find_that() {
    // No miss that is none: it would be evidence against the value's return.
    let findings = all_threads(|cache, key| {
        let cache = cache.lock().unwrap();
        cache.get(KEYS[0]).or(cache.get(key)).cloned()
    });
    let kinds: Vec<_> = findings.violations.keys().copied().collect();
    assert_eq!(kinds, [Kind::WrongKey]);
}

fn all_threads(get: Get) -> Findings {
    let (ledger, cache, start) = (Ledger::new(RUN), Cache::default(), Instant::now());
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..THREADS)
            .map(|seed| {
                let lane = Lane { ledger: &ledger, cache: &cache, start, get };
                scope.spawn(move || lane.run(seed))
            })
            .collect();
        let mut findings = Findings::default();
        for lane in lanes {
            findings.merge(lane.join().unwrap());
        }
        findings
    })
}

impl Lane<'_> {
    fn run(&self, seed: u64) -> Findings {
        let Self { ledger, cache, start, get } = self;
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut findings = Findings::default();
        for _ in 0..OPERATIONS {
            let key = KEYS[rng.random_range(0..KEYS.len())];
            let name = Name::new("", key);
            match rng.random_range(0..10) {
                0..5 => {
                    let pending = Begun::new(name, start.elapsed());
                    let value = get(cache, key);
                    findings.read(ledger.judge(pending, value.as_deref(), start.elapsed()));
                }
                5 => {
                    let pending = Begun::new(name, start.elapsed());
                    cache.lock().unwrap().remove(key);
                    ledger.end_delete(pending, Fate::Done, start.elapsed());
                }
                6..8 => {
                    let pending = ledger.begin_write(name, SIZE, 0, start.elapsed());
                    cache.lock().unwrap().insert(key, pending.value.clone());
                    let ended = ledger.end_write(pending, Fate::Done, start.elapsed());
                    findings.wrote(ended);
                }
                _ => {
                    let Some(expected) = ledger.expected(name) else { continue };
                    let pending = ledger.begin_swap(&expected, SIZE, 0, start.elapsed());
                    let outcome = match cache.lock().unwrap().get_mut(key) {
                        Some(value) if *value == expected.value => {
                            *value = pending.value.clone();
                            Fate::Done
                        }
                        _ => Fate::NotDone,
                    };
                    findings.wrote(ledger.end_write(pending, outcome, start.elapsed()));
                }
            }
        }
        findings
    }
}

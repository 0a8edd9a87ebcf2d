//! What the window and its ghost promise, through the server: new keys are readable, a scan costs
//! little, a new hot set is learnt, a loop is held in part, and a large value that is hot stays.
//! The store has the same checks for itself (`store/tests/window.rs`).

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::support::{
    Cache,
    messages::{item, items, keys},
    process::Process,
    run,
};

const VALUE: usize = 1000;

/// Keys that are asked for together, as an application with so many requests in flight does.
const TOGETHER: usize = 16;

/// A server for so many entries, and an application in front of a database.
struct App {
    cache: Cache,
    random: Pcg64,
    _server: Process,
}

impl App {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let server = Process::start(settings);
        let cache = server.connect().await;
        Self { cache, random: Pcg64::seed_from_u64(1), _server: server }
    }

    async fn of_entries(entries: usize) -> Self {
        let entries = entries.to_string();
        Self::start(&[("CACHE_MAX_MEMORY_MB", "2048"), ("CACHE_MAX_ITEMS", &entries)]).await
    }

    /// Reads keys, and fills those that miss. Returns how many hit.
    async fn ask(&mut self, names: &[String]) -> usize {
        let mut hits = 0;
        for together in names.chunks(TOGETHER) {
            let found = self.cache.multi_get(keys(together)).await.unwrap().items;
            let missed = found.iter().filter(|item| !item.found);
            let filled: Vec<_> = missed.map(|miss| item(&miss.key, vec![7; VALUE])).collect();
            hits += together.len() - filled.len();
            if !filled.is_empty() {
                self.cache.multi_set(items(filled)).await.unwrap();
            }
        }
        hits
    }

    /// Hit ratio of accesses to keys drawn from Zipf's distribution with exponent 0.9.
    async fn zipf(&mut self, ranks: usize, accesses: usize) -> f64 {
        let mut sum = 0.0;
        let weight = |rank: usize| (rank as f64).powf(-0.9);
        let sums: Vec<f64> = (1..=ranks)
            .map(|rank| {
                sum += weight(rank);
                sum
            })
            .collect();
        let random = &mut self.random;
        let mut draw = || {
            let at = random.random::<f64>() * sum;
            format!("hot:{}", sums.partition_point(|&sum| sum < at))
        };
        let names: Vec<_> = (0..accesses).map(|_| draw()).collect();
        self.ask(&names).await as f64 / accesses as f64
    }

    /// Writes keys that were never there.
    async fn write_fresh(&mut self) {
        for names in fresh().chunks(TOGETHER) {
            let new = names.iter().map(|name| item(name, vec![7; VALUE]));
            self.cache.multi_set(items(new)).await.unwrap();
        }
    }

    async fn readable_of_fresh(&mut self) -> usize {
        let found = self.cache.multi_get(keys(fresh())).await.unwrap().items;
        found.iter().filter(|item| item.found).count()
    }
}

fn fresh() -> Vec<String> {
    (0..1_000).map(|n| format!("fresh:{n}")).collect()
}

fn numbered(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{name}:{n}")).collect()
}

#[test]
#[ignore = "takes a minute; meant for a release build"]
fn fresh_keys_are_readable_in_a_full_hot_cache() {
    run(async {
        let mut app = App::of_entries(20_000).await;
        app.zipf(40_000, 200_000).await;
        app.write_fresh().await;
        let at_once = app.readable_of_fresh().await;

        let mut app = App::of_entries(200_000).await;
        app.zipf(400_000, 800_000).await;
        app.write_fresh().await;
        app.zipf(400_000, 100_000).await;
        let later = app.readable_of_fresh().await;
        println!("fresh keys readable: {at_once} of 1000 at once, {later} after 100000 requests");
        assert!(at_once == 1_000 && later >= 990);
    });
}

#[test]
#[ignore = "takes a minute; meant for a release build"]
fn a_scan_of_ten_times_the_cache_costs_hot_keys_a_point_at_most() {
    run(async {
        let mut app = App::of_entries(10_000).await;
        app.zipf(10_000, 300_000).await;
        let before = app.zipf(10_000, 100_000).await;
        app.ask(&numbered("scan", 100_000)).await;
        let after = app.zipf(10_000, 100_000).await;
        println!("hit ratio of hot keys: {before:.4} before a scan, {after:.4} after it");
        assert!(before - after <= 0.01);
    });
}

#[test]
#[ignore = "takes a minute; meant for a release build"]
fn a_new_hot_set_is_learnt_within_four_fillings() {
    run(async {
        let mut app = App::of_entries(10_000).await;
        let mut shares = Vec::new();
        for name in ["old"; 20].into_iter().chain(["new"; 8]) {
            let draw = |_| format!("{name}:{}", app.random.random_range(0..9_000));
            let names: Vec<_> = (0..10_000).map(draw).collect();
            shares.push(app.ask(&names).await as f64 / 10_000.0);
        }
        println!("hit ratio of each filling of a new hot set: {:.3?}", &shares[20..]);
        assert!(shares[19] > 0.95 && shares[24] >= 0.95);
    });
}

#[test]
#[ignore = "takes a minute; meant for a release build"]
fn a_loop_that_is_larger_than_the_cache_is_held_in_part() {
    run(async {
        let mut app = App::of_entries(10_000).await;
        let lap = numbered("loop", 12_000);
        let mut share = 0.0;
        for _ in 0..15 {
            share = app.ask(&lap).await as f64 / 12_000.0;
        }
        println!("hit ratio of a loop of 1.2 times the cache: {share:.3}");
        assert!(share > 1.0 / 3.0);
    });
}

#[test]
#[ignore = "takes a minute; meant for a release build"]
fn a_large_value_that_is_hot_is_kept() {
    run(async {
        let mut app = App::start(&[("CACHE_MAX_MEMORY_MB", "64")]).await;
        let (rounds, mut hits) = (1_000, 0);
        for _ in 0..rounds {
            let large = app.cache.multi_get(keys(["large"])).await.unwrap();
            if large.items[0].found {
                hits += 1;
            } else {
                let large = item("large", vec![7; 256 << 10]);
                app.cache.multi_set(items([large])).await.unwrap();
            }
            // Each of these is asked for a thousandth as often.
            let draw = |_| format!("small:{}", app.random.random_range(0..300_000));
            let small: Vec<_> = (0..300).map(draw).collect();
            app.ask(&small).await;
        }
        println!("hits of a value of 256 KiB among small ones: {hits} of {rounds}");
        assert!(hits * 100 >= rounds * 95);
    });
}

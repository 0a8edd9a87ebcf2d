//! The interleavings of our own locks and counters, tried by shuttle. Run with
//! `make test-shuttle`. moka is not under test here: a register of two separate steps stands
//! in for it, which is what makes a missing lock show.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

use std::{
    collections::HashMap,
    future::poll_fn,
    panic::catch_unwind,
    sync::{Arc, LazyLock},
    time::Duration,
};

use shuttle::{check_random, thread};

use crate::{
    handout::Handout,
    histogram::{Exemplar, Histogram, Layout, Schema, Snapshot},
    rpc::IntakeBudget,
    store::interleavings::{Book, Names, Register},
    sync::{AtomicUsize, Ordering},
};

/// Schedules tried of each test. Every scheduling point is an atomic or a lock.
const SCHEDULES: usize = 5_000;

fn spawn_each<const N: usize>(body: impl Fn(u64) + Send + Sync + 'static) {
    let body = Arc::new(body);
    let threads: Vec<_> = (0..N as u64)
        .map(|i| {
            let body = body.clone();
            thread::spawn(move || body(i))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Each of three writers advances the register by compare-and-set until it has succeeded
/// twice.
fn count_up(lock: bool) {
    let register = Arc::new(Register::new(lock));
    let shared = register.clone();
    spawn_each::<3>(move |_| {
        for _ in 0..2 {
            loop {
                let seen = shared.read();
                if shared.compare_and_set(seen, seen + 1) {
                    break;
                }
            }
        }
    });
    assert_eq!(register.read(), 6);
}

#[test]
fn a_counter_by_compare_and_set_loses_no_step() {
    check_random(|| count_up(true), SCHEDULES);
}

/// Shows that the test above can fail.
#[test]
fn without_the_stripes_a_step_is_lost() {
    assert!(catch_unwind(|| check_random(|| count_up(false), SCHEDULES)).is_err());
}

#[test]
fn of_racing_writers_to_an_absent_key_exactly_one_wins() {
    check_random(
        || {
            let register = Arc::new(Register::new(true));
            let wins = Arc::new(AtomicUsize::new(0));
            let (shared, won) = (register.clone(), wins.clone());
            spawn_each::<3>(move |i| {
                if shared.compare_and_set(0, i + 1) {
                    won.fetch_add(1, Ordering::SeqCst);
                }
            });
            assert_eq!(wins.load(Ordering::SeqCst), 1);
        },
        SCHEDULES,
    );
}

/// A writer replaces an entry that ends with one that does not, while the upkeep removes
/// what is due and a delete comes by.
#[test]
fn the_upkeep_never_removes_an_entry_that_is_not_due() {
    check_random(
        || {
            let book = Arc::new(Book::default());
            book.write(7, Duration::ZERO);
            let shared = book.clone();
            spawn_each::<3>(move |i| match i {
                0 => shared.expire(),
                1 => shared.write(7, Duration::from_secs(60)),
                _ => shared.write(8, Duration::from_secs(60)),
            });
            let live: HashMap<_, _> = book.entries();
            assert!(live.contains_key(&7) && live.contains_key(&8));
            // And the index lists what is there, and nothing else.
            assert_eq!(book.indexed(), 2);
        },
        SCHEDULES,
    );
}

#[test]
fn places_never_exceed_their_limit_and_all_come_back() {
    check_random(
        || {
            let handout = Handout::new(2, 2);
            let open = Arc::new(AtomicUsize::new(0));
            let workers: Vec<_> = (0..4)
                .filter_map(|_| {
                    // This thread is the acceptor.
                    let place = handout.take()?;
                    assert!(open.fetch_add(1, Ordering::SeqCst) < 2);
                    let open = open.clone();
                    Some(thread::spawn(move || {
                        thread::yield_now();
                        open.fetch_sub(1, Ordering::SeqCst);
                        drop(place);
                    }))
                })
                .collect();
            let taken = workers.len() as u64;
            for worker in workers {
                worker.join().unwrap();
            }
            assert_eq!(handout.open().sum::<usize>(), 0);
            assert_eq!((handout.accepted(), handout.refused()), (taken, 4 - taken));
        },
        SCHEDULES,
    );
}

#[test]
fn of_racing_first_writes_to_a_namespace_both_get_one_number() {
    check_random(
        || {
            let names = Arc::new(Names::default());
            let writers: Vec<_> = ["a", "b", "a"]
                .into_iter()
                .map(|name| {
                    let names = names.clone();
                    thread::spawn(move || names.write(name))
                })
                .collect();
            // A read meanwhile counts under the name's number, or under none of its own.
            let read = names.read("a");
            let written: Vec<_> = writers.into_iter().map(|w| w.join().unwrap()).collect();
            assert_eq!(written[0], written[2]);
            assert_ne!(written[0], written[1]);
            assert_eq!(written[0].max(written[1]), 2, "a number was passed over");
            assert!(read == written[0] || read == names.other());
        },
        SCHEDULES,
    );
}

/// A worker records while a scrape reads.
#[test]
fn a_scrape_sees_whole_exemplars_and_counts_that_agree() {
    static LAYOUT: LazyLock<Layout> =
        LazyLock::new(|| Layout::new(Schema::Octaves, [0, 3], &[2.0], 1.0));
    check_random(
        || {
            let histogram = Arc::new(Histogram::new(&LAYOUT));
            let recorded = histogram.clone();
            let worker = thread::spawn(move || {
                for value in [1, 5, 2] {
                    let id = value as u8;
                    let exemplar = Exemplar { trace_id: [id; 16], span_id: [id; 8] };
                    recorded.record(value, Some(exemplar));
                }
            });
            let scrape = || {
                let mut snapshot = Snapshot::new(&LAYOUT);
                snapshot.add(&histogram);
                let classic = snapshot.classic();
                let native: u64 = snapshot.native().iter().map(|(_, count)| count).sum();
                assert_eq!((classic[1].cumulative, native), (snapshot.count(), snapshot.count()));
                for (bucket, values) in classic.iter().zip([[1, 2], [5, 5]]) {
                    let Some(sighting) = bucket.sighting else { continue };
                    let id = sighting.exemplar.span_id[0];
                    assert_eq!(sighting.exemplar.trace_id, [id; 16]);
                    assert!(f64::from(id) == sighting.value && values.contains(&id));
                }
                snapshot.count()
            };
            let (before, after) = (scrape(), scrape());
            assert!(before <= after);
            worker.join().unwrap();
            assert_eq!(scrape(), 3);
        },
        SCHEDULES,
    );
}

/// Messages on several workers, which together want twice the budget. The checker reports a
/// message that is never woken as a deadlock.
#[test]
fn messages_that_share_the_intake_all_finish_and_never_exceed_it() {
    const LIMIT: usize = 10;
    check_random(
        || {
            let budget = IntakeBudget::new(LIMIT);
            let shared = budget.clone();
            spawn_each::<4>(move |i| {
                let size = [7, 6, 5, 2][i as usize];
                let mut share = shared.enter(size);
                for taken in 0..size {
                    // One of them is given up half-way.
                    if i == 1 && taken == 3 {
                        return;
                    }
                    shuttle::future::block_on(poll_fn(|cx| share.poll_take(1, cx)));
                    assert!(shared.held() <= LIMIT);
                }
            });
            assert_eq!(budget.held(), 0);
            assert!(!budget.is_short());
        },
        SCHEDULES,
    );
}

//! The interleavings of our own locks and counters, tried by shuttle. Run with
//! `make test-shuttle`. moka is not under test here: a list that keeps the order of use stands in
//! for it.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

use std::{
    future::poll_fn,
    sync::{Arc, LazyLock},
};

use shuttle::{check_pct, check_random, thread};

use crate::{
    handout::Handout,
    histogram::{Exemplar, Histogram, Layout, Schema, Snapshot},
    rpc::IntakeBudget,
    store::interleavings::{Names, SmallShard},
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

/// A write that comes before a lease leaves nothing to fill, one that comes during it ends it, and
/// one that comes after it wins: what a lease was for never replaces it.
#[test]
fn a_lease_never_fills_over_a_write() {
    check_random(
        || {
            let shard = Arc::new(SmallShard::new());
            let shared = shard.clone();
            spawn_each::<3>(move |thread| {
                if thread == 0 {
                    shared.set(b'a', 2);
                } else if let Some(token) = shared.claim(b'a') {
                    shared.fill(b'a', 1, token);
                }
            });
            assert_eq!(shard.get(b'a'), Some(2));
            shard.delete(b'a');
            assert!(shard.claim(b'a').is_some(), "a lease is left behind");
            shard.assert_books_balance();
        },
        SCHEDULES,
    );
}

/// What was written before an invalidation is gone from then on, whatever the upkeep has done
/// meanwhile, and what is written after it stays.
#[test]
fn what_was_invalidated_never_comes_back() {
    check_random(
        || {
            let shard = Arc::new(SmallShard::new());
            let (shared, written) = (shard.clone(), Arc::new(AtomicUsize::new(0)));
            spawn_each::<3>(move |thread| match thread {
                0 => {
                    shared.set(b'a', 1);
                    written.store(1, Ordering::SeqCst);
                    let seen = [(); 3].map(|()| shared.get(b'a').is_some());
                    assert!(seen.is_sorted_by(|before, after| before >= after), "{seen:?}");
                }
                1 => {
                    let was_written = written.load(Ordering::SeqCst) == 1;
                    shared.invalidate();
                    assert!(!(was_written && shared.get(b'a').is_some()));
                    shared.set(b'b', 2);
                    assert_eq!(shared.get(b'b'), Some(2));
                }
                _ => shared.sweep_invalidated(),
            });
            assert_eq!(shard.get(b'b'), Some(2));
            let before = shard.get(b'a');
            shard.sweep_invalidated();
            assert_eq!((shard.get(b'a'), shard.get(b'b')), (before, Some(2)));
            shard.assert_books_balance();
        },
        SCHEDULES,
    );
}

/// A swap that replaced a value from before an invalidation is from before it, too. The stamps of
/// writes are readings of the clock, and once told one that came before from one that came after:
/// an invalidation that was held up between its reading and its record let such a swap stay.
#[test]
fn a_swap_of_what_was_invalidated_does_not_stay() {
    check_random(
        || {
            let shard = Arc::new(SmallShard::new());
            shard.set(b'a', 1);
            let shared = shard.clone();
            let swapped = Arc::new(AtomicUsize::new(0));
            let told = swapped.clone();
            spawn_each::<3>(move |thread| match thread {
                0 => told.store(usize::from(shared.compare_and_set(b'a', 1, 2)), Ordering::SeqCst),
                1 => shared.invalidate(),
                _ => shared.sweep_invalidated(),
            });
            let is_there = shard.get(b'a').is_some();
            assert!(!is_there, "swapped: {}", swapped.load(Ordering::SeqCst));
            shard.assert_books_balance();
        },
        SCHEDULES,
    );
}

/// Likewise, a write to what was taken for absent stays.
#[test]
fn what_is_written_because_all_was_invalidated_stays() {
    check_random(
        || {
            let shard = Arc::new(SmallShard::new());
            shard.set(b'a', 1);
            let shared = shard.clone();
            let stored = Arc::new(AtomicUsize::new(0));
            let told = stored.clone();
            spawn_each::<3>(move |thread| match thread {
                0 => told.store(usize::from(shared.set_if_absent(b'a', 2)), Ordering::SeqCst),
                1 => shared.invalidate(),
                _ => shared.sweep_invalidated(),
            });
            let expected = (stored.load(Ordering::SeqCst) == 1).then_some(2);
            assert_eq!(shard.get(b'a'), expected);
            shard.assert_books_balance();
        },
        SCHEDULES,
    );
}

/// What is past its deadline or invalidated counts no longer, whatever of it the upkeep removes
/// while it is counted. A page once had an entry among those held that it had among those removed.
#[test]
fn what_is_gone_never_counts() {
    check_random(
        || {
            let shard = SmallShard::new();
            shard.set_over(b'a');
            shard.set(b'b', 1);
            shard.invalidate();
            shard.set(b'c', 2);
            let shared = Arc::new(shard);
            spawn_each::<3>(move |thread| match thread {
                0 => shared.sweep(),
                1 => shared.sweep_invalidated(),
                _ => {
                    let (entries, removed) = shared.count();
                    assert!(entries == 1 && removed <= 2, "{entries} beside {removed} removed");
                }
            });
        },
        SCHEDULES,
    );
}

/// A lease that a delete ended fills nothing, and two are never held at a time.
#[test]
fn a_lease_that_a_delete_ended_fills_nothing() {
    check_random(
        || {
            let shard = Arc::new(SmallShard::new());
            let token = shard.claim(b'a').unwrap();
            let (shared, deleted) = (shard.clone(), Arc::new(AtomicUsize::new(0)));
            let gone = deleted.clone();
            spawn_each::<3>(move |thread| match thread {
                0 => {
                    shared.delete(b'a');
                    gone.store(1, Ordering::SeqCst);
                }
                1 => {
                    let was_deleted = gone.load(Ordering::SeqCst) == 1;
                    let filled = shared.fill(b'a', 1, token);
                    assert!(!(was_deleted && filled));
                }
                _ => {
                    if let Some(next) = shared.claim(b'a') {
                        assert!(!shared.fill(b'a', 3, token));
                        shared.fill(b'a', 2, next);
                    }
                }
            });
            shard.assert_books_balance();
        },
        SCHEDULES,
    );
}

/// Each of three writers advances a counter by compare-and-set until it has succeeded twice.
#[test]
fn a_counter_by_compare_and_set_loses_no_step() {
    check_random(
        || {
            let shard = Arc::new(SmallShard::new());
            shard.set(b'a', 0);
            let shared = shard.clone();
            spawn_each::<3>(move |_| {
                for _ in 0..2 {
                    loop {
                        let seen = shared.get(b'a').unwrap();
                        if shared.compare_and_set(b'a', seen, seen + 1) {
                            break;
                        }
                    }
                }
            });
            assert_eq!(shard.get(b'a'), Some(6));
        },
        SCHEDULES,
    );
}

#[test]
fn of_racing_writers_to_an_absent_key_exactly_one_wins() {
    check_random(
        || {
            let shard = Arc::new(SmallShard::new());
            let wins = Arc::new(AtomicUsize::new(0));
            let (shared, won) = (shard.clone(), wins.clone());
            spawn_each::<3>(move |i| {
                if shared.set_if_absent(b'a', i as u8 + 1) {
                    won.fetch_add(1, Ordering::SeqCst);
                }
            });
            assert_eq!(wins.load(Ordering::SeqCst), 1);
            shard.assert_books_balance();
        },
        SCHEDULES,
    );
}

/// A full shard whose next entry to be judged, `a` with the value 1, has proved itself. New keys
/// push it out of the window while `body` is at it. Returns the shard at the end.
fn judged_meanwhile(body: impl Fn(&SmallShard) + Send + Sync + 'static) -> Arc<SmallShard> {
    let shard = Arc::new(SmallShard::new());
    shard.fill_behind(b'a', 1);
    let shared = shard.clone();
    spawn_each::<3>(move |i| match i {
        0 => body(&shared),
        1 => shared.set(b'x', 0),
        _ => shared.set(b'y', 0),
    });
    shard.assert_books_balance();
    shard
}

#[test]
fn a_read_finds_its_key_while_it_becomes_a_resident() {
    let read = |shard: &SmallShard| {
        for _ in 0..3 {
            assert_eq!(shard.get(b'a'), Some(1));
        }
    };
    check_random(move || assert!(judged_meanwhile(read).is_resident(b'a')), SCHEDULES);
}

#[test]
fn a_write_is_there_after_its_key_was_judged_meanwhile() {
    check_random(
        || {
            let shard = judged_meanwhile(|shard| shard.set(b'a', 2));
            assert_eq!(shard.get(b'a'), Some(2));
        },
        SCHEDULES,
    );
}

#[test]
fn a_compare_and_set_decides_by_what_is_there_while_its_key_is_judged() {
    check_random(
        || {
            let shard = judged_meanwhile(|shard| assert!(shard.compare_and_set(b'a', 1, 2)));
            assert_eq!(shard.get(b'a'), Some(2));
        },
        SCHEDULES,
    );
}

#[test]
fn a_deleted_key_never_comes_back() {
    check_random(
        || {
            let shard = judged_meanwhile(|shard| shard.delete(b'a'));
            assert_eq!(shard.get(b'a'), None);
        },
        SCHEDULES,
    );
}

/// The queue still has the item of the first write when the key is written again.
#[test]
fn a_key_that_was_deleted_and_written_again_is_judged_by_its_own_place() {
    check_random(
        || {
            let shard = judged_meanwhile(|shard| {
                shard.delete(b'a');
                shard.set(b'a', 3);
            });
            assert_eq!(shard.get(b'a'), Some(3));
        },
        SCHEDULES,
    );
}

/// moka evicts a key, and before the table lets go of it, it is deleted and written again.
#[test]
fn a_key_that_was_written_again_does_not_go_with_its_evicted_handle() {
    // Few switches at any place: all of the other's two calls come between two steps of one.
    check_pct(
        || {
            let shard = Arc::new(SmallShard::of_residents());
            shard.set(b'a', 1);
            shard.fill_up();
            let evicting = shard.clone();
            let evicts = thread::spawn(move || evicting.set(b'b', 0));
            shard.delete(b'a');
            shard.set(b'a', 3);
            evicts.join().unwrap();
            assert_eq!(shard.get(b'a'), Some(3));
            shard.assert_books_balance();
        },
        SCHEDULES,
        3,
    );
}

/// A writer replaces an entry that is over with one that is not, while the upkeep removes what is
/// over and new keys have the window judged.
#[test]
fn the_upkeep_never_removes_an_entry_that_is_not_over() {
    check_random(
        || {
            let shard = Arc::new(SmallShard::new());
            shard.set_over(b'a');
            shard.set_over(b'b');
            let shared = shard.clone();
            spawn_each::<3>(move |i| match i {
                0 => shared.sweep(),
                1 => shared.set(b'a', 1),
                _ => shared.set(b'c', 1),
            });
            assert_eq!((shard.get(b'a'), shard.get(b'b')), (Some(1), None));
            shard.sweep();
            shard.assert_books_balance();
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
                    let Some(sample) = bucket.sample else { continue };
                    let id = sample.exemplar.span_id[0];
                    assert_eq!(sample.exemplar.trace_id, [id; 16]);
                    assert!(f64::from(id) == sample.value && values.contains(&id));
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

//! The interleavings of our own locks and counters, tried by shuttle. Run with
//! `make test-shuttle`. moka is not under test here: a register of two separate steps stands
//! in for it, which is what makes a missing lock show.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

use std::{collections::HashMap, panic::catch_unwind, sync::Arc, time::Duration};

use shuttle::{check_random, thread};

use crate::{
    handout::Handout,
    store::interleavings::{Book, Register},
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

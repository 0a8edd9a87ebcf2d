//! What the budget lets in, in which order, and that nothing waits for ever.

use std::{
    future::poll_fn,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use tokio::{task::JoinSet, time::timeout};

use super::*;

const KIB: usize = 1 << 10;
const BLOCK: usize = 64 * KIB;
const MIB: usize = 1 << 20;

/// One step of a message, without waiting.
fn takes(share: &mut Share, bytes: usize) -> bool {
    share.poll_take(bytes, &mut Context::from_waker(Waker::noop())).is_ready()
}

/// Takes block after block until the message waits, and returns what it then holds.
fn takes_most(share: &mut Share, size: usize) -> usize {
    (0..size / BLOCK).take_while(|_| takes(share, BLOCK)).count() * BLOCK
}

#[test]
fn announced_bytes_cost_nothing() {
    let budget = IntakeBudget::new(8 * MIB);
    let _announced: Vec<_> = (0..1000).map(|_| budget.enter(4 * MIB)).collect();
    let mut quick = budget.enter(2 * MIB);
    assert_eq!(takes_most(&mut quick, 2 * MIB), 2 * MIB);
    assert_eq!(budget.held(), 2 * MIB);
}

#[test]
fn the_oldest_can_always_finish() {
    let budget = IntakeBudget::new(10 * MIB);
    let mut oldest = budget.enter(3 * MIB);
    assert!(takes(&mut oldest, BLOCK));
    let mut others: Vec<_> = (0..20).map(|_| budget.enter(3 * MIB)).collect();
    for other in &mut others {
        takes_most(other, 3 * MIB);
    }
    assert!(budget.is_short());
    assert_eq!(takes_most(&mut oldest, 3 * MIB - BLOCK), 3 * MIB - BLOCK);
    assert!(budget.held() <= 8 * MIB, "{}", budget.held());
}

/// Large messages once kept everything else waiting, however small it was.
#[test]
fn smaller_messages_pass_beside_any_number_of_larger_ones() {
    let budget = IntakeBudget::new(10 * MIB);
    let mut others = Vec::new();
    for size in [3 * MIB, MIB, MIB / 2] {
        let mut more: Vec<_> = (0..50).map(|_| budget.enter(size)).collect();
        for other in &mut more {
            takes_most(other, size);
        }
        others.extend(more);
        for _ in 0..10 {
            let mut small = budget.enter(size / 4);
            assert_eq!(takes_most(&mut small, size / 4), size / 4, "beside {size}");
        }
    }
}

/// Those fill what they can: a fifth is left to the smaller, and of that a twentieth to the
/// smallest.
#[test]
fn a_message_of_200_kb_passes_beside_any_number_of_messages_of_every_size() {
    for limit in [2 * MIB, 25 * MIB / 4, 64 * MIB] {
        let budget = IntakeBudget::new(limit);
        let mut others = Vec::new();
        for part in 1..20 {
            let size = (limit / part).max(400 * KIB);
            for _ in 0..20 {
                let mut other = budget.enter(size);
                takes_most(&mut other, size);
                others.push(other);
            }
        }
        // Its first block is free.
        let mut small = budget.enter(200_000 - BLOCK);
        assert_eq!(takes_most(&mut small, 2 * BLOCK), 2 * BLOCK, "of {limit}");
        assert!(takes(&mut small, 200_000 - 3 * BLOCK));
    }
}

#[test]
fn what_waits_passes_once_all_fit() {
    let budget = IntakeBudget::new(10 * MIB);
    let mut older = budget.enter(4 * MIB);
    assert!(takes(&mut older, BLOCK));
    let third = budget.enter(5 * MIB);
    let mut waiting = budget.enter(5 * MIB);
    takes_most(&mut waiting, 5 * MIB);
    assert!(budget.is_short());
    drop(third);
    assert!(!budget.is_short(), "it is not woken");
    assert!(takes(&mut waiting, BLOCK));
}

#[test]
fn a_message_larger_than_the_budget_is_let_in_alone() {
    let budget = IntakeBudget::new(5 * MIB);
    let mut huge = budget.enter(9 * MIB);
    assert!(takes(&mut huge, BLOCK));
    let mut large = budget.enter(2 * MIB);
    let mut small = budget.enter(MIB / 4);
    assert!(!takes(&mut large, BLOCK));
    assert_eq!(takes_most(&mut small, MIB / 4), MIB / 4);
    assert_eq!(takes_most(&mut huge, 9 * MIB - BLOCK), 9 * MIB - BLOCK);
    drop(huge);
    assert_eq!(takes_most(&mut large, 2 * MIB), 2 * MIB);
}

#[test]
fn what_is_dropped_comes_back_and_nobody_waits_for_it() {
    let budget = IntakeBudget::new(MIB);
    let mut first = budget.enter(MIB / 2);
    takes_most(&mut first, MIB / 2);
    let mut second = budget.enter(MIB);
    takes_most(&mut second, MIB);
    assert!(budget.is_short());
    drop(second);
    assert!(!budget.is_short());
    drop(first);
    let ledger = budget.ledger();
    assert_eq!((ledger.held, ledger.claimed, ledger.messages.len()), (0, 0, 0));
}

/// Receives a message at `rate` bytes a second.
async fn receive(budget: IntakeBudget, size: usize, rate: usize) -> Duration {
    let started = tokio::time::Instant::now();
    let mut share = budget.enter(size);
    let mut left = size;
    while left > 0 {
        let block = left.min(BLOCK);
        tokio::time::sleep(Duration::from_secs_f64(block as f64 / rate as f64)).await;
        poll_fn(|cx| share.poll_take(block, cx)).await;
        left -= block;
    }
    started.elapsed()
}

#[tokio::test(start_paused = true)]
async fn ten_slow_uploads_are_served_and_hold_up_no_smaller_message() {
    const LIMIT: usize = 25 * MIB / 4;
    let budget = IntakeBudget::new(LIMIT);
    let mut uploads = JoinSet::new();
    for _ in 0..10 {
        uploads.spawn(receive(budget.clone(), 3 * MIB, 200 * KIB));
    }
    while !uploads.is_empty() {
        let quick = receive(budget.clone(), 200_000, 100 * MIB).await;
        assert!(quick < Duration::from_millis(10), "{quick:?}");
        assert!(budget.held() <= LIMIT, "{}", budget.held());
        tokio::time::sleep(Duration::from_millis(50)).await;
        while let Some(upload) = uploads.try_join_next() {
            let took = upload.unwrap();
            assert!(took < Duration::from_secs(150), "{took:?}");
        }
    }
    assert_eq!(budget.held(), 0);
}

/// A message of 3 MB once waited for the end of the first, though there was room for both.
#[tokio::test(start_paused = true)]
async fn a_message_that_fits_beside_a_slow_one_passes() {
    for size in [2_000_000, 2_500_000, 3_000_000] {
        let budget = IntakeBudget::new(25 * MIB / 4);
        let slow = tokio::spawn(receive(budget.clone(), 3 * MIB, 200 * KIB));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let quick = receive(budget.clone(), size, 100 * MIB).await;
        assert!(quick < Duration::from_millis(100), "{size} bytes: {quick:?}");
        assert!(!slow.is_finished());
    }
}

#[tokio::test(start_paused = true)]
async fn a_megabyte_passes_beside_ten_slow_uploads() {
    const LIMIT: usize = 25 * MIB / 4;
    let budget = IntakeBudget::new(LIMIT);
    let mut uploads = JoinSet::new();
    for _ in 0..10 {
        uploads.spawn(receive(budget.clone(), 3 * MIB, 200 * KIB));
    }
    while !uploads.is_empty() {
        let quick = receive(budget.clone(), 1_000_000 - BLOCK, 100 * MIB).await;
        assert!(quick < Duration::from_millis(100), "{quick:?}");
        assert!(budget.held() <= LIMIT, "{}", budget.held());
        tokio::time::sleep(Duration::from_millis(50)).await;
        while uploads.try_join_next().is_some() {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes, at whatever speed, and given up in the middle: all is served, and the
    /// bound holds.
    #[test]
    fn nothing_waits_for_ever_and_the_bound_holds(
        messages in prop::collection::vec((1usize..9 * MIB, 1usize..50, any::<bool>()), 1..40),
        limit in MIB..20 * MIB,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let budget = IntakeBudget::new(limit);
            let largest = messages.iter().map(|message| message.0).max().unwrap();
            let bound = limit.max(largest + limit / RESERVE);
            let mut all = JoinSet::new();
            for (size, speed, is_given_up) in messages {
                let receiving = receive(budget.clone(), size, speed * 100 * KIB);
                all.spawn(async move {
                    let end = if is_given_up { 1 } else { 100_000 };
                    timeout(Duration::from_secs(end), receiving).await.is_ok() || is_given_up
                });
            }
            while !all.is_empty() {
                tokio::time::sleep(Duration::from_millis(100)).await;
                assert!(budget.held() <= bound, "{} of {bound}", budget.held());
                while let Some(served) = all.try_join_next() {
                    assert!(served.unwrap(), "it waits for ever");
                }
            }
            assert_eq!(budget.held(), 0);
        });
    }
}

#[test]
fn a_walk_past_many_that_wait_is_short() {
    let budget = IntakeBudget::new(10 * MIB);
    let mut waiting: Vec<_> = (0..2_000).map(|_| budget.enter(9 * MIB)).collect();
    for share in &mut waiting {
        takes_most(share, 9 * MIB);
    }
    let started = Instant::now();
    let mut small = budget.enter(MIB / 2);
    assert_eq!(takes_most(&mut small, MIB / 2), MIB / 2);
    drop(small);
    // Nine walks: microseconds each, where a walk for each of those that wait took seconds.
    assert!(started.elapsed() < Duration::from_secs(1));
}

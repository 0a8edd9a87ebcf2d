//! Each policy in small, and the books of a simulation.

use std::{num::NonZeroUsize, time::Duration};

use proptest::prelude::*;

use super::{
    super::{
        super::{capacity::StoreLimits, clock::Deadline, ttl::Ttl},
        room::Plan,
    },
    *,
};

const POLICIES: [EvictionPolicy; 3] =
    [EvictionPolicy::Window, EvictionPolicy::TinyLfu, EvictionPolicy::Lru];

fn miniature(max_bytes: u64, policy: EvictionPolicy) -> Miniature {
    let limits = StoreLimits { max_bytes, max_items: None, max_value_bytes: 4096 };
    let plan = Plan { limits, policy, shards: NonZeroUsize::MIN, workers: NonZeroUsize::MIN };
    Miniature::new(Room::new(plan, 1.0, 0), 1024)
}

fn footprint(bytes: u64) -> Footprint {
    Footprint::new(bytes, Ttl::Forever, Deadline::NEVER)
}

fn at(milliseconds: u64) -> Moment {
    Moment::at(milliseconds * 1_000_000)
}

fn hash(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn write(mini: &mut Miniature, n: u64) {
    mini.write(hash(n), footprint(1000), at(0));
}

fn ask(mini: &mut Miniature, n: u64) -> bool {
    mini.ask(hash(n), at(0))
}

#[test]
fn a_key_that_was_read_twice_outlives_a_scan() {
    let mut mini = miniature(100_000, EvictionPolicy::Window);
    write(&mut mini, 1);
    assert!(ask(&mut mini, 1) && ask(&mut mini, 1));
    (2..500).for_each(|n| write(&mut mini, n));
    assert!(ask(&mut mini, 1) && !ask(&mut mini, 2));
    assert_eq!(mini.filled(), 1.0);
}

#[test]
fn a_key_that_comes_back_soon_after_it_was_dropped_stays() {
    let mut mini = miniature(100_000, EvictionPolicy::Window);
    (0..200).for_each(|n| write(&mut mini, n));
    assert!(!ask(&mut mini, 95));
    write(&mut mini, 95);
    (200..400).for_each(|n| write(&mut mini, n));
    assert!(ask(&mut mini, 95));
}

#[test]
fn lru_keeps_what_was_used_last() {
    let mut mini = miniature(20 * 1312, EvictionPolicy::Lru);
    (0..20).for_each(|n| write(&mut mini, n));
    assert!(ask(&mut mini, 0));
    write(&mut mini, 20);
    assert!(ask(&mut mini, 0) && !ask(&mut mini, 1) && ask(&mut mini, 2));
}

#[test]
fn tinylfu_turns_away_what_is_asked_for_less_often() {
    let mut mini = miniature(200 * 1312, EvictionPolicy::TinyLfu);
    (0..190).for_each(|n| write(&mut mini, n));
    for _ in 0..3 {
        (0..190).for_each(|n| _ = ask(&mut mini, n));
    }
    (1000..1200).for_each(|n| {
        ask(&mut mini, n);
        write(&mut mini, n);
    });
    let kept = (0..190).filter(|n| ask(&mut mini, *n)).count();
    assert!(kept >= 180, "{kept}");
}

#[test]
fn an_entry_that_is_over_is_a_miss_and_gives_its_room_back() {
    let mut mini = miniature(100_000, EvictionPolicy::Window);
    let short = Footprint::new(
        1000,
        Ttl::For(Duration::from_secs(1)),
        Deadline::after(at(0), Ttl::For(Duration::from_secs(1))),
    );
    (0..16).for_each(|n| mini.write(hash(n), short, at(0)));
    assert!(mini.ask(hash(1), at(999)) && !mini.ask(hash(1), at(1000)));
    (0..SWEEP_PARTS).for_each(|_| mini.sweep(at(1000)));
    assert_eq!((mini.entries(), mini.weight()), (0, 0));
}

/// The real cache missed it, and its caller fills it: with this much memory it had not.
#[test]
fn a_fill_of_what_is_here_leaves_it_as_it_is() {
    let mut mini = miniature(100_000, EvictionPolicy::Window);
    let until = |end| {
        Footprint::new(
            1000,
            Ttl::For(Duration::from_secs(1)),
            Deadline::after(at(end), Ttl::For(Duration::from_secs(1))),
        )
    };
    mini.write(hash(1), until(0), at(0));
    mini.expect_fill(hash(1));
    mini.write(hash(1), until(500), at(500));
    assert!(!mini.ask(hash(1), at(1000)));
    // Some sweeps later it is another write.
    mini.write(hash(1), until(1000), at(1000));
    mini.expect_fill(hash(1));
    (0..2 * SWEEP_PARTS).for_each(|_| mini.sweep(at(1400)));
    mini.write(hash(1), until(1500), at(1500));
    assert!(mini.ask(hash(1), at(2400)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn its_weight_is_that_of_its_entries_and_within_its_room(
        policy in prop::sample::select(&POLICIES[..]),
        ops in prop::collection::vec((0_u8..6, 0_u64..90, 200_u64..2000), 1..800),
        thinned in prop::collection::vec(0_usize..800, 0..3),
    ) {
        let mut mini = miniature(40_000, policy);
        for (step, (op, n, bytes)) in ops.into_iter().enumerate() {
            let now = at(step as u64);
            match op {
                0 | 1 => mini.write(hash(n), footprint(bytes), now),
                2 | 3 => _ = mini.ask(hash(n), now),
                4 => mini.forget(hash(n)),
                _ => mini.sweep(now),
            }
            if thinned.contains(&step) {
                let scale = mini.room.scale() + 1;
                let room = mini.room.scaled(scale);
                mini.thin(room, |hash| hash.leading_zeros() >= scale, now);
            }
            let weight: u64 = mini.order.each().map(|at| mini.weigh(at)).sum();
            prop_assert_eq!(mini.weight(), weight);
            prop_assert!(weight <= mini.room.weight() + mini.room.slack() + 2500);
        }
    }
}

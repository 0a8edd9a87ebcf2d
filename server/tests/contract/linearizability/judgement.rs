//! The judge of histories is judged: it finds an order where there is one, and each kind of wrong
//! that a server could do.

use std::time::Duration;

use tiny_cache_proto::cache::ConditionalCacheStatus::{Exists, Mismatch, NotFound, Stored};

use crate::support::{
    Deployment,
    contention::{CLIENTS, Contender, contend},
    register::{
        Action::{self, Add, CompareAndSet, Delete, Get, GetStale, Set, SetIfAbsent},
        Departure::{AnyTime, AtDeadline},
        Event,
        Outcome::{self, Counted, Decided, Done, Found, FoundStale},
        Write, explains,
    },
    run,
};

const fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn event(invoked: u64, returned: u64, action: Action, outcome: Outcome) -> Event {
    Event { invoked: at(invoked), returned: at(returned), action, outcome }
}

/// Kept for ever.
const fn kept(value: u64) -> Write {
    Write { value, ttl: None, stale: Duration::ZERO }
}

/// Kept for a second.
const fn brief(value: u64) -> Write {
    Write { value, ttl: Some(at(1000)), stale: Duration::ZERO }
}

/// Whether a cache with room for all can have answered so.
fn has_an_order(history: &[Event]) -> bool {
    explains(history, AtDeadline)
}

#[test]
fn an_order_is_found_among_overlapping_operations() {
    // The read returns the later write, so the writes went 1, 2; the conditional write came
    // before both.
    assert!(has_an_order(&[
        event(0, 9, Set(kept(1)), Done),
        event(1, 4, Set(kept(2)), Done),
        event(2, 8, SetIfAbsent(kept(3)), Decided(Stored)),
        event(5, 6, Get, Found(Some(2))),
        event(10, 11, Get, Found(Some(2))),
    ]));
    assert!(has_an_order(&[]));
}

#[test]
fn a_stale_read_is_found() {
    let stale = [
        event(0, 1, Set(kept(1)), Done),
        event(2, 3, Set(kept(2)), Done),
        event(4, 5, Get, Found(Some(1))),
    ];
    assert!(!has_an_order(&stale));
    // A full cache may forget. It may not go back.
    assert!(!explains(&stale, AnyTime));
    // Two readers that disagree about the order of two writes.
    assert!(!has_an_order(&[
        event(0, 20, Set(kept(1)), Done),
        event(1, 20, Set(kept(2)), Done),
        event(2, 3, Get, Found(Some(1))),
        event(4, 5, Get, Found(Some(2))),
        event(6, 7, Get, Found(Some(1))),
    ]));
}

#[test]
fn a_lost_update_is_found() {
    // Both swaps say they replaced the same value.
    let lost = [
        event(0, 1, Set(kept(1)), Done),
        event(2, 9, CompareAndSet(1, kept(2)), Decided(Stored)),
        event(3, 8, CompareAndSet(1, kept(3)), Decided(Stored)),
    ];
    assert!(!has_an_order(&lost));
    assert!(!explains(&lost, AnyTime));
    // Two winners for one absence. A full cache may have evicted the first of them.
    let winners = [
        event(0, 9, SetIfAbsent(kept(1)), Decided(Stored)),
        event(1, 8, SetIfAbsent(kept(2)), Decided(Stored)),
    ];
    assert!(!has_an_order(&winners));
    assert!(explains(&winners, AnyTime));
    // A write that was answered and is not there.
    assert!(!has_an_order(&[
        event(0, 1, Set(kept(1)), Done),
        event(2, 3, Set(kept(2)), Done),
        event(4, 5, CompareAndSet(2, kept(3)), Decided(Mismatch)),
    ]));
    // A swap that misses what was there, though nothing removed it in time.
    assert!(!has_an_order(&[
        event(0, 1, Set(kept(1)), Done),
        event(2, 3, CompareAndSet(1, kept(2)), Decided(NotFound)),
        event(4, 5, Delete, Done),
    ]));
}

#[test]
fn a_resurrected_value_is_found() {
    let deleted = [
        event(0, 1, Set(kept(1)), Done),
        event(2, 3, Delete, Done),
        event(4, 5, Get, Found(Some(1))),
    ];
    // Evicted, as the miss shows, and back again.
    let evicted = [
        event(0, 1, Set(kept(1)), Done),
        event(2, 3, Get, Found(None)),
        event(4, 5, Get, Found(Some(1))),
    ];
    // Deleted in a batch with the key's write by another client, which was seen before.
    let replaced = [
        event(0, 1, Set(kept(1)), Done),
        event(2, 9, Set(kept(2)), Done),
        event(3, 4, Get, Found(Some(2))),
        event(5, 6, SetIfAbsent(kept(3)), Decided(Stored)),
        event(7, 8, Get, Found(Some(2))),
    ];
    for history in [&deleted[..], &evicted, &replaced] {
        assert!(!has_an_order(history), "{history:?}");
        assert!(!explains(history, AnyTime), "{history:?}");
    }
}

#[test]
fn an_entry_may_be_gone_from_its_deadline_on_and_is_after_it() {
    // Written between 0 and 10 ms, so its deadline is between 1000 and 1010.
    let told = |invoked, returned, outcome| {
        let write = event(0, 10, Set(brief(1)), Done);
        has_an_order(&[write, event(invoked, returned, Get, Found(outcome))])
    };
    assert!(told(20, 999, Some(1)) && !told(20, 999, None));
    assert!(told(20, 1000, Some(1)) && told(20, 1000, None));
    assert!(told(1009, 1020, Some(1)) && told(1009, 1020, None));
    assert!(!told(1010, 1020, Some(1)) && told(1010, 1020, None));

    // What has expired stays so, and makes way for another value.
    let expired = event(1005, 1006, Get, Found(None));
    let write = event(0, 10, Set(brief(1)), Done);
    assert!(!has_an_order(&[write, expired, event(1007, 1008, Get, Found(Some(1)))]));
    let add = |outcome| event(1007, 1008, SetIfAbsent(brief(2)), Decided(outcome));
    assert!(has_an_order(&[write, expired, add(Stored)]));
    assert!(!has_an_order(&[write, expired, add(Exists)]));
    // A write replaces the deadline, and a failed swap does not.
    let last = event(1500, 1501, Get, Found(Some(2)));
    let renewed = event(500, 501, CompareAndSet(1, brief(2)), Decided(Stored));
    assert!(has_an_order(&[write, renewed, last]));
    let failed = event(500, 501, CompareAndSet(7, brief(2)), Decided(Mismatch));
    assert!(!has_an_order(&[write, failed, event(1500, 1501, Get, Found(Some(1)))]));
}

#[test]
fn a_stale_value_is_there_for_those_who_take_it_from_its_deadline_on() {
    // Written between 0 and 10 ms, and kept for a second and a half one more.
    let write = event(0, 10, Set(Write { stale: at(500), ..brief(1) }), Done);
    let told = |invoked, returned, outcome| {
        has_an_order(&[write, event(invoked, returned, GetStale, outcome)])
    };
    let (fresh, stale, nothing) = (Found(Some(1)), FoundStale(1), Found(None));
    assert!(told(20, 999, fresh) && !told(20, 999, stale) && !told(20, 999, nothing));
    assert!(told(20, 1000, stale) && !told(1010, 1020, fresh) && !told(1010, 1499, nothing));
    assert!(told(1509, 1520, stale) && !told(1510, 1520, stale) && told(20, 1500, nothing));
    // Others find nothing meanwhile, and write over it.
    let others = event(1100, 1101, Get, Found(None));
    let again =
        |action, outcome| has_an_order(&[write, others, event(1200, 1201, action, outcome)]);
    assert!(again(GetStale, stale) && !again(GetStale, fresh) && !again(Get, fresh));
    assert!(again(SetIfAbsent(kept(2)), Decided(Stored)));
    assert!(!again(SetIfAbsent(kept(2)), Decided(Exists)));
    let gone = [write, event(1100, 1101, Delete, Done), event(1200, 1201, GetStale, stale)];
    assert!(!has_an_order(&gone) && !explains(&gone, AnyTime));
    // What was stale once is fresh no more.
    let early = event(1005, 1006, GetStale, stale);
    assert!(!has_an_order(&[write, early, event(1007, 1008, Get, fresh)]));
}

#[test]
fn a_lost_step_of_a_counter_is_found() {
    let steps = |one, other| {
        [event(0, 9, Add(5, None), Counted(one)), event(1, 8, Add(7, None), Counted(other))]
    };
    assert!(has_an_order(&steps(5, 12)) && has_an_order(&steps(12, 7)));
    assert!(!has_an_order(&steps(5, 7)) && !has_an_order(&steps(12, 12)));
    // A full cache may have evicted the first of them.
    assert!(explains(&steps(5, 7), AnyTime));
    // It lives so long from each step on.
    let lasting = |read| {
        [
            event(0, 1, Add(5, Some(at(1000))), Counted(5)),
            event(500, 501, Add(7, Some(at(1000))), Counted(12)),
            event(1400, 1401, Get, Found(read)),
        ]
    };
    assert!(has_an_order(&lasting(Some(12))) && !has_an_order(&lasting(None)));
}

/// What real clients saw is explained, and no longer when one reply is forged.
#[test]
fn a_forged_reply_is_found_in_a_recorded_history() {
    run(async {
        let site = Deployment::SeveralWorkersAndShards.start();
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(Contender::connect(&site).await);
        }
        let mut forged = 0;
        for mut history in contend(&clients, 1).await.into_values() {
            history.sort_by_key(|event| event.invoked);
            assert!(has_an_order(&history));
            // The first value that was read and then replaced is read again at the end.
            let reads = history.iter().filter_map(|event| match event.outcome {
                Found(value) => value,
                _ => None,
            });
            let reads: Vec<u64> = reads.collect();
            let (Some(first), Some(last)) = (reads.first(), reads.last()) else { continue };
            if first == last {
                continue;
            }
            let end = history.iter().map(|event| event.returned).max().unwrap() + at(1);
            let stale = Event {
                invoked: end,
                returned: end + at(1),
                ..event(0, 0, Get, Found(Some(*first)))
            };
            assert!(!explains(&[&history[..], &[stale]].concat(), AnyTime), "{history:#?}");
            forged += 1;
        }
        assert!(forged > 0);
    });
}

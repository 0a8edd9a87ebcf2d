//! Add: counters with bounds and with two kinds of TTL.

use std::time::{Duration, Instant};

use tiny_cache_proto::v1::{
    AddOutcome, AddReply, AddRequest, AtBound, BatchRequest, Operation, ReadState,
    operation::Operation as Sent, operation_result::Result as Got,
};
use tokio::task::JoinSet;
use tonic::Code;

use crate::support::{
    Deployment, Second,
    messages::{item, key, lasting, read, write},
};

crate::rows![
    a_counter_counts_and_is_read_as_text,
    a_sum_beyond_its_bounds_is_refused_or_cut,
    a_counter_keeps_its_end_or_gets_a_new_one,
    a_fixed_window_lets_so_many_through,
    what_is_no_counter_is_left_alone,
    what_cannot_be_added_is_refused,
    no_step_of_many_callers_is_lost,
    a_step_in_a_batch_is_a_step,
];

fn step(delta: i64) -> AddRequest {
    AddRequest { key: "n".to_owned(), delta, ..AddRequest::default() }
}

async fn add(second: &mut Second, request: AddRequest) -> AddReply {
    second.add(request).await.unwrap().into_inner()
}

async fn a_counter_counts_and_is_read_as_text(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    let mut last = 0;
    for (delta, value) in [(5, 5), (0, 5), (-7, -2), (i64::MAX, i64::MAX - 2), (1, i64::MAX - 1)] {
        let reply = add(&mut second, step(delta)).await;
        assert_eq!((reply.outcome(), reply.value), (AddOutcome::Added, value));
        assert!(reply.version > last && reply.process_id > 0 && reply.ttl_left_ms == 0);
        assert_eq!(cache.get(key("n")).await.unwrap().value, value.to_string());
        last = reply.version;
    }
    cache.set(item("n", "41")).await.unwrap();
    assert_eq!(add(&mut second, step(1)).await.value, 42);
    cache.delete(key("n")).await.unwrap();
    let begun = add(&mut second, AddRequest { initial: 100, ..step(-1) }).await;
    assert_eq!(begun.value, 99);
    let next = add(&mut second, AddRequest { initial: 100, ..step(-1) }).await;
    assert_eq!(next.value, 98);
}

async fn a_sum_beyond_its_bounds_is_refused_or_cut(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let bounded = |delta| AddRequest { least: Some(0), most: Some(3), ..step(delta) };
    let refused = add(&mut second, bounded(4)).await;
    let expected = (AddOutcome::Refused, 0, 0);
    assert_eq!((refused.outcome(), refused.value, refused.version), expected);
    assert_eq!(second.read(read("n")).await.unwrap().into_inner().state(), ReadState::Miss);

    let third = add(&mut second, bounded(3)).await;
    let refused = add(&mut second, bounded(1)).await;
    let expected = (AddOutcome::Refused, 3, third.version);
    assert_eq!((refused.outcome(), refused.value, refused.version), expected);
    let cut = AddRequest { at_bound: AtBound::Saturate.into(), ..bounded(-9) };
    let cut = add(&mut second, cut).await;
    assert_eq!((cut.outcome(), cut.value), (AddOutcome::Saturated, 0));
    assert!(cut.version > third.version);
    // Without bounds, those of 64 bits.
    add(&mut second, step(i64::MAX)).await;
    assert_eq!(add(&mut second, step(1)).await.outcome(), AddOutcome::Refused);
}

async fn a_counter_keeps_its_end_or_gets_a_new_one(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let lasting = |renew_ttl| AddRequest { ttl_ms: 500, renew_ttl, ..step(1) };
    let first = add(&mut second, lasting(false)).await;
    let begun = Instant::now();
    assert!((1..=500).contains(&first.ttl_left_ms), "{first:?}");
    // Each step would have it live a part of a millisecond longer, if its end were rounded.
    let mut steps = 1;
    while begun.elapsed() < Duration::from_millis(300) {
        steps += 1;
        assert_eq!(add(&mut second, lasting(false)).await.value, steps);
    }
    assert!(steps > 30, "{steps}");
    tokio::time::sleep(Duration::from_millis(505).saturating_sub(begun.elapsed())).await;
    let anew = add(&mut second, lasting(false)).await;
    assert_eq!(anew.value, 1, "{steps} steps kept it alive");

    tokio::time::sleep(Duration::from_millis(50)).await;
    let renewed = add(&mut second, lasting(true)).await;
    assert!(renewed.value == 2 && renewed.ttl_left_ms > 490, "{renewed:?}");
}

async fn a_fixed_window_lets_so_many_through(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let call = || AddRequest { most: Some(5), ttl_ms: 300, ..step(1) };
    for _ in 0..2 {
        let mut passed = 0;
        for _ in 0..20 {
            let reply = add(&mut second, call()).await;
            passed += i32::from(reply.outcome() == AddOutcome::Added);
            assert!(reply.ttl_left_ms > 0, "it says when to try again: {reply:?}");
        }
        assert_eq!(passed, 5);
        tokio::time::sleep(Duration::from_millis(310)).await;
    }
}

async fn what_is_no_counter_is_left_alone(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    for value in ["", "x", "01", "+1", "1.5", "9223372036854775808"] {
        cache.set(lasting("n", value, 100)).await.unwrap();
        let refused = second.add(step(1)).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{value:?}");
        let expected = "The value is no counter: it is not a decimal number of 64 bits";
        assert_eq!(refused.message(), expected);
        assert_eq!(cache.get(key("n")).await.unwrap().value, value);
    }
}

async fn what_cannot_be_added_is_refused(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    for (request, message) in [
        (
            AddRequest { least: Some(3), most: Some(2), ..step(1) },
            "least is 3, and most 2: most is no less than least",
        ),
        (AddRequest { at_bound: 7, ..step(1) }, "at_bound is 7: it is 0 to 2"),
        (
            AddRequest { ttl_ms: -1, ..step(1) },
            "ttl_ms is -1: it is positive, or 0 for an entry that never expires",
        ),
        (AddRequest { key: String::new(), ..step(1) }, "Key cannot be empty"),
    ] {
        let refused = second.add(request).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, message));
    }
}

async fn no_step_of_many_callers_is_lost(on: Deployment) {
    let site = on.start();
    let mut callers = JoinSet::new();
    for _ in 0..4 {
        let mut second = site.second().await;
        callers.spawn(async move {
            for _ in 0..100 {
                add(&mut second, step(1)).await;
            }
        });
    }
    callers.join_all().await;
    assert_eq!(site.connect().await.get(key("n")).await.unwrap().value, "400");
}

async fn a_step_in_a_batch_is_a_step(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let operations = [Sent::Add(step(2)), Sent::Write(write("x", "text")), Sent::Add(step(3))];
    let operations = operations.map(|one| Operation { operation: Some(one) }).to_vec();
    let reply = second.batch(BatchRequest { operations }).await.unwrap().into_inner();
    let results: Vec<_> = reply.results.into_iter().map(|it| it.result.unwrap()).collect();
    let [Got::Add(first), Got::Write(_), Got::Add(last)] = &results[..] else {
        panic!("{results:?}");
    };
    assert_eq!((first.value, last.value, last.process_id), (2, 5, 0));
}

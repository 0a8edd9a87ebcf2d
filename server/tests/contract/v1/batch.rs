//! Batch: any mix of operations, a result for each.

use tiny_cache_proto::v1::{
    BatchRequest, Failure, Operation, Outcome, Presence, ReadRequest, ReadState, WriteRequest,
    condition::Holds, operation::Operation as Sent, operation_result::Result as Got,
};
use tonic::Code;

use crate::support::{
    Deployment, Second,
    messages::{item, read, remove, when, write},
};

crate::rows![
    a_mix_of_operations_is_carried_out_in_order,
    one_operation_that_is_refused_fails_no_other,
    results_that_do_not_fit_say_so,
    a_batch_keeps_to_its_limit,
    a_long_batch_is_answered_like_a_short_one,
];

async fn run(second: &mut Second, each: impl IntoIterator<Item = Sent>) -> Vec<Got> {
    let operations = each.into_iter().map(|one| Operation { operation: Some(one) }).collect();
    let reply = second.batch(BatchRequest { operations }).await.unwrap().into_inner();
    assert!(reply.process_id > 0);
    reply.results.into_iter().map(|result| result.result.unwrap()).collect()
}

async fn a_mix_of_operations_is_carried_out_in_order(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let absent = || Some(Holds::Presence(Presence::Absent as i32));
    let results = run(
        &mut second,
        [
            Sent::Read(read("k")),
            Sent::Write(when(write("k", "1"), absent())),
            Sent::Write(when(write("k", "2"), absent())),
            Sent::Read(read("k")),
            Sent::Remove(remove("k", None)),
            Sent::Read(read("k")),
        ],
    )
    .await;
    let [
        Got::Read(before),
        Got::Write(first),
        Got::Write(second_write),
        Got::Read(between),
        Got::Remove(removed),
        Got::Read(after),
    ] = &results[..]
    else {
        panic!("{results:?}");
    };
    assert_eq!((before.state(), after.state()), (ReadState::Miss, ReadState::Miss));
    assert_eq!((first.outcome(), second_write.outcome()), (Outcome::Applied, Outcome::Exists));
    assert_eq!((&between.value[..], between.version), (&b"1"[..], first.version));
    assert_eq!(removed.previous_version, first.version);
    assert_eq!(between.process_id, 0, "it is said once");
    assert!(run(&mut second, []).await.is_empty());
}

async fn one_operation_that_is_refused_fails_no_other(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "100")]);
    let mut second = site.second().await;
    let operations = [
        Some(Sent::Read(read(""))),
        Some(Sent::Write(WriteRequest { ttl_ms: -1, ..write("k", "v") })),
        Some(Sent::Write(write("k", vec![0; 101]))),
        None,
        Some(Sent::Write(write("k", "v"))),
    ];
    let operations = operations.map(|operation| Operation { operation }).to_vec();
    let reply = second.batch(BatchRequest { operations }).await.unwrap().into_inner();
    let results: Vec<_> = reply.results.into_iter().map(|it| it.result.unwrap()).collect();
    for (result, (code, message)) in results.iter().zip([
        (Code::InvalidArgument, "Key cannot be empty"),
        (
            Code::InvalidArgument,
            "ttl_ms is -1: it is positive, or 0 for an entry that never expires",
        ),
        (Code::ResourceExhausted, "Value exceeds maximum allowed cache entry size"),
        (
            Code::InvalidArgument,
            "operation is empty, or newer than this server: set one of its fields",
        ),
    ]) {
        let (code, message) = (code as i32, message.to_owned());
        let failure = Failure { code, message, carried_out: false };
        assert_eq!(*result, Got::Failure(failure));
    }
    assert!(matches!(&results[4], Got::Write(done) if done.outcome() == Outcome::Applied));
}

async fn results_that_do_not_fit_say_so(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "1000")]);
    let mut second = site.second().await;
    site.connect().await.set(item("k", vec![7; 1000])).await.unwrap();
    let count = 5000;
    let reads = (0..count).map(|_| Sent::Read(read("k")));
    let results = run(&mut second, reads).await;
    assert_eq!(results.len(), count);
    let fits = |result: &Got| matches!(result, Got::Read(found) if found.value.len() == 1000);
    let fitting = results.iter().take_while(|result| fits(result)).count();
    assert!((1000..count).contains(&fitting), "{fitting} fit");
    for result in &results[fitting..] {
        let Got::Failure(failure) = result else { panic!("{result:?}") };
        assert_eq!(failure.code, Code::ResourceExhausted as i32);
        assert!(failure.message.starts_with("Reply would exceed the message limit of"));
        assert!(failure.carried_out);
    }
}

async fn a_batch_keeps_to_its_limit(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_BATCH_ITEMS", "10")]);
    let mut second = site.second().await;
    let batch = |count| {
        let operation = || Operation { operation: Some(Sent::Read(read("k"))) };
        BatchRequest { operations: (0..count).map(|_| operation()).collect() }
    };
    assert_eq!(second.batch(batch(10)).await.unwrap().into_inner().results.len(), 10);
    let refused = second.batch(batch(11)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().starts_with("Batch of 11 items is too large (max 10"));
}

async fn a_long_batch_is_answered_like_a_short_one(on: Deployment) {
    let site = on.start();
    let mut second = site.second().await;
    let writes = (0..1000).map(|n| Sent::Write(write(format!("k{n}"), n.to_string())));
    run(&mut second, writes).await;
    let reads = (0..1000).map(|n| {
        let exists_only = n % 2 == 0;
        Sent::Read(ReadRequest { exists_only, ..read(format!("k{n}")) })
    });
    for (n, result) in run(&mut second, reads).await.into_iter().enumerate() {
        let Got::Read(found) = result else { panic!("{result:?}") };
        assert_eq!(found.state(), ReadState::Fresh);
        let expected = if n % 2 == 0 { String::new() } else { n.to_string() };
        assert_eq!(found.value, expected.into_bytes());
    }
}

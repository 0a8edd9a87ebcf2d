//! What waits is exported before the process ends, within the grace.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tonic::Status;

use crate::{
    receiver::{Manner, Receiver},
    support::{
        messages::{key, keys},
        run,
    },
    traced,
};

#[test]
fn a_stop_exports_what_was_waiting() {
    run(async {
        let receiver = Receiver::start().await;
        // Nothing would be exported for ten minutes.
        let mut server = traced(&receiver, &[("OTEL_BSP_SCHEDULE_DELAY", "600000")]);
        let mut cache = server.connect().await;
        for _ in 0..100 {
            cache.get(key("k")).await.unwrap();
        }
        drop(cache);
        server.signal(Signal::TERM);
        let ended = server.end_by(Instant::now() + Duration::from_secs(20)).await;
        assert!(ended.unwrap().success());
        // The process has ended, so what it sent has arrived, or never will.
        assert_eq!(receiver.rpcs(100).await.len(), 100);
    });
}

#[test]
fn what_waits_goes_in_messages_that_a_collector_takes() {
    run(async {
        // As collectors do by default, it refuses a message above 4 MiB.
        let receiver = Receiver::start().await;
        let mut server = traced(
            &receiver,
            &[
                ("CACHE_TRACE_KEYS", "true"),
                ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
                ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2048"),
            ],
        );
        let mut cache = server.connect().await;
        let names = (0..20).map(|n| format!("{n:0200}"));
        let message = keys(names);
        for _ in 0..1_500 {
            cache.multi_get(message.clone()).await.unwrap();
        }
        drop(cache);
        server.signal(Signal::TERM);
        let ended = server.end_by(Instant::now() + Duration::from_secs(20)).await;
        assert!(ended.unwrap().success());
        assert_eq!(receiver.rpcs(1_500).await.len(), 1_500);
    });
}

/// Every stop took as long as a batch was tried again, up to the whole grace.
#[test]
fn a_process_that_ends_tries_no_batch_again() {
    run(async {
        let receiver = Receiver::that(Manner::answers(|| Status::unavailable("not now"))).await;
        let mut server = traced(
            &receiver,
            &[("OTEL_BSP_SCHEDULE_DELAY", "600000"), ("CACHE_SHUTDOWN_GRACE_SECONDS", "600")],
        );
        server.connect().await.get(key("k")).await.unwrap();
        server.signal(Signal::TERM);
        let ended = server.end_by(Instant::now() + Duration::from_secs(60)).await;
        assert!(ended.unwrap().success());
        assert_eq!(receiver.now().requests, 1);
    });
}

#[test]
fn a_collector_that_never_answers_keeps_no_process_from_its_end() {
    run(async {
        let receiver = Receiver::that(Manner::NeverAnswers).await;
        let mut server = traced(&receiver, &[("CACHE_SHUTDOWN_GRACE_SECONDS", "1")]);
        server.connect().await.get(key("k")).await.unwrap();
        receiver.wait(|seen| seen.requests > 0).await;
        server.signal(Signal::TERM);
        // The grace, half a second, and time for a machine that is busy with other tests.
        let ended = server.end_by(Instant::now() + Duration::from_secs(10)).await;
        assert!(ended.unwrap().success());
        let lost = "spans were not exported before the end";
        let lines = server.logged();
        assert!(lines.iter().any(|line| line["fields"]["message"] == lost), "{lines:#?}");
    });
}

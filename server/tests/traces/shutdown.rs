//! What waits is exported before the process ends, within the grace.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::{
    receiver::{Manner, Receiver},
    support::{messages::key, run},
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

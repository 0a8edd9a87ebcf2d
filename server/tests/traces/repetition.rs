//! What a collector refuses is sent again by OTLP's rules, and within bounds.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{
    dropped, export_failed,
    receiver::{Manner, Receiver},
    support::{messages::key, run},
    traced,
};

fn throttled(code: Code, delay: Duration) -> Status {
    Status::with_error_details(code, "slow down", ErrorDetails::with_retry_info(Some(delay)))
}

const NAMED: Duration = Duration::from_millis(1200);

#[test]
fn a_throttled_batch_is_sent_again_after_the_time_that_the_collector_names() {
    run(async {
        for code in [Code::ResourceExhausted, Code::Unavailable] {
            let receiver =
                Receiver::that(Manner::refuses_first(move || throttled(code, NAMED))).await;
            let server = traced(&receiver, &[]);
            server.connect().await.get(key("k")).await.unwrap();
            receiver.rpcs(1).await;
            let at = receiver.now().at;
            assert_eq!(at.len(), 2, "{code:?}");
            assert!(at[1] - at[0] >= NAMED, "{code:?}: {:?}", at[1] - at[0]);
            assert_eq!(dropped(&server, "export_failed").await, 0, "{code:?}");
        }
    });
}

#[test]
fn a_refusal_that_may_pass_is_sent_again() {
    run(async {
        use Code::*;
        for code in [Unavailable, Aborted, DataLoss] {
            let receiver =
                Receiver::that(Manner::refuses_first(move || Status::new(code, "not now"))).await;
            let server = traced(&receiver, &[]);
            server.connect().await.get(key("k")).await.unwrap();
            receiver.rpcs(1).await;
            assert_eq!(receiver.now().requests, 2, "{code:?}");
        }
    });
}

#[test]
fn a_refusal_that_stays_is_sent_once() {
    run(async {
        use Code::*;
        for code in [ResourceExhausted, InvalidArgument, Internal, Unknown] {
            let receiver =
                Receiver::that(Manner::refuses_first(move || Status::new(code, "never"))).await;
            let server = traced(&receiver, &[]);
            let mut cache = server.connect().await;
            cache.get(key("first")).await.unwrap();
            receiver.wait(|seen| seen.requests == 1).await;
            // The next batch follows the refused one: had that been repeated, both would come.
            export_failed(&server).await;
            cache.get(key("second")).await.unwrap();
            receiver.rpcs(1).await;
            assert_eq!(receiver.now().requests, 2, "{code:?}");
        }
    });
}

#[test]
fn what_the_collector_rejects_of_a_batch_is_counted_and_reported() {
    run(async {
        let receiver = Receiver::that(Manner::Rejects(1)).await;
        let mut server = traced(&receiver, &[]);
        server.connect().await.get(key("k")).await.unwrap();
        let lines = server.logged_until("spans cannot be exported");
        let line = &lines.last().unwrap()["fields"];
        assert!(line["cause"].as_str().unwrap().contains("too old"), "{line}");
        assert_eq!(dropped(&server, "export_failed").await, 1);
        assert_eq!(receiver.now().requests, 1);
    });
}

#[test]
fn a_batch_is_repeated_for_no_longer_than_its_time() {
    run(async {
        let day = Duration::from_secs(24 * 60 * 60);
        for manner in [
            Manner::answers(|| Status::unavailable("not now")),
            Manner::NeverAnswers,
            // Beyond the batch's time: it is given up at once.
            Manner::refuses_first(move || throttled(Code::ResourceExhausted, day)),
        ] {
            let receiver = Receiver::that(manner).await;
            let server = traced(&receiver, &[("OTEL_BSP_EXPORT_TIMEOUT", "1000")]);
            server.connect().await.get(key("k")).await.unwrap();
            export_failed(&server).await;
        }
    });
}

#[test]
fn a_batch_that_waits_to_be_repeated_keeps_no_process_from_its_end() {
    run(async {
        let hour = Duration::from_secs(3600);
        let receiver =
            Receiver::that(Manner::refuses_first(move || throttled(Code::Unavailable, hour))).await;
        let vars =
            [("CACHE_SHUTDOWN_GRACE_SECONDS", "600"), ("OTEL_BSP_EXPORT_TIMEOUT", "86400000")];
        let mut server = traced(&receiver, &vars);
        server.connect().await.get(key("k")).await.unwrap();
        receiver.wait(|seen| seen.requests == 1).await;
        server.signal(Signal::TERM);
        let ended = server.end_by(Instant::now() + Duration::from_secs(60)).await;
        assert!(ended.unwrap().success());
        // It was sent a last time before the end.
        assert_eq!(receiver.rpcs(1).await.len(), 1);
    });
}

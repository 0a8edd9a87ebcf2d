//! A connection to the collector that fails costs no span, however it fails.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::net::TcpListener;

use crate::{
    ASKED, ask, dropped, exported,
    link::{Fault, Link},
    receiver::Receiver,
    support::{process::Process, run},
    traced,
};

const FAILS: &str = "spans cannot be exported";
const WORKS: &str = "spans are exported again";

fn says(server: &mut Process, message: &str) -> usize {
    let lines = server.logged();
    lines.iter().filter(|line| line["fields"]["message"] == message).count()
}

/// A batch was lost with each: tonic reports a GOAWAY as INTERNAL and a closed connection as
/// UNKNOWN, and OTLP repeats neither.
#[test]
fn a_connection_that_fails_on_the_request_costs_no_batch() {
    run(async {
        for faults in [
            &[Fault::Closes][..],
            &[Fault::GoesAway],
            &[Fault::Closes, Fault::GoesAway, Fault::Closes],
            // PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM
            &[Fault::ResetsStream(1)],
            &[Fault::ResetsStream(2)],
            &[Fault::ResetsStream(7)],
            &[Fault::ResetsStream(8)],
            &[Fault::ResetsStream(11)],
        ] {
            let receiver = Receiver::start().await;
            let link = Link::to(receiver.addr(), faults).await;
            let mut server =
                traced(&receiver, &[ASKED, ("OTEL_EXPORTER_OTLP_ENDPOINT", &link.endpoint())]);
            ask(&mut server.wire().await).await;
            receiver.rpcs(1).await;
            assert_eq!(dropped(&server, "export_failed").await, 0, "{faults:?}");
            if let [_] = faults {
                assert_eq!(says(&mut server, FAILS), 0, "one repetition is no news: {faults:?}");
            }
        }
    });
}

#[test]
fn an_idle_connection_that_is_reset_costs_no_batch() {
    run(async {
        let receiver = Receiver::start().await;
        let link = Link::to(receiver.addr(), &[]).await;
        let server = traced(&receiver, &[ASKED, ("OTEL_EXPORTER_OTLP_ENDPOINT", &link.endpoint())]);
        let mut wire = server.wire().await;
        for spans in 1..=3 {
            ask(&mut wire).await;
            receiver.rpcs(spans).await;
            exported(&server, spans as u64).await;
            link.reset();
        }
        assert_eq!(dropped(&server, "export_failed").await, 0);
    });
}

/// A connection without a FIN was taken for a collector that thinks: each batch waited until its
/// time was over and was lost, until the system gave the connection up after 15 minutes.
#[test]
fn a_collector_that_is_gone_without_a_word_costs_no_span() {
    run(async {
        let receiver = Receiver::start().await;
        let link = Link::to(receiver.addr(), &[]).await;
        let vars = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*link.endpoint()),
            // So a ping is due after 0.5 s.
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
            ASKED,
        ];
        let server = traced(&receiver, &vars);
        let mut wire = server.wire().await;
        for spans in 1..=3 {
            ask(&mut wire).await;
            receiver.rpcs(spans).await;
            exported(&server, spans as u64).await;
            link.fall_silent();
        }
        assert_eq!(dropped(&server, "export_failed").await, 0);
        assert_eq!(dropped(&server, "queue_full").await, 0);
    });
}

#[test]
fn a_peer_that_accepts_and_says_nothing_costs_no_span_where_the_next_one_answers() {
    run(async {
        let receiver = Receiver::start().await;
        let link = Link::to(receiver.addr(), &[Fault::SaysNothing]).await;
        let vars = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*link.endpoint()),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
            ASKED,
        ];
        let server = traced(&receiver, &vars);
        ask(&mut server.wire().await).await;
        receiver.rpcs(1).await;
        assert_eq!(dropped(&server, "export_failed").await, 0);
    });
}

#[test]
fn a_stop_exports_what_waits_over_a_new_connection() {
    run(async {
        let receiver = Receiver::start().await;
        let link = Link::to(receiver.addr(), &[]).await;
        let vars = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*link.endpoint()),
            // Two spans are exported at once, one waits for the end.
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2"),
            ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
            ASKED,
        ];
        let mut server = traced(&receiver, &vars);
        let mut wire = server.wire().await;
        ask(&mut wire).await;
        ask(&mut wire).await;
        exported(&server, 2).await;
        link.reset();
        ask(&mut wire).await;
        drop(wire);
        server.signal(Signal::TERM);
        let ended = server.end_by(Instant::now() + Duration::from_secs(20)).await;
        assert!(ended.unwrap().success());
        receiver.rpcs(3).await;
    });
}

/// The line came with the stop, for that was when the batch was given up.
#[test]
fn a_dead_collector_is_reported_when_it_is_dead_and_when_it_is_back() {
    run(async {
        // A port of ours that nobody listens on.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        drop(listener);
        let endpoint = format!("http://{addr}");
        let vars =
            [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ASKED, ("OTEL_BSP_SCHEDULE_DELAY", "20")];
        let mut server = Process::start(&vars);
        ask(&mut server.wire().await).await;
        let lines = server.logged_until(FAILS);
        let line = &lines.last().unwrap()["fields"];
        assert_eq!(line["endpoint"], endpoint);
        assert!(line["cause"].as_str().unwrap().contains("onnection refused"), "{line}");
        assert!(line["remedy"].as_str().unwrap().contains("check"), "{line}");
        // The batch is not given up while the collector starts.
        let receiver = Receiver::at(addr).await;
        receiver.rpcs(1).await;
        server.logged_until(WORKS);
        assert_eq!(dropped(&server, "export_failed").await, 0);
    });
}

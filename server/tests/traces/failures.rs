//! A collector that is dead, slow or unwilling costs spans, and nothing else.

use tonic::{Code, Status};

use crate::{
    export_failed, figures,
    receiver::{Manner, Receiver},
    support::{
        messages::{every_call, key},
        process::Process,
        run,
    },
    traced,
};

#[test]
fn a_collector_that_never_answers_changes_nothing_but_the_drop_counter() {
    run(async {
        let receiver = Receiver::that(Manner::NeverAnswers).await;
        let queue = ("OTEL_BSP_MAX_QUEUE_SIZE", "8");
        let one_worker = ("CACHE_WORKERS", "1");
        // Of the callers' choice, so that no sweep of the store takes a place.
        let theirs = ("OTEL_TRACES_SAMPLER", "parentbased_always_off");
        // What is simulated is ten times a second later than the calls.
        let no_simulation = ("CACHE_WHAT_IF", "false");
        let hung = traced(&receiver, &[queue, one_worker, theirs, no_simulation]);
        let plain = Process::start(&[one_worker, no_simulation]);
        let mut replies = [Vec::new(), Vec::new()];
        for (server, replies) in [&hung, &plain].into_iter().zip(&mut replies) {
            let mut wire = server.wire().await;
            for call in (0..20).flat_map(|_| every_call()) {
                let context = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
                let metadata = [("x-request-id", b"id".as_slice()), ("traceparent", context)];
                let mut reply = wire.call(&call.path(), &metadata, &call.message).await.unwrap();
                assert_eq!(reply.code(), Code::Ok);
                // The answer to a context that asks for a span, see `parents`.
                reply.initial.remove("traceresponse");
                replies.push((reply.initial.clone(), reply.message));
            }
        }
        // The export is under way, and holds its spans.
        receiver.wait(|seen| seen.requests > 0).await;
        assert_eq!(replies[0], replies[1]);

        let (mut hung, mut plain) = (figures(&hung).await, figures(&plain).await);
        let mut take = |series: &str| (hung.remove(series).unwrap(), plain.remove(series).unwrap());
        let dropped = |reason| format!("tiny_cache_spans_dropped_total{{reason=\"{reason}\"}}");
        let calls = 20 * every_call().len();
        assert_eq!(take(&dropped("queue_full")), ((calls - 8).to_string(), "0".to_owned()));
        assert_eq!(take("tiny_cache_spans_queued"), ("8".to_owned(), "0".to_owned()));
        assert_eq!(hung, plain);
    });
}

#[test]
fn what_a_collector_refuses_is_counted() {
    run(async {
        let receiver =
            Receiver::that(Manner::answers(|| Status::permission_denied("not yours"))).await;
        let server = traced(&receiver, &[]);
        server.connect().await.get(key("k")).await.unwrap();
        receiver.wait(|seen| seen.requests > 0).await;
        // The refusal is on its way back.
        export_failed(&server).await;
    });
}

#[test]
fn a_collector_that_refuses_is_logged_once() {
    run(async {
        let receiver =
            Receiver::that(Manner::answers(|| Status::permission_denied("not yours"))).await;
        let mut server = traced(&receiver, &[]);
        let mut cache = server.connect().await;
        for exports in 1..=3 {
            cache.get(key("k")).await.unwrap();
            receiver.wait(|seen| seen.requests >= exports).await;
        }
        let problem = "spans cannot be exported";
        let lines = server.logged();
        let about_it: Vec<_> =
            lines.iter().filter(|line| line["fields"]["message"] == problem).collect();
        let [line] = about_it[..] else { panic!("{lines:#?}") };
        assert_eq!(line["level"], "WARN");
        let fields = &line["fields"];
        assert_eq!(fields["endpoint"], receiver.endpoint());
        assert_eq!(fields["cause"], "PermissionDenied: not yours");
        assert!(fields["remedy"].as_str().unwrap().contains("HEADERS"), "{line}");
    });
}

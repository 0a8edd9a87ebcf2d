//! A collector that is dead, slow or unwilling costs spans, and nothing else.

use std::collections::BTreeMap;

use tonic::Code;

use crate::{
    receiver::{Manner, Receiver},
    support::{
        http::Http,
        messages::{every_call, key},
        process::Process,
        run,
    },
    traced,
};

/// The samples of `/metrics` that follow from what was asked, and not from the time it took or
/// from the process that answered.
async fn figures(server: &Process) -> BTreeMap<String, String> {
    let mut http = Http::connect(server.http_addr()).await.unwrap();
    let page = http.get("/metrics").await.unwrap().body;
    let of_the_moment = [
        "process_",
        "rpc_server_call_duration_seconds_sum",
        "rpc_server_call_duration_seconds_bucket",
        "tiny_cache_allocator_",
        "tiny_cache_maintenance_",
        "tiny_cache_uptime_",
        "tiny_cache_worker_busy_",
        "tiny_cache_write_stalls_",
    ];
    page.lines()
        .filter(|line| !line.starts_with('#'))
        .filter(|line| !of_the_moment.iter().any(|name| line.starts_with(name)))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.to_owned())
        })
        .collect()
}

#[test]
fn a_collector_that_never_answers_changes_nothing_but_the_drop_counter() {
    run(async {
        let receiver = Receiver::that(Manner::NeverAnswers).await;
        let queue = ("OTEL_BSP_MAX_QUEUE_SIZE", "8");
        let one_worker = ("CACHE_WORKERS", "1");
        // Of the callers' choice, so that no sweep of the store takes a place.
        let theirs = ("OTEL_TRACES_SAMPLER", "parentbased_always_off");
        let hung = traced(&receiver, &[queue, one_worker, theirs]);
        let plain = Process::start(&[one_worker]);
        let mut replies = [Vec::new(), Vec::new()];
        for (server, replies) in [&hung, &plain].into_iter().zip(&mut replies) {
            let mut wire = server.wire().await;
            for call in (0..20).flat_map(|_| every_call()) {
                let context = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
                let metadata = [("x-request-id", b"id".as_slice()), ("traceparent", context)];
                let reply = wire.call(&call.path(), &metadata, &call.message).await.unwrap();
                assert_eq!(reply.code(), Code::Ok);
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
        let receiver = Receiver::that(Manner::Refuses).await;
        let server = traced(&receiver, &[]);
        server.connect().await.get(key("k")).await.unwrap();
        receiver.wait(|seen| seen.requests > 0).await;
        let series = "tiny_cache_spans_dropped_total{reason=\"export_failed\"}";
        // The refusal is on its way back.
        while figures(&server).await[series] == "0" {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    });
}

#[test]
fn a_collector_that_refuses_is_logged_once() {
    run(async {
        let receiver = Receiver::that(Manner::Refuses).await;
        let mut server = traced(&receiver, &[]);
        let mut cache = server.connect().await;
        for exports in 1..=3 {
            cache.get(key("k")).await.unwrap();
            receiver.wait(|seen| seen.requests >= exports).await;
        }
        let problem = "spans cannot be exported; they are dropped";
        let lines = server.logged();
        let told = lines.iter().filter(|line| line["fields"]["message"] == problem).count();
        assert_eq!(told, 1, "{lines:#?}");
    });
}

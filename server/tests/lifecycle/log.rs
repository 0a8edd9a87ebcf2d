//! A log that nobody reads.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tonic::transport::Endpoint;

use crate::support::{
    deployment::{Cache, loopback},
    http::{Http, sample},
    messages::key,
    process::command,
    run,
};

/// Each worker stood still at its first line that found the pipe full, and so did the thread
/// that would have changed the level, and the one that would have ended the process.
#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    run(async {
        let mut vars = loopback();
        vars.push(("CACHE_LOG_FORMAT".to_owned(), "json".to_owned()));
        vars.push(("CACHE_LOG_LEVEL".to_owned(), "DEBUG".to_owned()));
        let mut child = command(vars).stderr(Stdio::piped()).spawn().unwrap();
        // Held open, and read no further than to where it listens.
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let addr = loop {
            let mut line = String::new();
            log.read_line(&mut line).unwrap();
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["fields"]["message"] == "listening" {
                break ["grpc", "http"]
                    .map(|port| line["fields"][port].as_str().unwrap().to_owned());
            }
        };
        let endpoint = Endpoint::from_shared(format!("http://{}", addr[0])).unwrap();
        let mut cache = Cache::new(endpoint.connect().await.unwrap());
        // Some hundred lines fill a pipe, and some thousand may wait.
        for _ in 0..6_000 {
            cache.get(key("k")).await.unwrap();
        }
        let mut http = Http::connect(addr[1].parse().unwrap()).await.unwrap();
        let metrics = http.get("/metrics").await.unwrap().body;
        assert!(sample(&metrics, "tiny_cache_log_lines_dropped_total").unwrap() > 0.0);

        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let give_up = Instant::now() + Duration::from_secs(60);
        let ended = loop {
            match child.try_wait().unwrap() {
                Some(ended) => break ended,
                None if Instant::now() > give_up => {
                    child.kill().unwrap();
                    panic!("the process did not end");
                }
                None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        };
        assert!(ended.success());
        drop(log);
    });
}

//! What `/metrics` tells of the process. The deployment cannot change it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::{
    Deployment,
    http::{Http, sample},
    run,
};

#[test]
fn the_process_is_told_under_the_names_of_every_server() {
    run(async {
        let site = Deployment::OneWorkerOneShard.start();
        let mut http = Http::connect(site.http_addr()).await.unwrap();
        for (accept, family) in [
            ("text/plain", "process_cpu_seconds_total"),
            ("application/openmetrics-text", "process_cpu_seconds"),
        ] {
            let page = http.send("GET", "/metrics", &[("accept", accept)]).await.unwrap().body;
            assert!(page.contains(&format!("# TYPE {family} counter\n")), "{page}");
            assert!(sample(&page, "process_cpu_seconds_total").unwrap() >= 0.0);
            let gauge = |name: &str| {
                assert!(page.contains(&format!("# TYPE {name} gauge\n")), "{name}");
                sample(&page, name).unwrap()
            };
            // No server is smaller, in any build.
            assert!(gauge("process_resident_memory_bytes") > f64::from(1 << 20));
            let open = gauge("process_open_fds");
            // Two listeners and this connection at the least.
            assert!(open >= 3.0, "{open}");
            assert!(open <= gauge("process_max_fds"));
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
            let age = now - gauge("process_start_time_seconds");
            assert!((-60.0..3600.0).contains(&age), "{age}");
        }
    });
}

#[test]
fn the_cpu_time_grows_with_work() {
    run(async {
        let site = Deployment::OneWorkerOneShard.start();
        let mut http = Http::connect(site.http_addr()).await.unwrap();
        let mut cpu = async || {
            let page = http.get("/metrics").await.unwrap().body;
            sample(&page, "process_cpu_seconds_total").unwrap()
        };
        let before = cpu().await;
        let patience = Instant::now() + Duration::from_secs(60);
        while cpu().await <= before {
            assert!(Instant::now() < patience, "still {before} s");
        }
    });
}

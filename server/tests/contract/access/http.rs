//! The HTTP port, which may ask for a token.

use std::time::{Duration, Instant};

use crate::support::{Deployment, http::Http, run};

use super::callers::{Files, line, token};

#[test]
fn the_http_port_asks_for_a_token_but_of_probes() {
    run(async {
        let files = Files::new();
        files.write("http-tokens", &line("prometheus", &token("prometheus")));
        let path = files.path("http-tokens");
        let site = Deployment::OneWorkerOneShard.start_with(&[("CACHE_HEALTH_TOKENS_PATH", &path)]);
        let mut http = Http::connect(site.http_addr()).await.unwrap();
        let good = format!("Bearer {}", token("prometheus"));
        let other = format!("Bearer {}", token("ops"));
        for page in ["/", "/health", "/stats", "/metrics", "/log-level", "/nothing", "/live/x"] {
            for bad in [None, Some(&*other), Some("Basic x"), Some("")] {
                let headers: Vec<_> =
                    bad.map(|value| ("authorization", value)).into_iter().collect();
                let refused = http.send("GET", page, &headers).await.unwrap();
                assert_eq!(refused.status, 401, "{page} {bad:?}");
                let scheme = refused.header("www-authenticate").unwrap();
                assert!(scheme.starts_with("Bearer"), "{scheme}");
                assert!(refused.header("x-request-id").is_some());
                assert_eq!(refused.json()["status"], "error");
            }
            let twice = [("authorization", &*good), ("authorization", &*good)];
            assert_eq!(http.send("GET", page, &twice).await.unwrap().status, 401, "{page}");
            let shown = http.send("GET", page, &[("authorization", &good)]).await.unwrap();
            assert_ne!(shown.status, 401, "{page}");
        }
        for page in ["/live", "/ready"] {
            assert_eq!(http.get(page).await.unwrap().status, 200, "{page}");
        }
        let metrics = http.send("GET", "/metrics", &[("authorization", &good)]).await.unwrap().body;
        let refused = "tiny_cache_access_refused_total{reason=\"http\"} 35";
        assert!(metrics.contains(refused), "{metrics}");
        // The gRPC port is as open as before.
        site.connect().await.set(crate::support::messages::item("k", "v")).await.unwrap();

        files.write("http-tokens", &line("prometheus", &token("next")));
        site.server.reload();
        let next = format!("Bearer {}", token("next"));
        let give_up = Instant::now() + Duration::from_secs(30);
        while http.send("GET", "/stats", &[("authorization", &next)]).await.unwrap().status == 401 {
            assert!(Instant::now() < give_up, "the new token is not taken");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let old = http.send("GET", "/stats", &[("authorization", &good)]).await.unwrap();
        assert_eq!(old.status, 401);
    });
}

//! A server with 256 file descriptors, and a thousand connections that want one.

use std::{
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use crate::{
    setting::{millis, transports},
    silent::allow_descriptors,
    support::{
        http::{Http, sample},
        messages::{item, key},
        process::Process,
        run,
    },
};

const ATTEMPTS: usize = 1_000;

/// How long the crowd stays.
const CROWDED: Duration = Duration::from_secs(3);

/// The target is a tenth of a core.
const FAR_OUT_CORES: f64 = 0.5;

/// The target is a second.
const FAR_OUT: Duration = Duration::from_secs(10);

#[test]
#[ignore = "opens a thousand sockets"]
fn a_server_without_descriptors_rests_and_recovers() {
    allow_descriptors(ATTEMPTS as u64 + 500);
    println!("transport  cores meanwhile   HTTP answered, worst   refused   recovered after");
    for transport in transports() {
        run(crowd(&transport));
    }
}

async fn crowd(transport: &str) {
    let vars = [("CACHE_TRANSPORT", transport), ("CACHE_MAX_CONNECTIONS", "10000")];
    let mut server = Process::start_after("ulimit -n 256", &vars);
    let warned = server.logged().iter().any(|line| {
        let text = line["fields"]["message"].as_str().unwrap_or_default();
        text.starts_with("CACHE_MAX_CONNECTIONS=10000 is more than the limit of 256 ")
    });
    assert!(warned, "{:#?}", server.logged());
    let mut known = server.connect().await;
    known.set(item("k", "v")).await.unwrap();

    let crowd = connect(server.grpc_addr());
    let (began, cpu) = (Instant::now(), server.cpu());
    let (mut worst, mut refused) = (Duration::ZERO, 0.0);
    while began.elapsed() < CROWDED {
        let asked = Instant::now();
        for path in ["/live", "/ready", "/metrics"] {
            let mut http = Http::connect(server.http_addr()).await.unwrap();
            let answer = http.get(path).await.unwrap();
            assert_eq!(answer.status, 200, "{path}");
            if path == "/metrics" {
                refused = sample(&answer.body, "tiny_cache_connections_refused_total").unwrap();
            }
        }
        worst = worst.max(asked.elapsed());
        known.get(key("k")).await.unwrap();
        sleep(Duration::from_millis(50)).await;
    }
    let cores = (server.cpu() - cpu).as_secs_f64() / began.elapsed().as_secs_f64();

    drop(crowd);
    let left = Instant::now();
    let served = timeout(FAR_OUT, async {
        server.connect().await.get(key("k")).await.unwrap();
    });
    served.await.expect("the server recovers");
    println!(
        "{transport:<9}  {cores:>15.3}   {:>17.1} ms   {refused:>7}   {:>12.0} ms",
        millis(worst),
        millis(left.elapsed()),
    );
    assert!(cores < FAR_OUT_CORES, "{transport}: {cores} cores");
    assert!(refused > 0.0, "{transport}: nobody was refused");
}

/// As many sockets as the kernel completes.
fn connect(addr: SocketAddr) -> Vec<TcpStream> {
    let threads: Vec<_> = (0..10)
        .map(|_| {
            thread::spawn(move || {
                let wait = Duration::from_secs(1);
                (0..ATTEMPTS / 10)
                    .filter_map(|_| TcpStream::connect_timeout(&addr, wait).ok())
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
}

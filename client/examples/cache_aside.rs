//! A cache in front of something slow, with a stampede in mind: when a value is missing, one
//! of all the callers that want it, in whatever process, loads it, and the others wait for it
//! a moment. When there is no cache, now or from the start, every caller loads for itself. Against a server on this machine (`make run`), or the one that
//! `TINY_CACHE_TARGET` names:
//!
//! ```sh
//! cargo run -p tiny-cache-client --example cache_aside
//! ```

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::{
    env,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tiny_cache_client::{Client, SetIfAbsentOutcome};

/// How long a loaded value is good for.
const FRESH: Duration = Duration::from_secs(30);

/// How long others wait for the one that loads. Longer than loading takes; a loader that died
/// holds them up no longer than this.
const LOADING: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    let target = env::var("TINY_CACHE_TARGET").unwrap_or_else(|_| "localhost:50051".to_owned());
    let client = Client::builder(target)
        // A cache that does not answer is of no use: the origin is asked instead. What is worth
        // waiting for depends on what the origin costs.
        .deadline(Duration::from_secs(2))
        .retries(0)
        // The first call connects: a program must start without its cache, too.
        .build();
    match client {
        Ok(client) => {
            run(&client).await;
            ExitCode::SUCCESS
        }
        // What is wrong here is a setting, such as the address.
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(client: &Client) {
    // Left from an earlier run, perhaps. Should that fail, the old report is read.
    let _ = client.delete("example:report").await;
    if !client.ping().await {
        println!("no cache at {}; the origin will be asked", client.address());
    }

    let origin = Arc::new(Origin::default());
    let start = Instant::now();
    let callers = (0..100).map(|_| {
        let (client, origin) = (client.clone(), origin.clone());
        tokio::spawn(async move { read_through(&client, "example:report", &origin).await })
    });
    for value in futures::future::join_all(callers).await {
        assert!(value.is_ok_and(|value| value == "the report"), "every caller is served");
    }
    println!(
        "100 callers were served in {:.0?}; the origin was asked {} time(s)",
        start.elapsed(),
        origin.asked.load(Ordering::Relaxed)
    );
    client.close().await;
}

/// Reads from the cache, or else from the origin. The cache is never the reason of a failure.
async fn read_through(client: &Client, key: &str, origin: &Origin) -> Bytes {
    let lock = format!("{key}:loading");
    let give_up = Instant::now() + LOADING;
    let mut pause = Duration::from_millis(5);
    loop {
        match client.get(key).await {
            Ok(Some(value)) => return value,
            Ok(None) => {}
            // The cache is away: each caller loads for itself.
            Err(_) => return origin.load().await,
        }
        // Of all that found nothing, one gets the lock. It ends by itself should its holder
        // not live to remove it.
        let mine = client.set_if_absent(&lock, "").ttl(LOADING).await;
        if matches!(mine, Ok(SetIfAbsentOutcome::Stored)) {
            // Between our look and the lock another may have loaded, and be done.
            let value = match client.get(key).await {
                Ok(Some(value)) => value,
                Ok(None) | Err(_) => origin.load().await,
            };
            // What fails here costs another load, no more.
            let _ = client.set(key, value.clone()).ttl(FRESH).await;
            let _ = client.delete(&lock).await;
            return value;
        }
        if Instant::now() >= give_up {
            return origin.load().await;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Something slow, such as a database.
#[derive(Default)]
struct Origin {
    asked: AtomicUsize,
}

impl Origin {
    async fn load(&self) -> Bytes {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(300)).await;
        Bytes::from_static(b"the report")
    }
}

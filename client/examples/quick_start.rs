//! Writes, reads and deletes. Against a server on this machine (`make run`), or another:
//!
//! ```sh
//! TINY_CACHE_TARGET=cache.internal:50051 cargo run -p tiny-cache-client --example quick_start
//! ```

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::{env, process::ExitCode, time::Duration};

use tiny_cache_client::{Client, SetIfAbsentOutcome};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        // The text of an error is one line that needs no other; its debug form is not for people.
        Err(error) => {
            eprintln!(
                "error: {error}; `make run` starts a server, TINY_CACHE_TARGET names another"
            );
            ExitCode::FAILURE
        }
    }
}

async fn run() -> tiny_cache_client::Result<()> {
    let target = env::var("TINY_CACHE_TARGET").unwrap_or_else(|_| "localhost:50051".to_owned());
    let client = Client::connect(target).await?;

    client.set("example:greeting", "hello").ttl(Duration::from_secs(60)).await?;
    println!("read: {:?}", client.get_text("example:greeting").await?);

    match client.set_if_absent("example:greeting", "bonjour").await? {
        SetIfAbsentOutcome::Stored => println!("nobody had greeted yet"),
        SetIfAbsentOutcome::Exists => println!("somebody has greeted already"),
    }

    client.delete("example:greeting").await?;
    println!("after the delete: {:?}", client.get("example:greeting").await?);

    let stats = client.stats().await?;
    println!("the server holds {} entries in {} bytes", stats.entries, stats.memory_usage_bytes);

    client.close().await;
    Ok(())
}

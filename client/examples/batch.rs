//! Writes and reads thousands of values with a few calls. Against a server on this machine
//! (`make run`), or the one that `TINY_CACHE_TARGET` names:
//!
//! ```sh
//! cargo run -p tiny-cache-client --example batch
//! ```

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::{env, process::ExitCode, time::Duration};

use tiny_cache_client::{Client, Item};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
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
    let client = Client::builder(target)
        // A thousand values in one message take longer than one does.
        .deadline(Duration::from_secs(5))
        .namespace("example-batch")
        .connect()
        .await?;

    // The library sends them in parts, four at a time.
    let items = (0..25_000).map(|n| {
        let item = Item::new(format!("square:{n}"), (n * n).to_string());
        // Every tenth lives shorter than the others.
        if n % 10 == 0 { item.ttl(Duration::from_secs(5)) } else { item }
    });
    let written = client.set_many(items).ttl(Duration::from_secs(60)).await?;
    let refused = written.iter().filter(|result| result.is_err()).count();
    println!("{} values written, {refused} refused", written.len() - refused);

    let keys = ["square:12", "square:no such number", "square:24999"];
    for (key, value) in keys.iter().zip(client.get_many(keys).await?) {
        // Each item has a result of its own: one that failed does not fail the others.
        match value {
            Ok(Some(value)) => println!("{key} is {}", String::from_utf8_lossy(&value)),
            Ok(None) => println!("{key} is not there"),
            Err(error) => println!("{key} could not be read: {error}"),
        }
    }

    let keys: Vec<_> = (0..25_000).map(|n| format!("square:{n}")).collect();
    client.delete_many(&keys).await?;
    client.close().await;
    Ok(())
}

//! Waits for a server that is starting.

use std::{future::IntoFuture, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    client::Client,
    clock::after,
    error::{Error, Result},
    kind::ErrorKind,
    operation::Health,
};

/// Pause between two health checks of a server that is not ready yet.
const READY_PAUSE: Duration = Duration::from_millis(50);

/// Waits until the server reports that it takes calls.
pub(super) async fn ready(client: &Client, time: Duration) -> Result<()> {
    let end = after(Instant::now(), time);
    let not_ready = |cause: &str| {
        let text = format!("{} is not ready within {time:?}: {cause}", client.address());
        Error::new(ErrorKind::Timeout, text)
    };
    let mut last = not_ready("no answer");
    loop {
        let Ok(health) = timeout_at(end, client.health().retries(0).into_future()).await else {
            return Err(last);
        };
        match health {
            Ok(Health::Serving) => return Ok(()),
            // It answers, but does not implement health.
            Err(error) if error.kind() == ErrorKind::Unimplemented => return Ok(()),
            Ok(Health::NotServing) => last = not_ready("it takes no calls yet"),
            Ok(Health::Unknown) => last = not_ready("it does not know its health"),
            Err(error) => last = not_ready(&error.to_string()).caused_by(error),
        }
        if Instant::now() + READY_PAUSE >= end {
            return Err(last);
        }
        sleep(READY_PAUSE).await;
    }
}

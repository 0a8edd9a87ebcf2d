//! Waits for a server that is about to start.

use std::{future::IntoFuture, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    Client, Health,
    call::after,
    error::{Error, ErrorKind, Result},
};

/// Pause between two looks at a server that is not ready yet: short beside any patience worth
/// having.
const READY_PAUSE: Duration = Duration::from_millis(50);

/// Waits until the server says that it takes calls.
pub(super) async fn ready(client: &Client, time: Duration) -> Result<()> {
    let end = after(time);
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
            // It answers, if only that it knows of no health.
            Err(error) if error.kind() == ErrorKind::Unimplemented => return Ok(()),
            Ok(health) => last = not_ready(&format!("its health is {health:?}")),
            Err(error) => last = not_ready(&error.to_string()).caused_by(error),
        }
        if Instant::now() + READY_PAUSE >= end {
            return Err(last);
        }
        sleep(READY_PAUSE).await;
    }
}

//! Waits for Ctrl-C, as often as it comes.

use std::{future::Future, io, pin::Pin};

use tokio::signal;

/// Ctrl-C. The next wait is set up as soon as one is over.
pub(crate) struct Interrupt {
    signal: Pin<Box<dyn Future<Output = io::Result<()>>>>,
}

impl Interrupt {
    /// Takes Ctrl-C over from the system.
    pub(crate) fn listen() -> Self {
        Self { signal: Box::pin(signal::ctrl_c()) }
    }

    /// Waits for the next Ctrl-C; for ever where signals cannot be listened for, which
    /// leaves the system's own handling in place.
    pub(crate) async fn received(&mut self) {
        let listening = self.signal.as_mut().await;
        self.signal = Box::pin(signal::ctrl_c());
        if listening.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

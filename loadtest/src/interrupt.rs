//! Waits for Ctrl-C, or for the SIGTERM by which schedulers end a process, as often as they
//! come.

#[cfg(not(unix))]
pub(crate) use self::other::Interrupt;
#[cfg(unix)]
pub(crate) use self::unix::Interrupt;

#[cfg(unix)]
mod unix {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// Somebody who wants the program to end. A signal that nobody waits for is kept.
    pub(crate) struct Interrupt {
        signals: [Option<Signal>; 2],
    }

    impl Interrupt {
        /// Takes the signals over from the system, where it lets them be taken.
        pub(crate) fn listen() -> Self {
            let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
            Self { signals: kinds.map(|kind| signal(kind).ok()) }
        }

        /// Waits for the next signal; for ever where signals cannot be listened for, which
        /// leaves the system's own handling in place.
        pub(crate) async fn received(&mut self) {
            let [interrupt, terminate] = &mut self.signals;
            tokio::select! {
                () = next(interrupt) => {}
                () = next(terminate) => {}
            }
        }
    }

    async fn next(signal: &mut Option<Signal>) {
        match signal {
            Some(signal) => {
                signal.recv().await;
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
mod other {
    use tokio::signal;

    /// Somebody who wants the program to end.
    pub(crate) struct Interrupt;

    impl Interrupt {
        /// Makes ready to listen.
        pub(crate) fn listen() -> Self {
            Self
        }

        /// Waits for the next Ctrl-C; for ever where it cannot be listened for.
        pub(crate) async fn received(&mut self) {
            if signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

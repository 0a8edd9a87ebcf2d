//! Waits for what ends a run early, as often as it comes: Ctrl-C, the SIGTERM of a scheduler,
//! and the SIGHUP of a terminal that is gone.

#[cfg(not(unix))]
pub(crate) use self::other::Interrupt;
#[cfg(unix)]
pub(crate) use self::unix::Interrupt;

#[cfg(unix)]
mod unix {
    use rustix::process::Signal as Number;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// Somebody who wants the program to end. A signal that nobody waits for is kept.
    pub(crate) struct Interrupt {
        signals: [Option<Signal>; 3],
    }

    impl Interrupt {
        /// Takes the signals over from the system, where it lets them be taken.
        pub(crate) fn listen() -> Self {
            // A write beyond the limit of a file's size is to fail, as on a full disk, and not
            // to end the process: with a handler, it does.
            let _ = signal(SignalKind::from_raw(Number::XFSZ.as_raw()));
            let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
            let [interrupt, terminate] = kinds.map(|kind| signal(kind).ok());
            // Under nohup the run outlives its terminal.
            let hangup = (!is_hangup_ignored()).then(|| signal(SignalKind::hangup()).ok());
            Self { signals: [interrupt, terminate, hangup.flatten()] }
        }

        /// Waits for the next signal; for ever where signals cannot be listened for, which
        /// leaves the system's own handling in place.
        pub(crate) async fn received(&mut self) {
            let [interrupt, terminate, hangup] = &mut self.signals;
            tokio::select! {
                () = next(interrupt) => {}
                () = next(terminate) => {}
                () = next(hangup) => {}
            }
        }
    }

    /// Whether this process was started with SIGHUP ignored. Only Linux says so; elsewhere
    /// nohup's choice is lost.
    fn is_hangup_ignored() -> bool {
        #[cfg(target_os = "linux")]
        {
            let status = procfs::process::Process::myself().and_then(|process| process.status());
            let hangup = 1_u64 << (Number::HUP.as_raw() - 1);
            status.is_ok_and(|status| status.sigign & hangup != 0)
        }
        #[cfg(not(target_os = "linux"))]
        false
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

//! Owns the threads of the server's parts: starts each with a runtime of its own, reports one
//! that ends early, and stops them.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, LocalOptions, LocalRuntime, RuntimeMetrics};
use tokio_util::sync::CancellationToken;

use crate::lifecycle::{Lifecycle, Part};

/// Time for the threads to end after a stop. Must stay, with the grace, under the half second
/// that a shutdown may exceed the grace.
const STOP_TIMEOUT: Duration = Duration::from_millis(250);

/// The threads, one for each part. Dropping it stops them.
#[derive(Debug)]
pub(crate) struct Threads {
    lifecycle: Lifecycle,
    stop: CancellationToken,
    running: Vec<(Part, JoinHandle<()>)>,
}

/// Handed to a part, which reports by it that it does its work.
pub(crate) struct Ready {
    lifecycle: Lifecycle,
    part: Part,
}

impl Ready {
    pub(crate) fn of(lifecycle: Lifecycle, part: Part) -> Self {
        Self { lifecycle, part }
    }

    pub(crate) fn report(self) {
        self.lifecycle.ready(self.part);
    }
}

impl Threads {
    pub(crate) fn new(lifecycle: Lifecycle) -> Self {
        Self { lifecycle, stop: CancellationToken::new(), running: Vec::new() }
    }

    /// Starts the thread of `part`, which runs `main` until that ends or the threads are
    /// stopped. Returns the figures of its runtime.
    ///
    /// # Errors
    /// When the operating system refuses a thread or a reactor.
    pub(crate) fn spawn<F>(
        &mut self,
        part: Part,
        main: impl FnOnce(Ready) -> F + Send + 'static,
    ) -> io::Result<RuntimeMetrics>
    where
        F: Future<Output = io::Result<()>>,
    {
        let (lifecycle, stop) = (self.lifecycle.clone(), self.stop.clone());
        // A runtime stays on its thread, so the thread makes it and sends the outcome.
        let (made, runtime_made) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name(part.to_string()).spawn(move || {
            let runtime = match runtime() {
                Ok(runtime) => runtime,
                Err(problem) => {
                    let _ = made.send(Err(problem));
                    return;
                }
            };
            let _ = made.send(Ok(runtime.metrics()));
            let ready = Ready::of(lifecycle.clone(), part);
            let ended = catch_unwind(AssertUnwindSafe(|| {
                runtime.block_on(async {
                    let main = main(ready);
                    #[cfg(test)]
                    let main = injected::interfere(part, main);
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => Ok(()),
                        ended = main => ended,
                    }
                })
            }));
            if !stop.is_cancelled() {
                lifecycle.lose(part, reason(ended));
            }
            // The runtime is dropped last, and with it the connections of a lost worker: by
            // then health is NOT_SERVING and the acceptor hands out no more.
        })?;
        self.running.push((part, thread));
        runtime_made.recv().unwrap_or_else(|ended| Err(io::Error::other(ended)))
    }

    /// Waits until the workers have ended. Returns whether they had by `deadline`.
    pub(crate) fn workers_end_by(&self, deadline: Instant) -> bool {
        self.running
            .iter()
            .filter(|(part, _)| matches!(part, Part::Worker(_)))
            .all(|(_, thread)| ends_by(thread, deadline))
    }
}

impl Drop for Threads {
    /// Stops every thread and waits a moment for them. One that is stuck is left to the end of
    /// the process.
    fn drop(&mut self) {
        self.stop.cancel();
        let deadline = Instant::now() + STOP_TIMEOUT;
        for (_, thread) in self.running.drain(..) {
            if ends_by(&thread, deadline) {
                // A panic was reported when it happened.
                let _ = thread.join();
            }
        }
    }
}

fn ends_by(thread: &JoinHandle<()>, deadline: Instant) -> bool {
    while !thread.is_finished() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    thread.is_finished()
}

fn runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}

/// Why a part that nobody has stopped has ended.
fn reason(ended: Result<io::Result<()>, Box<dyn Any + Send>>) -> String {
    match ended {
        Ok(Ok(())) => "it returned".to_owned(),
        Ok(Err(problem)) => problem.to_string(),
        Err(panic) => {
            let message = panic.downcast_ref::<&str>().copied();
            let message = message.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            format!("it panicked: {}", message.unwrap_or("no message"))
        }
    }
}

/// Holds parts up and kills them, for tests.
#[cfg(test)]
pub(crate) mod injected {
    use std::{
        collections::HashMap,
        sync::{LazyLock, Mutex},
    };

    use super::*;

    #[derive(Default)]
    struct Switches {
        held: CancellationToken,
        is_held: bool,
        killed: CancellationToken,
    }

    static PARTS: LazyLock<Mutex<HashMap<Part, Switches>>> = LazyLock::new(Mutex::default);

    fn with<T>(part: Part, change: impl FnOnce(&mut Switches) -> T) -> T {
        change(PARTS.lock().unwrap().entry(part).or_default())
    }

    /// Lets a part do nothing until it is released. Must come before its start.
    pub(crate) fn hold(part: Part) {
        with(part, |switches| switches.is_held = true);
    }

    pub(crate) fn release(part: Part) {
        with(part, |switches| switches.held.cancel());
    }

    pub(crate) fn kill(part: Part) {
        with(part, |switches| switches.killed.cancel());
    }

    /// For a part whose thread runs no future of ours.
    pub(crate) fn panic_if_killed(part: Part) {
        assert!(!with(part, |switches| switches.killed.is_cancelled()), "killed by a test");
    }

    /// Runs a part, but lets it wait while it is held, and panic when it is killed.
    pub(crate) async fn interfere<T>(part: Part, main: impl Future<Output = T>) -> T {
        let (is_held, held, killed) = with(part, |switches| {
            (switches.is_held, switches.held.clone(), switches.killed.clone())
        });
        if is_held {
            held.cancelled().await;
        }
        tokio::select! {
            biased;
            () = killed.cancelled() => panic!("killed by a test"),
            ended = main => ended,
        }
    }
}

//! Log lines on standard error, as text or JSON. One line for each event that an operator
//! acts on; nothing above DEBUG for a request.
//!
//! A thread of its own writes them. When whoever reads them stops, lines wait up to a bound and
//! are then dropped and counted: written on the spot, they stopped every worker, and with them
//! the cache.

use std::{
    io::{self, IsTerminal},
    net::SocketAddr,
    panic,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use tracing::{error, info, level_filters::LevelFilter};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    Layer, Registry, filter::Targets, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

use crate::{
    settings::{LogFormat, Settings, level_name},
    telemetry::Traces,
};

/// Lines that may wait to be written; at a few hundred bytes each, a mebibyte or two.
const WAITING_LINES: usize = 4096;

/// How long the end of the process waits for the last lines to be written.
const LAST_LINES: Duration = Duration::from_millis(100);

/// The process's log, whose level can be changed. Clones are the same log.
#[derive(Clone, Debug)]
pub struct Log {
    filter: reload::Handle<Targets, Registry>,
    level: Arc<Mutex<LevelFilter>>,
    dropped: ErrorCounter,
}

/// Held until the end of the process, so that its last lines are written.
#[derive(Debug)]
pub struct LastLines(WorkerGuard);

impl LastLines {
    /// Waits a moment for what is not written yet.
    pub fn write(self) {
        let (written, is_written) = mpsc::channel();
        thread::spawn(move || {
            drop(self.0);
            let _ = written.send(());
        });
        // Whoever reads the log may have stopped.
        let _ = is_written.recv_timeout(LAST_LINES);
    }
}

impl Log {
    /// Lines so far that nobody read in time.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.dropped_lines() as u64
    }

    pub(crate) fn level(&self) -> LevelFilter {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the level that `peer` asked for, and returns the one before.
    pub(crate) fn set_level(&self, level: LevelFilter, peer: SocketAddr) -> LevelFilter {
        // Held to the end: of two changes at once, the later line tells the level that holds.
        let mut current = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = std::mem::replace(&mut *current, level);
        if level != previous {
            self.filter
                .reload(lines_at(level))
                .expect("the process's log lasts as long as it does");
            info!(level = level_name(level), previous = level_name(previous), %peer, "log level changed");
        }
        previous
    }
}

/// Sets the process's log up, lets panics into it, and sends the spans of `tracing` to where
/// traces go. `None`: the process has a log of somebody else's.
pub fn init(settings: &Settings, traces: &Traces) -> Option<(Log, LastLines)> {
    let (stderr, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(io::stderr());
    let dropped = stderr.error_counter();
    let (filter, handle) = reload::Layer::new(lines_at(settings.log_level));
    let lines = match settings.log_format {
        LogFormat::Text => fmt::layer()
            .with_writer(stderr)
            .with_ansi(io::stderr().is_terminal())
            .with_target(false)
            .boxed(),
        LogFormat::Json => fmt::layer()
            .json()
            .with_writer(stderr)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    };
    // The filter is this layer's alone: what another layer is for does not follow the level
    // of the log.
    let registry = tracing_subscriber::registry().with(lines.with_filter(filter));
    registry.with(traces.layer()).try_init().ok()?;
    panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("no message");
        error!(at, message, "panicked");
    }));
    let level = Arc::new(Mutex::new(settings.log_level));
    Some((Log { filter: handle, level, dropped }, LastLines(guard)))
}

/// The lines that are written at a level.
fn lines_at(level: LevelFilter) -> Targets {
    // What the libraries have to say is for those who debug them.
    let libraries =
        level.min(if level == LevelFilter::TRACE { LevelFilter::TRACE } else { LevelFilter::WARN });
    Targets::new()
        .with_default(libraries)
        .with_target("tiny_cache_server", level)
        // That the level was changed is told whatever the level.
        .with_target(module_path!(), level.max(LevelFilter::INFO))
}

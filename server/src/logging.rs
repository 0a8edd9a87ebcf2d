//! Log lines on standard error, as text or JSON. One line for each event that an operator
//! acts on; nothing above DEBUG for a request.
//!
//! A dedicated thread writes them. If stderr blocks, up to 4,096 lines wait; further ones are
//! dropped and counted. Lines that were written inline let a blocked stderr stop every worker.

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    panic,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, info, level_filters::LevelFilter};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    Layer, Registry,
    filter::{Filtered, Targets},
    fmt,
    layer::{Layered, SubscriberExt},
    reload,
    util::SubscriberInitExt,
};

/// The names of the levels.
pub(crate) const LEVELS: [(&str, LevelFilter); 6] = [
    ("TRACE", LevelFilter::TRACE),
    ("DEBUG", LevelFilter::DEBUG),
    ("INFO", LevelFilter::INFO),
    ("WARNING", LevelFilter::WARN),
    ("ERROR", LevelFilter::ERROR),
    // tracing has no level above error.
    ("CRITICAL", LevelFilter::ERROR),
];

/// The name of a level; that of CRITICAL is ERROR, which is the same level.
pub(crate) fn level_name(level: LevelFilter) -> &'static str {
    LEVELS.iter().find(|(_, known)| *known == level).map_or("OFF", |(name, _)| name)
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

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
    ended: CancellationToken,
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
        // stderr may be blocked.
        let _ = is_written.recv_timeout(LAST_LINES);
    }
}

impl Log {
    /// Cancelled when the thread that writes the lines has ended.
    pub(crate) fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Lines that were dropped so far because stderr was blocked.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.dropped_lines() as u64
    }

    pub(crate) fn level(&self) -> LevelFilter {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the level that `peer` asked for, and returns the one before.
    pub(crate) fn set_level(&self, level: LevelFilter, peer: SocketAddr) -> LevelFilter {
        // Held to the end: of two changes at once, the later line names the level that holds.
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

/// Standard error, for the thread that writes the lines.
struct Stderr {
    stream: io::Stderr,
    _ended: DropGuard,
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(test)]
        crate::threads::injected::panic_if_killed(crate::lifecycle::Part::Log);
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

type LinesLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// The process's lines, to which [`init`] adds a layer.
pub type Lines =
    Layered<Filtered<LinesLayer, reload::Layer<Targets, Registry>, Registry>, Registry>;

/// Sets up the process's log, logs panics, and adds `layer`, which gets spans whatever the log's
/// level is. Returns `None` where the process has a log already.
pub fn init(
    level: LevelFilter,
    format: LogFormat,
    layer: impl Layer<Lines> + Send + Sync + 'static,
) -> Option<(Log, LastLines)> {
    let ended = CancellationToken::new();
    let stderr = Stderr { stream: io::stderr(), _ended: ended.clone().drop_guard() };
    let (stderr, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(stderr);
    let dropped = stderr.error_counter();
    let (filter, handle) = reload::Layer::new(lines_at(level));
    let lines = match format {
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
    // The filter is that of the lines alone.
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(layer).try_init().ok()?;
    panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("no message");
        error!(at, message, "panicked");
    }));
    let level = Arc::new(Mutex::new(level));
    Some((Log { filter: handle, level, dropped, ended }, LastLines(guard)))
}

/// The lines that are written at a level.
fn lines_at(level: LevelFilter) -> Targets {
    // Lines of libraries are for debugging them.
    let libraries =
        level.min(if level == LevelFilter::TRACE { LevelFilter::TRACE } else { LevelFilter::WARN });
    Targets::new()
        .with_default(libraries)
        .with_target("tiny_cache_server", level)
        // Says each failed connection as an error; the tier says once what that means.
        .with_target("rustis", if level == LevelFilter::TRACE { level } else { LevelFilter::OFF })
        // A change of the level is logged at every level.
        .with_target(module_path!(), level.max(LevelFilter::INFO))
}

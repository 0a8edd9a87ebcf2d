//! Log lines on standard error, as text or JSON. One line for each event that an operator
//! acts on; nothing above DEBUG for a request.

use std::{
    io::IsTerminal,
    net::SocketAddr,
    panic,
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{error, info, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer, Registry, filter::Targets, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

use crate::{
    settings::{LogFormat, Settings, level_name},
    telemetry::Traces,
};

/// The process's log, whose level can be changed. Clones are the same log.
#[derive(Clone, Debug)]
pub struct Log {
    filter: reload::Handle<Targets, Registry>,
    level: Arc<Mutex<LevelFilter>>,
}

impl Log {
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
pub fn init(settings: &Settings, traces: &Traces) -> Option<Log> {
    let (filter, handle) = reload::Layer::new(lines_at(settings.log_level));
    let lines = match settings.log_format {
        LogFormat::Text => fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .boxed(),
        LogFormat::Json => fmt::layer()
            .json()
            .with_writer(std::io::stderr)
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
    Some(Log { filter: handle, level: Arc::new(Mutex::new(settings.log_level)) })
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

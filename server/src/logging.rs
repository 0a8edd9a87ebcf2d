//! Log lines on standard error, as text or JSON. One line for each event that an operator
//! acts on; nothing above DEBUG for a request.

use std::{io::IsTerminal, panic};

use tracing::{error, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::{
    settings::{LogFormat, Settings},
    telemetry::Traces,
};

/// Sets the process's log up, lets panics into it, and sends the spans of `tracing` to where
/// traces go.
pub fn init(settings: &Settings, traces: &Traces) {
    let level = settings.log_level;
    // What the libraries have to say is for those who debug them.
    let libraries =
        level.min(if level == LevelFilter::TRACE { LevelFilter::TRACE } else { LevelFilter::WARN });
    let filter = Targets::new().with_default(libraries).with_target("tiny_cache_server", level);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match settings.log_format {
        LogFormat::Text => {
            lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed()
        }
        LogFormat::Json => lines.json().with_current_span(false).with_span_list(false).boxed(),
    };
    let registry = tracing_subscriber::registry().with(lines.with_filter(filter));
    let result = registry.with(traces.layer()).try_init();
    if result.is_ok() {
        panic::set_hook(Box::new(|panic| {
            let at = panic.location().map(ToString::to_string);
            let message = panic.payload_as_str().unwrap_or("no message");
            error!(at, message, "panicked");
        }));
    }
}

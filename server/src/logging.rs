//! Log lines on standard error, as text or JSON. One line for each event that an operator
//! acts on; nothing above DEBUG for a request.

use std::{io::IsTerminal, panic};

use tracing::{error, level_filters::LevelFilter};
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::settings::{LogFormat, Settings};

/// Sets the process's log up, and lets panics into it.
pub fn init(settings: &Settings) {
    let level = settings.log_level;
    // What the libraries have to say is for those who debug them.
    let libraries =
        level.min(if level == LevelFilter::TRACE { LevelFilter::TRACE } else { LevelFilter::WARN });
    let filter = Targets::new().with_default(libraries).with_target("tiny_cache_server", level);
    let registry = tracing_subscriber::registry().with(filter);
    let result = match settings.log_format {
        LogFormat::Text => registry
            .with(
                fmt::layer()
                    .with_writer(std::io::stderr)
                    .with_ansi(std::io::stderr().is_terminal())
                    .with_target(false),
            )
            .try_init(),
        LogFormat::Json => registry
            .with(fmt::layer().json().with_writer(std::io::stderr).with_current_span(false))
            .try_init(),
    };
    if result.is_ok() {
        panic::set_hook(Box::new(|panic| {
            let at = panic.location().map(ToString::to_string);
            let message = panic.payload_as_str().unwrap_or("no message");
            error!(at, message, "panicked");
        }));
    }
}

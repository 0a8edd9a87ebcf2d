//! The server's program: command line, settings, log.

mod allocator;
mod descriptors;

use std::{fmt::Display, process::ExitCode};

use tiny_cache_server::{
    Settings, Telemetry, access_command,
    cli::{CheckAccess, Cli, Command, Token},
    healthcheck, logging, program,
    settings::HealthAddress,
    telemetry::{Configured, Traces},
};
use tracing::warn;

/// A wrong setting, or an address that is taken: the start was refused.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    allocator::init();
    let cli = Cli::read();
    match cli.command {
        Some(Command::Healthcheck) => check_health(),
        Some(Command::CheckAccess(asked)) => check_access(&asked),
        Some(Command::Token(asked)) => token(&asked),
        None => start(),
    }
}

fn check_health() -> ExitCode {
    let address = match HealthAddress::from_env() {
        Ok(address) => address,
        Err(error) => return fail(REFUSED, &error),
    };
    match healthcheck::run(&address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format_args!("{error:#}")),
    }
}

fn check_access(asked: &CheckAccess) -> ExitCode {
    match access_command::check(asked) {
        Ok(checked) => {
            let code = u8::from(!checked.allowed);
            say(&checked.text.trim_end(), code)
        }
        Err(error) => fail(REFUSED, &format_args!("{error:#}")),
    }
}

fn token(asked: &Token) -> ExitCode {
    match access_command::token(asked) {
        Ok(line) => say(&line, 0),
        Err(error) => fail(REFUSED, &format_args!("{error:#}")),
    }
}

#[expect(clippy::print_stdout, reason = "what was asked for")]
fn say(text: &dyn Display, code: u8) -> ExitCode {
    println!("{text}");
    ExitCode::from(code)
}

fn start() -> ExitCode {
    let settings = match Settings::from_env() {
        Ok(settings) => settings,
        Err(error) => return fail(REFUSED, &error),
    };
    let Configured { traces, warnings } = Traces::from_env(settings.trace_keys);
    let log = logging::init(settings.log_level, settings.log_format, traces.layer());
    let (log, last_lines) = log.unzip();
    for warning in warnings {
        warn!("{warning}");
    }
    if settings.trace_keys && !traces.on() {
        warn!(
            "CACHE_TRACE_KEYS has no effect: no traces are exported; set an OTEL_ endpoint, or unset it"
        );
    }
    descriptors::raise_limit();
    let ended = program::serve(settings, Telemetry { log, traces });
    if let Some(last_lines) = last_lines {
        last_lines.write();
    }
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(REFUSED, &error),
    }
}

#[expect(clippy::print_stderr, reason = "the one line that says why nothing was started")]
fn fail(code: u8, error: &dyn Display) -> ExitCode {
    eprintln!("tiny-cache-server: {error}");
    ExitCode::from(code)
}

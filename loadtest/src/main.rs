//! The `tiny-cache-loadtest` binary: reads the command line, runs what it asks for
//! and turns the outcome into an exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser};
use tiny_cache_loadtest::{
    cli::{Cli, Command},
    replay::{self, ReplayError, Verdict},
};

/// The client side allocates for every RPC; the default allocator shows in profiles.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Replay(settings) => replay::run(settings),
        Command::Completions { shell } => {
            let mut command = Cli::command();
            let name = command.get_name().to_owned();
            clap_complete::generate(shell, &mut command, name, &mut io::stdout());
            return ExitCode::SUCCESS;
        }
    };
    result.and_then(|outcome| conclude(&outcome)).unwrap_or_else(|error| {
        complain(&error.to_string());
        ExitCode::from(error.exit_code())
    })
}

/// Prints the report; a trace that broke on the way is named after it.
fn conclude(outcome: &replay::Outcome) -> Result<ExitCode, ReplayError> {
    outcome.publish(&mut io::stdout().lock())?;
    match &outcome.verdict {
        Verdict::TraceBroken(error) => complain(&error.to_string()),
        Verdict::AllFailed => complain("every request failed"),
        Verdict::Clean | Verdict::SomeFailed | Verdict::Interrupted => {}
    }
    Ok(ExitCode::from(outcome.verdict.exit_code()))
}

/// Writes one line to stderr. There is nobody left to tell when that fails.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "error: {message}");
}

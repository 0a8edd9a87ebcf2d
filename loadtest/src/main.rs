//! The `tiny-cache-loadtest` binary: reads the command line, runs what it asks for
//! and turns the outcome into an exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};
use tiny_cache_loadtest::{
    cli::{self, Cli, Command},
    replay::{self, ReplayError, Verdict},
    run::{self, RunError},
};

/// The client side allocates for every RPC; the default allocator shows in profiles.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(refusal) if refusal.use_stderr() && !is_help(&refusal) => {
            complain(&one_line(&refusal.to_string()));
            return ExitCode::from(2);
        }
        Err(help) => help.exit(),
    };
    let ended = match command {
        Command::Replay(settings) => replay::run(settings)
            .and_then(|outcome| conclude(&outcome))
            .map_err(|error| (error.to_string(), error.exit_code())),
        Command::Run(settings) => run::run(settings)
            .and_then(|outcome| conclude_run(&outcome))
            .map_err(|error| (error.to_string(), error.exit_code())),
        Command::Presets => {
            // A reader that has left is no error.
            let _ = io::stdout().write_all(run::preset_list().as_bytes());
            return ExitCode::SUCCESS;
        }
        Command::Completions { shell } => {
            // A reader that has left is no error.
            let _ = io::stdout().write_all(cli::completions(shell).as_bytes());
            return ExitCode::SUCCESS;
        }
    };
    ended.unwrap_or_else(|(message, code)| {
        complain(&message);
        ExitCode::from(code)
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

/// Prints the report of a run, and after it what spoils it.
fn conclude_run(outcome: &run::RunOutcome) -> Result<ExitCode, RunError> {
    outcome.publish(&mut io::stdout().lock())?;
    if let Some(complaint) = outcome.verdict.complaint() {
        complain(&complaint);
    }
    Ok(ExitCode::from(outcome.verdict.exit_code()))
}

/// Whether the message is the help, which goes to stderr where no command was given.
fn is_help(refusal: &clap::Error) -> bool {
    refusal.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// The gist of clap's message, which has a paragraph for each of what is wrong, what would
/// be right, and where to read on.
fn one_line(refusal: &str) -> String {
    let gist: Vec<&str> = refusal
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .filter(|line| !line.is_empty())
        .collect();
    let gist = gist.join(" ");
    gist.strip_prefix("error: ").unwrap_or(&gist).to_owned()
}

/// Writes one line to stderr. There is nobody left to tell when that fails.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "error: {message}");
}

//! The `tiny-cache-loadtest` binary: reads the command line, runs what it asks for
//! and turns the outcome into an exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};
use tiny_cache_loadtest::{
    cli::{self, Cli, Command, TraceCommand},
    compare::{self, Comparison},
    console::{say, written},
    error::Error,
    generate, html,
    outcome::Outcome,
    preset, replay, report, run, search,
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
        Err(help) => return answer(&help).unwrap_or_else(failed),
    };
    let ended = match command {
        Command::Replay(settings) => replay::run(settings).and_then(conclude),
        Command::Run(settings) => run::run(settings).and_then(conclude),
        Command::Search(settings) => search::run(settings).and_then(conclude),
        Command::Compare(settings) => compare::run(&settings).and_then(|found| judge(&found)),
        Command::Trace { command: TraceCommand::Generate(settings) } => {
            generate::run(&settings).map(|()| ExitCode::SUCCESS)
        }
        Command::Schema => print(&report::schema()),
        Command::Html(settings) => html::draw(&settings).map_err(Error::from).and_then(shown),
        Command::Presets => print(&preset::list()),
        Command::Completions { shell } => print(&cli::completions(shell)),
    };
    ended.unwrap_or_else(failed)
}

/// Prints the report, and after it what spoils it.
fn conclude(outcome: Outcome) -> Result<ExitCode, Error> {
    let (complaint, code) = (outcome.verdict.complaint(), outcome.verdict.exit_code());
    let warning = outcome.warning.clone();
    outcome.publish(&mut io::stdout().lock())?;
    if let Some(warning) = warning {
        say(&format!("warning: {warning}"));
    }
    if let Some(complaint) = complaint {
        complain(&complaint);
    }
    Ok(ExitCode::from(code))
}

/// Prints a comparison, and after it what spoils it.
fn judge(comparison: &Comparison) -> Result<ExitCode, Error> {
    comparison.publish(&mut anstream::stdout().lock())?;
    if let Some(complaint) = comparison.complaint() {
        complain(&complaint);
    }
    Ok(ExitCode::from(comparison.exit_code()))
}

/// Prints a page that went to no file.
fn shown(page: Option<String>) -> Result<ExitCode, Error> {
    page.map_or(Ok(ExitCode::SUCCESS), |page| print(&page))
}

/// Prints a text. A reader that has left is no error.
fn print(text: &str) -> Result<ExitCode, Error> {
    let mut stdout = io::stdout().lock();
    let printed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written(printed).map(|()| ExitCode::SUCCESS).map_err(Error::Output)
}

/// Prints the help or the version that was asked for, or the help that replaces a command.
fn answer(help: &clap::Error) -> Result<ExitCode, Error> {
    let printed = help.print().and_then(|()| io::stdout().flush());
    if help.use_stderr() {
        return Ok(ExitCode::from(2));
    }
    written(printed).map(|()| ExitCode::SUCCESS).map_err(Error::Output)
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

/// Reports an error, and returns its exit code.
fn failed(error: Error) -> ExitCode {
    complain(&error.to_string());
    ExitCode::from(error.exit_code())
}

fn complain(message: &str) {
    say(&format!("error: {message}"));
}

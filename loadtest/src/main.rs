//! The `tiny-cache-loadtest` binary: reads the command line, runs what it asks for
//! and turns the outcome into an exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::error::ErrorKind;
use tiny_cache_loadtest::{
    cli::{self, Cli, Command, TraceCommand},
    compare::{self, Comparison},
    console::say,
    error::Error,
    generate, html, optimum,
    outcome::Outcome,
    output_file::OutputError,
    preset, replay, report, run, search,
};

/// The client side allocates for every RPC; the default allocator shows in profiles.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli.command,
        Err(refusal) if refusal.use_stderr() && !is_help(&refusal) => {
            complain(&one_line(&refusal));
            return ExitCode::from(2);
        }
        Err(help) => return answer(&help).unwrap_or_else(failed),
    };
    obey(command).unwrap_or_else(failed)
}

/// Does what the command asks for.
fn obey(command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Replay(args) => conclude(replay::run(&args.spec()?, &args.drive.output)?),
        Command::Run(args) => conclude(run::run(&args.spec()?, &args.load.drive.output)?),
        Command::Search(args) => conclude(search::run(&args.spec()?, &args.load.drive.output)?),
        Command::Compare(args) => {
            judge(&compare::run(&args.sides(), args.judging(), args.json.as_deref())?)
        }
        Command::Trace { command: TraceCommand::Generate(args) } => {
            generate::run(&args.make()?, args.output.as_deref())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Trace { command: TraceCommand::Optimum(args) } => {
            print(&optimum::run(&args.spec()?, &args.entries)?.to_string())
        }
        Command::Schema => print(&report::schema()),
        Command::Html(args) => match html::draw(&args.report, args.output.as_deref())? {
            Some(page) => print(&page),
            None => Ok(ExitCode::SUCCESS),
        },
        Command::Presets => print(&preset::list()),
        Command::Completions { shell } => print(&cli::completions(shell)),
    }
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
    let mut stdout = anstream::stdout().lock();
    let printed = write!(stdout, "{comparison}").and_then(|()| stdout.flush());
    OutputError::of_stdout(printed)?;
    if let Some(complaint) = comparison.complaint() {
        complain(&complaint);
    }
    Ok(ExitCode::from(comparison.exit_code()))
}

/// Prints a text. A reader that has left is no error.
fn print(text: &str) -> Result<ExitCode, Error> {
    let mut stdout = io::stdout().lock();
    let printed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    OutputError::of_stdout(printed)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the help or the version that was asked for, or the help that replaces a command.
fn answer(help: &clap::Error) -> Result<ExitCode, Error> {
    let printed = help.print().and_then(|()| io::stdout().flush());
    if help.use_stderr() {
        return Ok(ExitCode::from(2));
    }
    OutputError::of_stdout(printed)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the message is the help, which goes to stderr where no command was given.
fn is_help(refusal: &clap::Error) -> bool {
    refusal.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// The gist of clap's message, which has a paragraph for each of what is wrong, what would
/// be right, and where to read on.
fn one_line(refusal: &clap::Error) -> String {
    let text = refusal.to_string();
    let gist: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .filter(|line| !line.is_empty())
        .collect();
    let gist = gist.join(" ");
    let gist = gist.strip_prefix("error: ").unwrap_or(&gist);
    match refusal.kind() {
        // The message has what is allowed.
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => gist.to_owned(),
        _ => format!("{gist}; --help has what there is"),
    }
}

/// Reports an error, and returns its exit code.
fn failed(error: Error) -> ExitCode {
    complain(&error.to_string());
    ExitCode::from(error.exit_code())
}

fn complain(message: &str) {
    say(&format!("error: {message}"));
}

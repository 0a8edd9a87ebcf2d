//! The `tiny-cache` binary: reads the command line, runs the command and turns what came of
//! it into an exit code.

// The way of a command:
mod cli; // what can be said
mod usage; // what was said wrongly, in one line
mod connection; // the server, and how it is spoken to
mod trace; // a call that the server is to trace
mod request_id; // what its logs call a call
mod command; // one file for each family
mod watch; // the live view
// What the commands share:
mod error; // every failure, and its words
mod input; // keys and values, from arguments, files and stdin
mod encoding; // values as text
mod output; // stdout, and how values are shown there

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use tokio::runtime;

use crate::{cli::Cli, error::Error};

/// How a command ended that was not an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Done,
    /// A miss, or a condition that was not met.
    Unmet,
}

fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(error) => usage::answer(&error),
    };
    match result {
        Ok(Verdict::Done) => ExitCode::SUCCESS,
        Ok(Verdict::Unmet) => ExitCode::from(1),
        Err(error) if error.is_closed_stdout() => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell when that fails.
            let _ = writeln!(io::stderr(), "error: {}", error.one_line());
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> Result<Verdict, Error> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Error::Refused(format!("the system gives no event loop: {cause}")))?;
    let result = runtime.block_on(command::run(cli));
    // Not dropped: that would wait for a name that is still being resolved.
    runtime.shutdown_background();
    result
}

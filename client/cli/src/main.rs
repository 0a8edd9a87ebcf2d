//! The `tiny-cache` binary: parses the command line, runs the command, and exits with its code.

// The path of a command:
mod cli; // the command line
mod usage; // its errors, in one line
mod session; // what a command that calls a server is given
mod connection; // the options of the connection
mod command; // a file for each command that calls a server
mod watch; // the live view
mod shell; // completions
mod man; // manual pages
// Shared by the commands:
mod trace; // a call that the server traces
mod request_id; // the name of a call in the server's logs
mod http; // the server's HTTP port
mod error; // every error, in one line
mod input; // keys and values, from arguments, files and stdin
mod encoding; // base64 and hex
mod output; // stdout

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser};
use tokio::runtime;

use crate::{
    cli::{Cli, Command},
    error::{Error, refused},
    session::Verdict,
};

fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(error) => usage::answer(&error).map(|()| Verdict::Done),
    };
    match result {
        Ok(Verdict::Done) => ExitCode::SUCCESS,
        Ok(Verdict::Unmet) => ExitCode::from(1),
        Err(error) if error.is_closed_stdout() => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be reported if stderr is closed.
            let _ = writeln!(io::stderr(), "error: {}", error.one_line());
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> Result<Verdict, Error> {
    let command = match cli.command {
        Command::Call(command) => command,
        Command::Completions(args) => return args.run(Cli::command()).map(|()| Verdict::Done),
        Command::Man(args) => return args.run(Cli::command()).map(|()| Verdict::Done),
    };
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| refused!("the system gives no event loop: {cause}"))?;
    let result = runtime.block_on(command.run(&cli.connection, cli.output));
    // Not dropped: that waits for a name that is still being resolved.
    runtime.shutdown_background();
    result
}

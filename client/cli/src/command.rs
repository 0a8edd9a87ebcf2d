//! The commands: each makes its call and writes what came of it.

pub(crate) mod get;
pub(crate) mod set;
pub(crate) mod conditional; // set-if-absent, compare-and-set
pub(crate) mod delete;
pub(crate) mod mget;
pub(crate) mod mset;
pub(crate) mod mdelete;
mod refusals; // the items of a batch that were not done
mod room; // what a server takes, where it refused a value
pub(crate) mod server; // stats, ping, health
pub(crate) mod shell; // completions
pub(crate) mod man;

use tiny_cache_client::Client;

use crate::{
    Verdict,
    cli::{Cli, Command, Output},
    error::{Error, Place},
    watch,
};

/// What every command that talks to a server has.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) place: Place,
    output: Output,
}

impl Session {
    /// Whether the result is wanted as JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.output == Output::Json
    }
}

/// Runs the command that was asked for.
pub(crate) async fn run(cli: Cli) -> Result<Verdict, Error> {
    let Cli { connection, output, command } = cli;
    let session = |client| Ok(Session { client, place: connection.place()?, output });
    let open = || connection.client().and_then(session);
    let batch = || connection.batch_client().and_then(session);
    let result = match command {
        Command::Get(args) => args.run(&open()?).await,
        Command::Set(args) => args.run(&open()?).await,
        Command::SetIfAbsent(args) => args.run(&open()?).await,
        Command::CompareAndSet(args) => args.run(&open()?).await,
        Command::Delete(args) => args.run(&open()?).await,
        Command::Mget(args) => args.run(&batch()?).await,
        Command::Mset(args) => args.run(&batch()?).await,
        Command::Mdelete(args) => args.run(&batch()?).await,
        Command::Stats => server::stats(&open()?).await,
        Command::Ping => server::ping(&open()?).await,
        Command::Health => server::health(&open()?).await,
        Command::WatchStats(args) => watch::run(&args, &open()?, connection.show_request_id).await,
        Command::Completions(args) => args.run(),
        Command::Man(args) => args.run(),
    };
    connection.report_trace();
    result.map_err(|error| match connection.place() {
        Ok(place) => error.at(&place),
        Err(_) => error,
    })
}

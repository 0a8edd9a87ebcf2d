//! The command line. Defaults are written here and nowhere else; a setting that is
//! wrong is refused here with what is allowed.

mod compare;
mod html;
mod load;
mod output;
mod replay;
mod run;
mod search;
mod server;
mod target;
mod tls;
mod trace;
mod workload;

use std::{num::NonZeroUsize, str::FromStr, thread, time::Duration};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use self::target::MEMCACHED_KEY_BYTES;
pub use self::{
    compare::CompareArgs,
    html::HtmlArgs,
    load::LoadArgs,
    output::{OutputArgs, Progress},
    replay::{FormatChoice, ReplayArgs, UnitChoice},
    run::{Rates, RunArgs},
    search::SearchArgs,
    server::ServerArgs,
    target::{InvalidTarget, Login, Place, RedisPlace, Target},
    tls::{TlsArgs, TlsError},
    trace::{GenerateArgs, StyleChoice, TraceCommand},
    workload::WorkloadArgs,
};
/// Most threads used when nobody asks for more: the server wants cores as well.
const DEFAULT_THREADS: usize = 4;

/// Most connections or requests in flight: far beyond what one process can drive.
const MOST: usize = 1_000_000;

/// Longest deadline that can be asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

const EXIT_CODES: &str = "\
Exit codes:
  0    every request was answered
  1    some requests failed; the report says which and why
  2    wrong usage, a missing or broken trace, an unreachable server,
       or not one request was answered
  130  interrupted by Ctrl-C, another signal or a lost terminal; the report covers what ran";

/// Drives a tiny-cache server with real traces or a made-up workload and reports what it saw.
#[derive(Debug, Parser)]
#[command(name = "tiny-cache-loadtest", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Replays a trace file against a server, cache-aside
    ///
    /// Each access of the trace is issued in the trace's order, as fast as the server
    /// answers and with at most --in-flight requests under way: a read is a Get and, on a
    /// miss, a Set. With --speed the trace's own times are kept. A report follows on stdout.
    #[command(after_help = EXIT_CODES, after_long_help = format!("{}\n{EXIT_CODES}", replay::MORE))]
    Replay(Box<ReplayArgs>),
    /// Sends a made-up workload at a rate of its own, or as fast as the server answers
    ///
    /// With a --rate the instants of sending are planned ahead and kept whatever the server
    /// does, and latency is counted from them as well (open loop). With --rate max each of
    /// --in-flight requests is followed by the next as soon as it is answered (closed loop).
    /// A report follows on stdout.
    #[command(after_help = run::EXIT_CODES,
              after_long_help = format!("{}\n{}", run::MORE, run::EXIT_CODES))]
    Run(Box<RunArgs>),
    /// Finds the highest rate at which a promise of latency holds
    ///
    /// Steps of an open loop, each at a rate of its own: rates grow from --from until one does
    /// not hold, and what is left between the last two is halved until it is within
    /// --precision. A step holds where every term of --slo does, 99 % of its requests were
    /// answered in time, and the generator kept to its plan. A report follows on stdout.
    #[command(after_help = search::EXIT_CODES,
              after_long_help = format!("{}\n{}", search::MORE, search::EXIT_CODES))]
    Search(Box<SearchArgs>),
    /// Compares two reports, or two groups of them, and fails if the second is worse
    ///
    /// Each change comes with a confidence interval: seconds of the runs are drawn anew, in
    /// blocks of some that follow each other (moving block bootstrap, Künsch 1989), and the
    /// figures made of those. A metric is worse or better where the whole interval lies beyond
    /// --threshold, the same where it lies within, and unclear otherwise.
    #[command(after_help = compare::EXIT_CODES, after_long_help = compare::more())]
    Compare(CompareArgs),
    /// Makes a trace to replay
    Trace {
        /// What to do with it.
        #[command(subcommand)]
        command: TraceCommand,
    },
    /// Draws the page of --html from an earlier report
    Html(HtmlArgs),
    /// Prints the JSON Schema of the report that --json writes
    Schema,
    /// Lists the workloads that run --preset knows, with their figures
    Presets,
    /// Prints a completion script for a shell
    Completions {
        /// The shell to write for
        shell: clap_complete::Shell,
    },
}

/// Threads to use where nobody said how many.
fn threads(wanted: Option<NonZeroUsize>) -> usize {
    wanted.map_or_else(
        || thread::available_parallelism().map_or(1, NonZeroUsize::get).min(DEFAULT_THREADS),
        NonZeroUsize::get,
    )
}

fn count(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(count) if count.get() <= MOST => Ok(count),
        _ => Err(format!("expected a number from 1 to {MOST}")),
    }
}

/// A whole number of 1 or more.
fn positive<T: FromStr>(text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|_| "expected a whole number of 1 or more")
}

fn positive_duration(text: &str) -> Result<Duration, &'static str> {
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() && duration <= LONGEST_WAIT => Ok(duration),
        _ => Err("expected a duration with a unit, above zero and up to 24h, such as 500ms or 2s"),
    }
}

/// Where the bash script notes the word before the one that is completed.
const PREVIOUS: &str = "    prev=\"$3\"\n";

/// Bash divides `--format=js` into three words, and clap_complete looks for the option in the one
/// before: nothing was completed behind a `=`.
const DIVIDED: &str = r#"    if [[ "${cur}" == "=" ]]; then
        cur=""
    elif [[ "${prev}" == "=" && "${COMP_CWORD}" -ge 2 ]]; then
        prev="${COMP_WORDS[COMP_CWORD-2]}"
    fi
"#;

/// The script by which a shell completes this command line.
#[must_use]
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tiny-cache-loadtest", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    if shell == Shell::Bash {
        // clap_complete spells a name with a hyphen in two ways in one script:
        // https://github.com/clap-rs/clap/issues/6421
        return script
            .replace("tiny__subcmd__cache__subcmd__loadtest", "tiny__cache__loadtest")
            .replacen(PREVIOUS, &format!("{PREVIOUS}{DIVIDED}"), 1);
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bash completed nothing after a command: where it looked one up, the name was spelt
    /// otherwise than where it had put it down.
    #[test]
    fn bash_finds_the_commands_that_it_has_noted() {
        let script = completions(Shell::Bash);
        let noted: Vec<_> =
            script.split("cmd=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(noted.iter().any(|name| name.ends_with("replay")), "{noted:?}");
        for name in noted.into_iter().filter(|name| !name.is_empty()) {
            assert!(script.contains(&format!("{name})")), "{name}");
        }
    }

    #[test]
    fn bash_looks_for_an_option_before_its_equals_sign() {
        let script = completions(Shell::Bash);
        let reads = format!("{PREVIOUS}{DIVIDED}");
        assert_eq!(script.matches(&reads).count(), 1, "{script}");
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

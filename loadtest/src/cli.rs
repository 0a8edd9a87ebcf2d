//! The command line. Defaults are written here and nowhere else; a setting that is
//! wrong is refused here with what is allowed.

mod replay; // a trace
mod run; // a made-up workload
mod search; // the same, at the rate that holds
mod load; // what both of them send
mod workload; // and of which operations that is made
mod drive; // what all three drive
mod compare; // reports
mod html; // a page of one
mod trace; // traces to replay
mod trace_file; // what a trace is, wherever one is read
mod parse; // numbers and durations

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

pub use self::{
    compare::CompareArgs,
    drive::DriveArgs,
    html::HtmlArgs,
    load::LoadArgs,
    replay::ReplayArgs,
    run::{Rates, RunArgs},
    search::SearchArgs,
    trace::{GenerateArgs, OptimumArgs, TraceCommand},
    trace_file::TraceArgs,
    workload::WorkloadArgs,
};

const EXAMPLES: &str = "\
Examples:
  tiny-cache-loadtest run --rate 20000 --prefill --json report.json
  tiny-cache-loadtest search --slo 'p99<2ms' --prefill
  tiny-cache-loadtest replay cluster52.sort.zst --target cache.internal:50051
  tiny-cache-loadtest compare before.json after.json

Each command has more with --help, and a short list of its options with -h.
";

const EXIT_CODES: &str = "\
Exit codes:
  0    every request was answered
  1    some requests failed; the report says which and why
  2    wrong usage, a missing or broken trace, an unreachable server,
       or not one request was answered
  130  interrupted by Ctrl-C, another signal or a lost terminal; the report covers what ran";

/// Drives a tiny-cache server with real traces or a made-up workload and reports what it saw.
#[derive(Debug, Parser)]
#[command(name = "tiny-cache-loadtest", version, after_help = format!("{EXAMPLES}\n{EXIT_CODES}"))]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads a command line. A number below zero is the value of its option, which says what it
    /// expects; clap would look for an option of that name.
    ///
    /// # Errors
    ///
    /// It is none, or asks for help.
    pub fn read<T: Into<OsString> + Clone>(
        line: impl IntoIterator<Item = T>,
    ) -> Result<Self, clap::Error> {
        let command = with_negative_numbers(Self::command());
        Self::from_arg_matches(&command.try_get_matches_from(line)?)
    }
}

fn with_negative_numbers(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| {
            let takes_value = arg.get_action().takes_values();
            arg.allow_negative_numbers(takes_value)
        })
        .mut_subcommands(with_negative_numbers)
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
    #[command(after_help = html::EXAMPLES)]
    Html(HtmlArgs),
    /// Prints the JSON Schema of the report that --json writes
    #[command(after_help = "Example:\n  tiny-cache-loadtest schema >report.schema.json")]
    Schema,
    /// Lists the workloads that --preset knows, with their figures
    #[command(after_help = "Example:\n  tiny-cache-loadtest run --preset twitter/52 --rate 20000")]
    Presets,
    /// Prints a completion script for a shell
    #[command(after_help = "Example:\n  source <(tiny-cache-loadtest completions bash)")]
    Completions {
        /// The shell to write for
        shell: clap_complete::Shell,
    },
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

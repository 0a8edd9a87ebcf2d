//! `completions`: what a shell needs to complete the command line.

use std::fmt::Write;

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::{Verdict, cli::Cli, error::Error, output};

const COMPLETIONS_MORE: &str = "\
Examples:
  tiny-cache completions bash \\
    > ~/.local/share/bash-completion/completions/tiny-cache
  tiny-cache completions zsh > ~/.zfunc/_tiny-cache
  tiny-cache completions fish > ~/.config/fish/completions/tiny-cache.fish

Exit codes:
  0  done
  2  an error
";

/// Where the bash script notes the word before the one that is completed.
const PREVIOUS: &str = "    prev=\"$3\"\n";

/// Bash divides `--output=js` into three words, and clap_complete looks for the option in the one
/// before: nothing was completed behind a `=`.
const DIVIDED: &str = r#"    if [[ "${cur}" == "=" ]]; then
        cur=""
    elif [[ "${prev}" == "=" && "${COMP_CWORD}" -ge 2 ]]; then
        prev="${COMP_WORDS[COMP_CWORD-2]}"
    fi
"#;

/// Prints a completion script for a shell
#[derive(Args, Debug)]
#[command(after_help = COMPLETIONS_MORE)]
pub(crate) struct CompletionsArgs {
    /// The shell to write for
    shell: Shell,
}

impl CompletionsArgs {
    pub(crate) fn run(self) -> Result<Verdict, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "tiny-cache", &mut script);
        let mut script = String::from_utf8_lossy(&script).into_owned();
        if self.shell == Shell::Bash {
            // clap_complete spells a name with a hyphen in two ways in one script, so that
            // nothing is completed after a command: https://github.com/clap-rs/clap/issues/6421
            script = script.replace("tiny__subcmd__cache", "tiny__cache");
            script = script.replacen(PREVIOUS, &format!("{PREVIOUS}{DIVIDED}"), 1);
        }
        if self.shell == Shell::Fish {
            // clap_complete writes nothing for an argument that is no option.
            let shells: Vec<_> = Shell::value_variants().iter().map(Shell::to_string).collect();
            let shells = shells.join(" ");
            writeln!(
                script,
                "complete -c tiny-cache -n \"__fish_tiny_cache_using_subcommand completions\" -f \
                 -a \"{shells}\""
            )
            .expect("a string takes all that is written");
        }
        output::text(&script)?;
        Ok(Verdict::Done)
    }
}

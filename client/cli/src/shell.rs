//! `completions`: scripts by which shells complete the command line.

use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;

use crate::{error::Error, output};

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

/// The line of the bash script that reads the word before the completed one.
const PREVIOUS: &str = "    prev=\"$3\"\n";

/// Bash divides `--output=js` into three words, but clap_complete looks for the option in the word
/// before: without this, nothing is completed behind a `=`.
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
    /// Prints the script for `command`.
    pub(crate) fn run(self, mut command: Command) -> Result<(), Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "tiny-cache", &mut script);
        let mut script = String::from_utf8_lossy(&script).into_owned();
        if self.shell == Shell::Bash {
            // clap_complete spells a name with a hyphen in two ways, so nothing is completed after
            // a command: https://github.com/clap-rs/clap/issues/6421
            script = script.replace("tiny__subcmd__cache", "tiny__cache");
            script = script.replacen(PREVIOUS, &format!("{PREVIOUS}{DIVIDED}"), 1);
        }
        if self.shell == Shell::Fish {
            // clap_complete completes no positional arguments.
            let shells: Vec<_> = Shell::value_variants().iter().map(Shell::to_string).collect();
            let shells = shells.join(" ");
            script = format!(
                "{script}complete -c tiny-cache -n \"__fish_tiny_cache_using_subcommand \
                 completions\" -f -a \"{shells}\"\n"
            );
        }
        output::text(&script)
    }
}

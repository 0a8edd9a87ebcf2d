//! `man`: pages generated from the command line. The sections after the options are those of the
//! help.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, Command, ValueHint};
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

use crate::{error::Error, output};

const MORE: &str = "\
Examples:
  tiny-cache man | man -l -
  tiny-cache man --dir ~/.local/share/man/man1

Exit codes:
  0  done
  2  an error
";

/// The help's headings, their names in the pages, and whether a section keeps its lines.
const SECTIONS: [(&str, &str, bool); 6] = [
    ("Input:", "INPUT", false),
    ("Output:", "OUTPUT", false),
    ("Examples:", "EXAMPLES", true),
    ("Exit codes:", "EXIT STATUS", true),
    ("Environment:", "ENVIRONMENT", true),
    ("JSON (--output json):", "JSON", false),
];

/// Prints the manual page, or writes all of them
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct ManArgs {
    /// Write the page, and one for each command, into this directory, which is made if need be
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

impl ManArgs {
    /// Writes the pages of `command`.
    pub(crate) fn run(self, command: Command) -> Result<(), Error> {
        let mut command = command.disable_help_subcommand(true);
        command.build();
        match self.dir {
            Some(dir) => save(&command, &dir)
                .map_err(|cause| Error::Write { name: dir.display().to_string(), cause }),
            None => output::bytes(&page(&command).map_err(Error::Stdout)?),
        }
    }
}

fn save(command: &Command, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    for command in std::iter::once(command).chain(command.get_subcommands()) {
        fs::write(dir.join(Man::new(command.clone()).get_filename()), page(command)?)?;
    }
    Ok(())
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let mut page = Vec::new();
    // Not `render_title`, which skips an empty field, so that the next takes its place.
    let (title, version) = (name.to_uppercase(), env!("CARGO_PKG_VERSION"));
    writeln!(page, r#".TH {title} 1 "" "tiny-cache {version}" "tiny-cache""#)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let more = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    sections(&more).to_writer(&mut page)?;
    Ok(page)
}

/// Divides help by its headings. Text indented by more than two keeps its lines.
fn sections(help: &str) -> Roff {
    let mut roff = Roff::new();
    let (mut is_lines, mut is_set) = (false, false);
    for line in help.lines() {
        let section = SECTIONS.iter().find(|(heading, ..)| line == *heading);
        let line = line.strip_prefix("  ").unwrap_or(line);
        let set = section.is_none() && (is_lines || line.starts_with(' '));
        if set != is_set && !(is_set && line.is_empty()) {
            roff.control(if set { "nf" } else { "fi" }, []);
            is_set = set;
        }
        match section {
            Some((_, name, lines)) => {
                roff.control("SH", [*name]);
                is_lines = *lines;
            }
            None if line.is_empty() && is_set => {}
            None if line.is_empty() => {
                roff.control("PP", []);
            }
            None => {
                roff.text([roman(line)]);
            }
        }
    }
    if is_set {
        roff.control("fi", []);
    }
    roff
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn sections_are_those_of_the_help() {
        let help = "Output:\n  Text,\n  or\n    {\"a\":1}\n  more.\n\n\
                    Exit codes:\n  0  done\n  1  a miss\n";
        let expected = ".SH OUTPUT\nText,\nor\n.nf\n  {\"a\":1}\n.fi\nmore.\n.PP\n\
                        .SH \"EXIT STATUS\"\n.nf\n0  done\n1  a miss\n.fi\n";
        assert_eq!(sections(help).to_roff(), expected);
    }

    #[test]
    fn help_has_no_line_that_is_under_no_heading() {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            let help = command.get_after_help().expect("there is more help").to_string();
            let headings = SECTIONS.map(|(heading, ..)| heading);
            for line in help.lines().filter(|line| !line.starts_with("  ") && !line.is_empty()) {
                assert!(headings.contains(&line), "{}: {line}", command.get_name());
            }
            assert!(help.contains("\nExit codes:\n"), "{}", command.get_name());
            assert!(help.lines().all(|line| line.chars().count() <= 78), "{help}");
        }
    }
}

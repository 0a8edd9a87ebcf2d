//! What clap says of a wrong command line, in one line.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::{Verdict, error::Error, output};

/// Help goes to stdout as it is; an error keeps what is wrong and the tip, and loses the
/// usage, which `--help` has.
pub(crate) fn answer(error: &clap::Error) -> Result<Verdict, Error> {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output::text(&text).map(|()| Verdict::Done)
        }
        _ => Err(Error::Refused(one_line(&text, tip(error)))),
    }
}

/// What may have been meant by a value of --output that is none.
fn tip(error: &clap::Error) -> &'static str {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    if !context(ContextKind::InvalidArg).starts_with("--output") {
        return "";
    }
    match context(ContextKind::InvalidValue) {
        "raw" | "utf8" | "hex" | "base64" | "escaped" => {
            "; tip: the form of values is --format, of get and mget"
        }
        name if name.contains(['.', '/']) => "; tip: get writes a value to a file with --file",
        _ => "",
    }
}

fn one_line(text: &str, tip: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let mut line = String::new();
    for part in text.lines().map(str::trim).filter(|part| !part.is_empty()) {
        if part.starts_with("Usage:") || part.starts_with("For more information") {
            break;
        }
        if !line.is_empty() {
            line.push_str(if part.starts_with("tip:") { "; " } else { " " });
        }
        line.push_str(part);
    }
    line + tip + "; see --help"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_and_the_tip_are_kept() {
        let text = "error: unexpected argument '--tt' found\n\n  \
                    tip: a similar argument exists: '--ttl'\n\n\
                    Usage: tiny-cache set <KEY>\n\nFor more information, try '--help'.\n";
        assert_eq!(
            one_line(text, ""),
            "unexpected argument '--tt' found; tip: a similar argument exists: '--ttl'; see --help"
        );
    }
}

//! Answers --help, and writes clap's errors in one line.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::{error::Error, output};

/// Writes help to stdout. An error keeps its reason and tip, and loses the usage, which `--help`
/// has.
pub(crate) fn answer(error: &clap::Error) -> Result<(), Error> {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => output::text(&text),
        _ => Err(Error::Refused(shortened(&text, tip(error)))),
    }
}

/// What the user may have meant by an unexpected word, or by an invalid value of --output.
fn tip(error: &clap::Error) -> &'static str {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let argument = context(ContextKind::InvalidArg);
    if error.kind() == ErrorKind::UnknownArgument && !argument.starts_with('-') {
        return "; tip: quote a key or value that has spaces";
    }
    if !argument.starts_with("--output") {
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

fn shortened(text: &str, tip: &str) -> String {
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
            shortened(text, ""),
            "unexpected argument '--tt' found; tip: a similar argument exists: '--ttl'; see --help"
        );
    }
}

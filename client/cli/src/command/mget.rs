//! `mget`: many values, one line for each key.

use bytes::Bytes;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Session, refusals::Refusals};
use crate::{
    Verdict,
    encoding::Encoding,
    error::Error,
    input,
    output::{self, JsonValue},
};

const MORE: &str = "\
Output:
  One line for each key, in the order asked: the key, a tab and the value. A
  miss has no tab. In keys, and in values unless --format says otherwise,
  backslash, tab and line ends are \\\\, \\t, \\n and \\r; each byte of another
  control character, or that is not UTF-8, is \\xNN. JSON is one object, in
  which --format hex or base64 names each value `value_hex` or `value_base64`:
    {\"items\":[{\"key\":\"a\",\"found\":true,\"value\":\"1\"}],\"hits\":1,\"misses\":0}

Examples:
  tiny-cache mget a b c
  tiny-cache mget - < keys.txt
  tiny-cache mget a b --output json | jq -r '.items[] | select(.found).key'

Exit codes:
  0  all found
  1  at least one miss
  2  an error
";

/// Reads many values
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct MgetArgs {
    /// Keys; - takes those of stdin, one in a line, without its line end; blank lines are
    /// skipped
    #[arg(required = true, value_name = "KEY", value_parser = input::key())]
    keys: Vec<String>,

    /// How values are written [default: escaped; JSON says itself what a value is]
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<Format>,
}

/// How a value is written so that it stays in its line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// Text, with what would break the line escaped
    Escaped,
    /// Two digits for each byte
    Hex,
    /// RFC 4648 with padding
    Base64,
}

#[derive(Default, Serialize)]
struct Found<'a> {
    items: Vec<Item<'a>>,
    hits: usize,
    misses: usize,
}

#[derive(Serialize)]
struct Item<'a> {
    key: &'a str,
    found: bool,
    #[serde(flatten)]
    value: Option<JsonValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

type Results = Vec<tiny_cache_client::Result<Option<Bytes>>>;

impl MgetArgs {
    pub(crate) async fn run(self, session: &Session) -> Result<Verdict, Error> {
        if session.is_json() && self.format == Some(Format::Escaped) {
            return Err(Error::format_in_json("escaped"));
        }
        let keys = input::keys(self.keys)?;
        let results = session.client.get_many(&keys).await?;
        if session.is_json() {
            print_json(&keys, &results, self.format)?;
        } else {
            print_text(&keys, &results, self.format.unwrap_or(Format::Escaped))?;
        }
        let missed = results.iter().any(|result| matches!(result, Ok(None)));
        Refusals::of(&keys, &results).check()?;
        Ok(if missed { Verdict::Unmet } else { Verdict::Done })
    }
}

fn print_text(keys: &[String], results: &Results, format: Format) -> Result<(), Error> {
    let mut text = String::new();
    for (key, result) in keys.iter().zip(results) {
        text.push_str(&output::escaped(key.as_bytes()));
        if let Ok(Some(value)) = result {
            text.push('\t');
            text.push_str(&match format {
                Format::Escaped => output::escaped(value),
                Format::Hex => Encoding::Hex.encode(value),
                Format::Base64 => Encoding::Base64.encode(value),
            });
        }
        text.push('\n');
    }
    output::text(&text)
}

fn print_json(keys: &[String], results: &Results, format: Option<Format>) -> Result<(), Error> {
    let written = |value: &[u8]| match format {
        None | Some(Format::Escaped) => JsonValue::from(value),
        Some(Format::Hex) => JsonValue::encoded(value, Encoding::Hex),
        Some(Format::Base64) => JsonValue::encoded(value, Encoding::Base64),
    };
    let mut found = Found::default();
    for (key, result) in keys.iter().zip(results) {
        let (value, error) = match result {
            Ok(value) => (value.as_deref().map(written), None),
            Err(error) => (None, Some(error.to_string())),
        };
        found.hits += usize::from(value.is_some());
        found.misses += usize::from(value.is_none() && error.is_none());
        found.items.push(Item { key, found: value.is_some(), value, error });
    }
    output::json(&found)
}

//! `mget`: many values, a line for each key.

use bytes::Bytes;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Call, Error, Session, Verdict, input, refusals::Refusals};
use crate::{
    encoding::Encoding,
    output::{self, Object},
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

/// How a value is written in one line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// Text, with line breaks and control characters escaped
    Escaped,
    /// Two digits for each byte
    Hex,
    /// RFC 4648 with padding
    Base64,
}

impl Format {
    fn encoding(self) -> Option<Encoding> {
        match self {
            Self::Escaped => None,
            Self::Hex => Some(Encoding::Hex),
            Self::Base64 => Some(Encoding::Base64),
        }
    }
}

#[derive(Default, Serialize)]
struct Found {
    items: Vec<Object>,
    hits: usize,
    misses: usize,
}

type Results = Vec<tiny_cache_client::Result<Option<Bytes>>>;

impl Call for MgetArgs {
    const IS_BATCH: bool = true;

    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        if session.is_json() && self.format == Some(Format::Escaped) {
            return Err(Error::format_in_json("escaped"));
        }
        let keys = input::keys(self.keys)?;
        let results = session.client.get_many(&keys).await?;
        let encoding = self.format.and_then(Format::encoding);
        if session.is_json() {
            output::json(&json(&keys, &results, encoding))?;
        } else {
            output::text(&text(&keys, &results, encoding))?;
        }
        let missed = results.iter().any(|result| matches!(result, Ok(None)));
        Refusals::of(&keys, &results).check(None)?;
        Ok((!missed).into())
    }
}

fn text(keys: &[String], results: &Results, encoding: Option<Encoding>) -> String {
    let mut text = String::new();
    for (key, result) in keys.iter().zip(results) {
        text.push_str(&output::escaped(key.as_bytes()));
        if let Ok(Some(value)) = result {
            text.push('\t');
            text.push_str(&match encoding {
                None => output::escaped(value),
                Some(encoding) => encoding.encode(value),
            });
        }
        text.push('\n');
    }
    text
}

fn json(keys: &[String], results: &Results, encoding: Option<Encoding>) -> Found {
    let mut found = Found::default();
    for (key, result) in keys.iter().zip(results) {
        let is_found = matches!(result, Ok(Some(_)));
        let mut item = vec![("key", key.as_str().into()), ("found", is_found.into())];
        match result {
            Ok(Some(value)) => {
                found.hits += 1;
                item.push(output::member(value, encoding));
            }
            Ok(None) => found.misses += 1,
            Err(error) => item.push(("error", error.to_string().into())),
        }
        found.items.push(Object(item));
    }
    found
}

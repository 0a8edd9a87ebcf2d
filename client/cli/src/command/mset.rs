//! `mset`: many values, from arguments, lines of pairs or lines of JSON.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{
    Args, ValueHint,
    builder::{OsStringValueParser, TypedValueParser},
};
use serde::Deserialize;
use tiny_cache_client::Item;

use super::{Call, Error, Session, Verdict, refusals::Refusals, refused};
use crate::{
    encoding::Encoding,
    input::{self, TtlArgs},
};

/// Some editors write it in front of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

const MORE: &str = "\
Input:
  An argument is divided at its first `=`; a key that has one goes into a
  file. The argument - stands for the pairs of stdin, one KEY=VALUE in a
  line; a line loses its line end, and blank lines are skipped. A file has
  one JSON object in a line, with `key`, with `value` (text), `value_base64`
  or `value_hex`, and if wanted with `ttl` (a duration, as --ttl):
    {\"key\":\"a\",\"value\":\"1\"}
    {\"key\":\"b\",\"value_base64\":\"/wA=\",\"ttl\":\"30s\"}

Output:
  Nothing; in JSON the number that was written, and what was refused:
    {\"stored\":1,\"refused\":[{\"key\":\"b\",\"error\":\"…\"}]}
  Where one was refused, there is an error line as well; items before and
  after it are written.

Examples:
  tiny-cache mset a=1 b=2 --ttl 1m
  tiny-cache mset - < pairs.txt
  tiny-cache mset --file items.jsonl
  jq -c '.[] | {key: .id, value: .name}' users.json | tiny-cache mset --file -

Exit codes:
  0  all written
  2  an error
";

/// Writes many values
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct MsetArgs {
    /// Items to write; - takes those of stdin, one in a line
    #[arg(value_name = "KEY=VALUE", required_unless_present = "file", value_parser = argument())]
    items: Vec<Argument>,

    /// Read items from a file, one JSON object in a line; - is stdin
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,

    #[command(flatten)]
    ttl: TtlArgs,
}

/// An argument.
#[derive(Clone, Debug)]
enum Argument {
    Pair(Pair),
    Stdin,
}

/// A key and a value.
#[derive(Clone, Debug)]
struct Pair {
    key: String,
    value: Vec<u8>,
    ttl: Option<Duration>,
}

/// A line of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    key: String,
    value: Option<String>,
    value_base64: Option<String>,
    value_hex: Option<String>,
    ttl: Option<String>,
}

impl Call for MsetArgs {
    const IS_BATCH: bool = true;

    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let pairs = pairs(self.items, self.file.as_deref())?;
        let mut keys = Vec::with_capacity(pairs.len());
        let mut items = Vec::with_capacity(pairs.len());
        for Pair { key, value, ttl } in pairs {
            let item = Item::new(key.clone(), value);
            items.push(match ttl {
                Some(ttl) => item.ttl(ttl),
                None => item,
            });
            keys.push(key);
        }
        let request = session.client.set_many(items).ttl(self.ttl.or_default());
        let results = request
            .await
            .map_err(|error| Error::of_batch(error, "; some of the items may have been written"))?;
        let refusals = Refusals::of(&keys, &results);
        if session.is_json() {
            refusals.report("stored")?;
        }
        let words = match refusals.first() {
            Some(error) => session.no_room(error).await,
            None => None,
        };
        refusals.check(words)?;
        Ok(Verdict::Done)
    }
}

/// The items of all sources, in the order of the command line.
fn pairs(arguments: Vec<Argument>, file: Option<&Path>) -> Result<Vec<Pair>, Error> {
    let mut has_stdin = file.is_some_and(input::is_dash);
    if has_stdin && arguments.iter().any(|argument| matches!(argument, Argument::Stdin)) {
        return Err(refused!(
            "stdin cannot be both - (pairs) and --file - (JSON); leave out one of them"
        ));
    }
    let mut pairs = Vec::with_capacity(arguments.len());
    for argument in arguments {
        match argument {
            Argument::Pair(pair) => pairs.push(pair),
            Argument::Stdin if std::mem::replace(&mut has_stdin, true) => {}
            Argument::Stdin => pairs.extend(piped(&input::read_stdin()?)?),
        }
    }
    if let Some(path) = file {
        pairs.extend(read(path)?);
    }
    Ok(pairs)
}

fn argument() -> impl TypedValueParser<Value = Argument> {
    OsStringValueParser::new().try_map(|argument: OsString| {
        if argument == "-" {
            return Ok(Argument::Stdin);
        }
        pair(argument.as_encoded_bytes()).map(Argument::Pair)
    })
}

fn pair(text: &[u8]) -> Result<Pair, &'static str> {
    let mut parts = text.splitn(2, |byte| *byte == b'=');
    let (Some(key), Some(value)) = (parts.next(), parts.next()) else {
        return Err("expected KEY=VALUE");
    };
    let key = str::from_utf8(key).map_err(|_| "the key is not UTF-8")?;
    Ok(Pair { key: key.to_owned(), value: value.to_owned(), ttl: None })
}

/// The pairs of stdin.
fn piped(text: &[u8]) -> Result<Vec<Pair>, Error> {
    input::lines(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text))
        .map(|(number, line)| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let refused = |reason| refused!("stdin:{number}: {reason}");
            // A JSON object may contain `=` and would become a pair with a strange key.
            if parse(line).is_ok() {
                return Err(refused("a JSON object, not KEY=VALUE; read them with --file -"));
            }
            pair(line).map_err(refused)
        })
        .collect()
}

fn read(path: &Path) -> Result<Vec<Pair>, Error> {
    let name = if input::is_dash(path) { "stdin".into() } else { path.to_string_lossy() };
    let text = input::read_file(path)?;
    input::lines(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text))
        .map(|(number, line)| parse(line).map_err(|reason| refused!("{name}:{number}: {reason}")))
        .collect()
}

fn parse(line: &[u8]) -> Result<Pair, String> {
    // serde would accept an array as the members in order.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err("expected a JSON object with key and value".to_owned());
    }
    let Line { key, value, value_base64, value_hex, ttl } =
        serde_json::from_slice(line).map_err(|error| no_item(&error))?;
    let decoded = |name: &str, text: &str, encoding: Encoding| {
        encoding.decode(text.as_bytes()).map_err(|error| format!("{name}: {error}"))
    };
    let value = match (value, value_base64, value_hex) {
        (Some(text), None, None) => text.into_bytes(),
        (None, Some(text), None) => decoded("value_base64", &text, Encoding::Base64)?,
        (None, None, Some(text)) => decoded("value_hex", &text, Encoding::Hex)?,
        _ => return Err("expected one of value, value_base64 and value_hex".to_owned()),
    };
    let ttl = ttl.map(|text| input::ttl(&text).map_err(|error| format!("ttl `{text}`: {error}")));
    Ok(Pair { key, value, ttl: ttl.transpose()? })
}

/// What is wrong with a line, without the line that serde counts: it is always the first.
fn no_item(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    let kind = if error.is_data() { "not an item" } else { "not JSON" };
    format!("{kind}: {reason} (column {})", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_item_or_says_why_not() {
        let pair = parse(br#"{"key":"k","value_base64":"/wA=","ttl":"30s"}"#).unwrap();
        assert_eq!((pair.key.as_str(), &pair.value[..]), ("k", &b"\xff\0"[..]));
        assert_eq!(pair.ttl, Some(Duration::from_secs(30)));
        for (line, reason) in [
            (r#"{"key":"k"}"#, "one of value, value_base64 and value_hex"),
            (
                r#"{"key":"k","value":"","value_base64":""}"#,
                "one of value, value_base64 and value_hex",
            ),
            (r#"{"key":"k","value_base64":"/wA"}"#, "value_base64: it has 3 characters"),
            (r#"{"key":"k","value_hex":"0g"}"#, "value_hex: character 2 is `g`"),
            (r#"{"key":"k","value":"","ttl":"30"}"#, "ttl `30`: expected a duration"),
            (r#"{"key":"k","value":"","tll":"30s"}"#, "unknown field `tll`"),
            (r#"{"key":"k",}"#, "not JSON: trailing comma (column 12)"),
            (
                r#"{"key":7,"value":""}"#,
                "not an item: invalid type: integer `7`, expected a string (col",
            ),
            ("k=v", "expected a JSON object"),
            (r#"["k","v",null,null]"#, "expected a JSON object"),
        ] {
            let error = parse(line.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}

//! `get`: one value, as it is or in a form that a terminal can show.

use std::{fs, path::PathBuf};

use bytes::Bytes;
use clap::{Args, ValueEnum, ValueHint};
use serde::Serialize;

use super::Session;
use crate::{
    Verdict,
    encoding::Encoding,
    error::Error,
    input::{self, is_dash},
    output::{self, JsonValue},
};

const MORE: &str = "\
Output:
  The value as it is. On a terminal a line break follows, and a value that is
  not plain text is refused unless --format says how to show it. --format
  holds for JSON and for --file as well: with base64 the value is always in
  `value_base64`, with hex in `value_hex`. JSON is one of
    {\"key\":\"k\",\"found\":true,\"value\":\"text\"}
    {\"key\":\"k\",\"found\":true,\"value_base64\":\"/wA=\"}
    {\"key\":\"k\",\"found\":true,\"value_hex\":\"ff00\"}
    {\"key\":\"k\",\"found\":true,\"file\":\"out.bin\",\"bytes\":2}
    {\"key\":\"k\",\"found\":false}

Examples:
  tiny-cache get greeting
  tiny-cache get photo --file photo.jpg
  tiny-cache get photo | sha256sum
  tiny-cache get token --format hex
  tiny-cache get session:7 --output json

Exit codes:
  0  found
  1  a miss
  2  an error
";

/// Reads a value
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct GetArgs {
    /// The key
    #[arg(value_parser = input::key())]
    key: String,

    /// How the value is written [default: raw]
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<Format>,

    /// Write the value to a file, which a miss leaves alone; - is stdout
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// Its bytes and nothing else
    Raw,
    /// Text and a line break; an error where the value is not UTF-8
    Utf8,
    /// Two digits for each byte, and a line break
    Hex,
    /// RFC 4648 with padding, and a line break
    Base64,
}

/// What JSON says of a value.
#[derive(Serialize)]
struct Found<'a> {
    key: &'a str,
    found: bool,
    #[serde(flatten)]
    value: Option<JsonValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
}

impl GetArgs {
    pub(crate) async fn run(self, session: &Session) -> Result<Verdict, Error> {
        if session.is_json() && self.format == Some(Format::Raw) && !self.is_saved() {
            return Err(Error::format_in_json("raw"));
        }
        let value = session.client.get(&self.key).await?;
        match (&value, self.file.as_ref().filter(|path| !is_dash(path))) {
            (Some(value), Some(path)) => self.save(value, path)?,
            (Some(value), None) if !session.is_json() => self.print(value)?,
            _ => {}
        }
        if session.is_json() {
            self.report(value.as_deref())?;
        }
        Ok(if value.is_some() { Verdict::Done } else { Verdict::Unmet })
    }

    fn save(&self, value: &Bytes, path: &PathBuf) -> Result<(), Error> {
        let shown = self.shown(value, self.format.unwrap_or(Format::Raw))?;
        fs::write(path, shown)
            .map_err(|cause| Error::Write { name: path.display().to_string(), cause })
    }

    fn print(&self, value: &Bytes) -> Result<(), Error> {
        let for_eyes = self.format.is_none() && output::is_terminal();
        if for_eyes && !is_plain(value) {
            return Err(Error::Refused(format!(
                "the value of `{}` is {} bytes that are not plain text; choose --file, or \
                 --format hex, base64 or raw",
                self.key,
                value.len()
            )));
        }
        output::bytes(&self.shown(value, self.format.unwrap_or(Format::Raw))?)?;
        if for_eyes && !value.ends_with(b"\n") { output::line("") } else { Ok(()) }
    }

    fn shown(&self, value: &Bytes, format: Format) -> Result<Bytes, Error> {
        let mut text = match format {
            Format::Raw => return Ok(value.clone()),
            Format::Utf8 => self.text(value)?,
            Format::Hex => Encoding::Hex.encode(value),
            Format::Base64 => Encoding::Base64.encode(value),
        };
        text.push('\n');
        Ok(text.into())
    }

    fn text(&self, value: &[u8]) -> Result<String, Error> {
        str::from_utf8(value).map(str::to_owned).map_err(|error| {
            Error::Refused(format!(
                "the value of `{}` is not UTF-8 from byte {} of {} on; choose --format raw, hex or \
                 base64",
                self.key,
                error.valid_up_to() + 1,
                value.len()
            ))
        })
    }

    /// Whether the value goes into a file, and not to stdout.
    fn is_saved(&self) -> bool {
        self.file.as_deref().is_some_and(|path| !is_dash(path))
    }

    fn report(&self, value: Option<&[u8]>) -> Result<(), Error> {
        let file = self.file.as_ref().filter(|_| self.is_saved() && value.is_some());
        let shown = value.filter(|_| file.is_none()).map(|value| self.json(value));
        output::json(&Found {
            key: &self.key,
            found: value.is_some(),
            value: shown.transpose()?,
            file: file.map(|path| path.display().to_string()),
            bytes: value.filter(|_| file.is_some()).map(<[u8]>::len),
        })
    }

    fn json(&self, value: &[u8]) -> Result<JsonValue, Error> {
        Ok(match self.format {
            None | Some(Format::Raw) => JsonValue::from(value),
            Some(Format::Utf8) => JsonValue::Value(self.text(value)?),
            Some(Format::Hex) => JsonValue::encoded(value, Encoding::Hex),
            Some(Format::Base64) => JsonValue::encoded(value, Encoding::Base64),
        })
    }
}

/// Whether a terminal shows it and does nothing else.
fn is_plain(value: &[u8]) -> bool {
    str::from_utf8(value)
        .is_ok_and(|text| text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t')))
}

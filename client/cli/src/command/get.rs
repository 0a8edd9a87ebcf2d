//! `get`: one value, unchanged or in a form that a terminal can show.

use std::{fs, path::PathBuf};

use bytes::Bytes;
use clap::{Args, ValueEnum, ValueHint};

use super::{Call, Error, Session, Verdict, refused};
use crate::{
    encoding::Encoding,
    input::{self, is_dash},
    output,
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
    /// Its bytes, unchanged
    Raw,
    /// Text and a line break; an error if the value is not UTF-8
    Utf8,
    /// Two digits for each byte, and a line break
    Hex,
    /// RFC 4648 with padding, and a line break
    Base64,
}

impl Call for GetArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let Self { key, format, file } = self;
        let file = file.filter(|path| !is_dash(path));
        if session.is_json() && format == Some(Format::Raw) && file.is_none() {
            return Err(Error::format_in_json("raw"));
        }
        let Some(value) = session.client.get(&key).await? else {
            session.show("", vec![("key", key.into()), ("found", false.into())])?;
            return Ok(Verdict::Unmet);
        };
        let mut members = vec![("key", key.as_str().into()), ("found", true.into())];
        if let Some(path) = file {
            let name = path.display().to_string();
            fs::write(path, shown(&key, &value, format.unwrap_or(Format::Raw))?)
                .map_err(|cause| Error::Write { name: name.clone(), cause })?;
            members.extend([("file", name.into()), ("bytes", value.len().into())]);
            session.show("", members)?;
        } else if session.is_json() {
            members.push(match format {
                None | Some(Format::Raw) => output::member(&value, None),
                Some(Format::Utf8) => ("value", text(&key, &value)?.into()),
                Some(Format::Hex) => output::member(&value, Some(Encoding::Hex)),
                Some(Format::Base64) => output::member(&value, Some(Encoding::Base64)),
            });
            session.show("", members)?;
        } else {
            print(&key, &value, format)?;
        }
        Ok(Verdict::Done)
    }
}

fn print(key: &str, value: &Bytes, format: Option<Format>) -> Result<(), Error> {
    let for_eyes = format.is_none() && output::is_terminal();
    if for_eyes && !is_plain(value) {
        return Err(refused!(
            "the value of `{key}` is {} bytes that are not plain text; choose --file, or --format \
             hex, base64 or raw",
            value.len()
        ));
    }
    output::bytes(&shown(key, value, format.unwrap_or(Format::Raw))?)?;
    if for_eyes && !value.ends_with(b"\n") { output::line("") } else { Ok(()) }
}

fn shown(key: &str, value: &Bytes, format: Format) -> Result<Bytes, Error> {
    let mut text = match format {
        Format::Raw => return Ok(value.clone()),
        Format::Utf8 => text(key, value)?,
        Format::Hex => Encoding::Hex.encode(value),
        Format::Base64 => Encoding::Base64.encode(value),
    };
    text.push('\n');
    Ok(text.into())
}

fn text(key: &str, value: &[u8]) -> Result<String, Error> {
    str::from_utf8(value).map(str::to_owned).map_err(|error| {
        refused!(
            "the value of `{key}` is not UTF-8 from byte {} of {} on; choose --format raw, hex or \
             base64",
            error.valid_up_to() + 1,
            value.len()
        )
    })
}

/// Whether a terminal shows it without side effects.
fn is_plain(value: &[u8]) -> bool {
    str::from_utf8(value)
        .is_ok_and(|text| text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t')))
}

//! A value that is to be written, in one of the ways in which it can be given.

use std::{
    ffi::{OsStr, OsString},
    io::{self, IsTerminal},
    path::PathBuf,
};

use bytes::Bytes;
use clap::{Args, ValueHint};

use super::{is_dash, read_file, read_stdin};
use crate::{encoding::Encoding, error::Error};

/// A value to write.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct ValueArgs {
    /// The value; without it and the options for it, it is read from stdin. A lone - is refused,
    /// since it may mean either: --file - reads stdin, and `printf %s - |` writes a hyphen
    #[arg(allow_negative_numbers = true)]
    value: Option<OsString>,

    /// Read the value from a file; - is stdin
    #[arg(
        long,
        visible_alias = "value-file",
        value_name = "FILE",
        value_hint = ValueHint::FilePath
    )]
    file: Option<PathBuf>,

    /// The value in base64, padded (RFC 4648, section 4); - reads such text from stdin; white
    /// space is skipped
    #[arg(long, visible_alias = "value-base64", value_name = "TEXT", allow_hyphen_values = true)]
    base64: Option<OsString>,

    /// The value in hex, two digits for each byte; - reads such text from stdin; white space is
    /// skipped
    #[arg(long, visible_alias = "value-hex", value_name = "TEXT", allow_hyphen_values = true)]
    hex: Option<OsString>,
}

/// The value that has to be there.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct ExpectedArgs {
    /// The value that has to be there
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    expected: Option<OsString>,

    /// Read the value that has to be there from a file; - is stdin
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    expected_file: Option<PathBuf>,

    /// The value that has to be there, in base64; - reads such text from stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    expected_base64: Option<OsString>,

    /// The value that has to be there, in hex; - reads such text from stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    expected_hex: Option<OsString>,
}

impl ValueArgs {
    /// The value's bytes, wherever they are.
    pub(crate) fn read(self) -> Result<Bytes, Error> {
        let Self { value, file, base64, hex } = self;
        if let Some(value) = value {
            return plain(value);
        }
        if let Some(path) = file {
            return read_file(&path);
        }
        if let Some(text) = base64 {
            return encoded("--base64", &text, Encoding::Base64);
        }
        if let Some(text) = hex {
            return encoded("--hex", &text, Encoding::Hex);
        }
        if io::stdin().is_terminal() {
            return Err(Error::Refused(
                "no value: give it after the key, with --file, --base64 or --hex, or through a pipe"
                    .to_owned(),
            ));
        }
        read_stdin()
    }

    /// Whether stdin is where the value comes from.
    pub(crate) fn is_stdin(&self) -> bool {
        let Self { value, file, base64, hex } = self;
        let texts = [base64, hex].into_iter().flatten();
        match (value, file) {
            (Some(_), _) => false,
            (None, Some(path)) => is_dash(path),
            (None, None) => texts.fold(None, |_, text| Some(text == "-")).unwrap_or(true),
        }
    }
}

impl ExpectedArgs {
    /// The value's bytes, wherever they are.
    pub(crate) fn read(self) -> Result<Bytes, Error> {
        let Self { expected, expected_file, expected_base64, expected_hex } = self;
        match (expected, expected_file, expected_base64, expected_hex) {
            (Some(value), ..) => Ok(value.into_encoded_bytes().into()),
            (_, Some(path), ..) => read_file(&path),
            (_, _, Some(text), _) => encoded("--expected-base64", &text, Encoding::Base64),
            (.., Some(text)) => encoded("--expected-hex", &text, Encoding::Hex),
            (None, None, None, None) => unreachable!("one of the group is required"),
        }
    }

    /// Whether stdin is where the value comes from.
    pub(crate) fn is_stdin(&self) -> bool {
        let Self { expected_file, expected_base64, expected_hex, .. } = self;
        let mut texts = [expected_base64, expected_hex].into_iter().flatten();
        expected_file.as_deref().is_some_and(is_dash) || texts.any(|text| text == "-")
    }
}

fn plain(value: OsString) -> Result<Bytes, Error> {
    if value != "-" {
        return Ok(value.into_encoded_bytes().into());
    }
    // Stored in place of what was piped in, the hyphen would lose that without a word.
    Err(Error::Refused(
        "is the value `-` stdin, or a hyphen? Write --file - for stdin, or pipe the hyphen in: \
         printf %s -"
            .to_owned(),
    ))
}

/// Reads a value from text in an argument, or in stdin where the argument is `-`.
fn encoded(option: &str, text: &OsStr, encoding: Encoding) -> Result<Bytes, Error> {
    let (text, source) = if text == "-" {
        (read_stdin()?, " - (stdin)")
    } else {
        (Bytes::copy_from_slice(text.as_encoded_bytes()), "")
    };
    encoding
        .decode(&text)
        .map(Bytes::from)
        .map_err(|reason| Error::Refused(format!("bad {option}{source}: {reason}")))
}

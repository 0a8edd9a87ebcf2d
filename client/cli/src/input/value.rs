//! The options for a value to write, or to expect.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::PathBuf,
};

use bytes::Bytes;
use clap::{Args, ValueHint};

use super::{is_dash, read_file, read_stdin};
use crate::{
    encoding::Encoding,
    error::{Error, refused},
};

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

/// Where the bytes of a value are.
pub(crate) enum Source {
    Plain(OsString),
    /// A lone `-`, which may mean stdin or a hyphen. Stored, it would lose what was piped in.
    Hyphen,
    File(PathBuf),
    /// The text of an option, or of stdin if it is `-`.
    Encoded(&'static str, OsString, Encoding),
    Stdin,
}

impl ValueArgs {
    pub(crate) fn source(self) -> Source {
        match (self.value, self.file, self.base64, self.hex) {
            (Some(value), ..) if value == "-" => Source::Hyphen,
            (Some(value), ..) => Source::Plain(value),
            (_, Some(path), ..) => Source::File(path),
            (_, _, Some(text), _) => Source::Encoded("--base64", text, Encoding::Base64),
            (.., Some(text)) => Source::Encoded("--hex", text, Encoding::Hex),
            (None, None, None, None) => Source::Stdin,
        }
    }
}

impl ExpectedArgs {
    pub(crate) fn source(self) -> Source {
        match (self.expected, self.expected_file, self.expected_base64, self.expected_hex) {
            (Some(value), ..) => Source::Plain(value),
            (_, Some(path), ..) => Source::File(path),
            (_, _, Some(text), _) => Source::Encoded("--expected-base64", text, Encoding::Base64),
            (.., Some(text)) => Source::Encoded("--expected-hex", text, Encoding::Hex),
            (None, None, None, None) => unreachable!("one of the group is required"),
        }
    }
}

impl Source {
    pub(crate) fn is_stdin(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Hyphen => false,
            Self::File(path) => is_dash(path),
            Self::Encoded(_, text, _) => text == "-",
            Self::Stdin => true,
        }
    }

    /// Reads the value.
    pub(crate) fn read(self) -> Result<Bytes, Error> {
        match self {
            Self::Plain(value) => Ok(value.into_encoded_bytes().into()),
            Self::Hyphen => Err(refused!(
                "is the value `-` stdin, or a hyphen? Write --file - for stdin, or pipe the hyphen \
                 in: printf %s -"
            )),
            Self::File(path) => read_file(&path),
            Self::Encoded(option, text, encoding) => {
                let (text, source) = if text == "-" {
                    (read_stdin()?, " - (stdin)")
                } else {
                    (text.into_encoded_bytes().into(), "")
                };
                let decoded = encoding.decode(&text).map(Bytes::from);
                decoded.map_err(|why| refused!("bad {option}{source}: {why}"))
            }
            Self::Stdin if io::stdin().is_terminal() => Err(refused!(
                "no value: give it after the key, with --file, --base64 or --hex, or through a pipe"
            )),
            Self::Stdin => read_stdin(),
        }
    }
}

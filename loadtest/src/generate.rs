//! The command `trace generate`: a trace whose distributions are known, to a file or a pipe.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use crate::{console, error::Error, trace::Make};

/// Makes a trace, into a file or to stdout.
///
/// # Errors
///
/// The trace cannot be written. A reader that has left is no error.
pub fn run(make: &Make, to: Option<&Path>) -> Result<(), Error> {
    let out: io::Result<Box<dyn Write>> = match to {
        Some(path) => File::create(path).map(|file| Box::new(file) as _),
        None => Ok(Box::new(io::stdout().lock())),
    };
    let written = out.map(BufWriter::new).and_then(|mut out| {
        make.write(&mut out)?;
        out.flush()
    });
    let written = if to.is_some() { written } else { console::written(written) };
    let to = to.unwrap_or(Path::new("standard output"));
    written.map_err(|error| Error::Unwritable { to: to.to_owned(), error })
}

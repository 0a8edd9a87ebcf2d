//! The command `trace generate`: a trace whose distributions are known, to a file or a pipe.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use crate::{cli::GenerateArgs, console, error::Error};

/// Makes the trace that `args` ask for.
///
/// # Errors
///
/// An option means nothing beside another one, or the trace cannot be written. A reader that
/// has left is no error.
pub fn run(args: &GenerateArgs) -> Result<(), Error> {
    let make = args.make()?;
    let to = args.output.as_deref();
    let out: Result<Box<dyn Write>, io::Error> = match to {
        Some(path) => File::create(path).map(|file| Box::new(file) as Box<dyn Write>),
        None => Ok(Box::new(io::stdout().lock())),
    };
    let written = out.map(BufWriter::new).and_then(|mut out| {
        make.write(&mut out)?;
        out.flush()
    });
    let written = if to.is_some() { written } else { console::written(written) };
    let to = to.unwrap_or(Path::new("standard output"));
    written.map_err(|error| Error::Made { to: to.to_owned(), error })
}

//! The standard streams, which may be gone before the run is over: with a terminal that was
//! closed, or a pipe whose reader has ended. No write here panics, as `println!` would.

use std::{
    fs::File,
    io::{self, Write},
    os::{fd::AsFd, unix::fs::FileTypeExt},
};

/// Writes a line to stderr. One that cannot be written is dropped: nothing else can report it.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Judges the result of a write to stdout.
///
/// # Errors
///
/// The write failed. A reader that has left, be it a pipe's or a terminal's, is no error.
pub fn written(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if has_left(&error) { Ok(()) } else { Err(error) })
}

/// Whether the reader of stdout has left.
fn has_left(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe || is_lost_terminal(error)
}

/// Whether stdout was a terminal. Writes to a lost terminal fail with EIO, and so do those to a
/// broken disk. isatty() is false for both, but only the terminal is a character device.
fn is_lost_terminal(error: &io::Error) -> bool {
    let is_device = || {
        let stdout = io::stdout().as_fd().try_clone_to_owned().map(File::from)?;
        stdout.metadata().map(|stdout| stdout.file_type().is_char_device())
    };
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
        && is_device().unwrap_or(false)
}

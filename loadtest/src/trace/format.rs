//! The formats that can be read, and how one is found out.

use std::{ffi::OsStr, path::Path};

use super::{Excerpt, Problem, arc, cachelib, lines::Lines, twitter};

/// The formats that can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// `start count 0 n`, ids without sizes: the traces of the ARC paper.
    Arc,
    /// The rows of twitter/cache-trace.
    Twitter,
    /// The key-value rows of CacheLib's cachebench, below a header.
    Cachelib,
}

impl Format {
    /// The name to report, as `--format` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Arc => "arc",
            Self::Twitter => "twitter",
            Self::Cachelib => "cachelib",
        }
    }

    /// Finds the format out, from the name without `.zst` and from the first line. A name
    /// with `.lis` settles it. One with `.csv` leaves open which of two it is, and tells
    /// only where the first line fits neither, so that the error names what is wrong in it.
    ///
    /// # Errors
    ///
    /// There is no line, or neither name nor line tell.
    pub(super) fn detect(path: &Path, lines: &mut Lines) -> Result<Self, Problem> {
        let is = |name: &Path, extension: &str| {
            name.extension()
                .and_then(OsStr::to_str)
                .is_some_and(|found| found.eq_ignore_ascii_case(extension))
        };
        let name = if is(path, "zst") { path.with_extension("") } else { path.to_owned() };
        if is(&name, "lis") {
            return Ok(Self::Arc);
        }
        let csv = is(&name, "csv");
        let Some(line) = lines.peek()? else {
            return Err(Problem::Empty);
        };
        if !csv && arc::parse(line).is_ok() {
            Ok(Self::Arc)
        } else if twitter::parse(line).is_ok() {
            Ok(Self::Twitter)
        } else if cachelib::Header::resembles(line) {
            Ok(Self::Cachelib)
        } else if csv {
            Ok(Self::Twitter)
        } else {
            Err(Problem::UnknownFormat { found: Excerpt::of(line) })
        }
    }
}

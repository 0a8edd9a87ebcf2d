//! What is wrong with a file of access control: which file, which line, and the remedy.

use std::{io, path::Path};

use ring::digest::{SHA256, digest};
use thiserror::Error;

use crate::reload;

/// A file of access control that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{setting}: {path}{}: {problem}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct AccessError {
    /// The variable or the option that names the file.
    setting: &'static str,
    path: String,
    line: Option<usize>,
    problem: String,
}

/// The SHA-256 of a credential or a file.
pub(super) type Digest = [u8; 32];

pub(super) fn digest_of(content: &[u8]) -> Digest {
    digest(&SHA256, content).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// What is wrong within a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// From 1; `None`: it is about the file as a whole.
    pub(super) line: Option<usize>,
    pub(super) text: String,
}

impl Problem {
    pub(super) fn at(line: usize, text: impl Into<String>) -> Self {
        Self { line: Some(line), text: text.into() }
    }

    pub(super) fn of_file(text: impl Into<String>) -> Self {
        Self { line: None, text: text.into() }
    }
}

/// A file, and what names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct File<'a> {
    pub(super) setting: &'static str,
    pub(super) path: &'a Path,
}

impl File<'_> {
    /// Reads the file's text and makes something of it.
    pub(super) fn parse<T>(
        self,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<T, AccessError> {
        self.parse_with_digest(parse).map(|(parsed, _)| parsed)
    }

    /// [`Self::parse`], with the digest of the text: whether it is another than before.
    pub(super) fn parse_with_digest<T>(
        self,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<(T, Digest), AccessError> {
        let both = |text: String| Ok((parse(&text)?, digest_of(text.as_bytes())));
        self.text().and_then(both).map_err(|problem| self.refuse(problem))
    }

    /// A line of the log about the file.
    pub(super) fn warning(self, Problem { line, text }: Problem) -> String {
        self.refuse(Problem { line, text }).to_string()
    }

    fn refuse(self, Problem { line, text }: Problem) -> AccessError {
        let path = self.path.display().to_string();
        AccessError { setting: self.setting, path, line, problem: text }
    }

    fn text(self) -> Result<String, Problem> {
        let unreadable = |error: io::Error| {
            let remedy = match error.kind() {
                io::ErrorKind::NotFound => "; write the file, or name the one that is there",
                io::ErrorKind::PermissionDenied => {
                    "; let the user that this process runs as read the file"
                }
                _ => "",
            };
            Problem::of_file(format!("{error}{remedy}"))
        };
        let bytes = reload::read(self.path).map_err(unreadable)?;
        String::from_utf8(bytes).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            Problem::at(line_of(before, before.len()), "it is not UTF-8 text; write it as that")
        })
    }
}

/// The line of a place in a text, from 1.
pub(super) fn line_of(text: &[u8], place: usize) -> usize {
    let before = &text[..place.min(text.len())];
    before.split(|byte| *byte == b'\n').count()
}

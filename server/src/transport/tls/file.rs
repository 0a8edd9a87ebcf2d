//! A file, and the variable that names it.

use std::path::PathBuf;

use thiserror::Error;
use tiny_cache_tls::{Problem, read};

/// Certificates, a key or revocation lists that cannot be used; names the file.
#[derive(Debug, Error)]
#[error("{variable}: {path}: {problem}")]
pub struct TlsError {
    variable: &'static str,
    path: String,
    problem: String,
}

#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) variable: &'static str,
    pub(super) path: PathBuf,
}

impl File {
    pub(super) fn read(&self) -> Result<Vec<u8>, TlsError> {
        read(&self.path).map_err(|problem| self.refuse(problem))
    }

    pub(super) fn parse<T>(
        &self,
        content: &[u8],
        parse: impl Fn(&[u8]) -> Result<T, Problem>,
    ) -> Result<T, TlsError> {
        parse(content).map_err(|problem| self.refuse(problem))
    }

    pub(super) fn refuse(&self, problem: impl ToString) -> TlsError {
        TlsError {
            variable: self.variable,
            path: self.path.display().to_string(),
            problem: problem.to_string(),
        }
    }

    pub(super) fn warning(&self, text: &str) -> String {
        format!("{}: {}: {text}", self.variable, self.path.display())
    }
}

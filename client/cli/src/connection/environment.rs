//! The variables that stand in for options. An option outdoes its variable, and an empty variable
//! is as good as one that is not set: that is how many scripts unset it.

use std::{
    env,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use crate::error::Error;

pub(super) const TARGET: &str = "TINY_CACHE_TARGET";
pub(super) const NAMESPACE: &str = "TINY_CACHE_NAMESPACE";
pub(super) const TLS: &str = "TINY_CACHE_TLS";
pub(super) const CA: &str = "TINY_CACHE_CA";
pub(super) const CERT: &str = "TINY_CACHE_CERT";
pub(super) const KEY: &str = "TINY_CACHE_KEY";
pub(super) const SERVER_NAME: &str = "TINY_CACHE_SERVER_NAME";

/// A setting, and who gave it: an option or a variable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) source: &'static str,
}

impl<T> Given<T> {
    /// Whether a variable gave it, and not an option.
    pub(super) fn is_variable(&self) -> bool {
        self.source.starts_with("TINY_CACHE_")
    }

    /// What errors about it begin with: nothing where the option stands in the command line.
    pub(super) fn prefix(&self) -> String {
        if self.is_variable() { format!("{}: ", self.source) } else { String::new() }
    }
}

impl fmt::Display for Given<PathBuf> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.source, self.value.display())
    }
}

/// A text, from its option or its variable.
pub(super) fn text(
    option: (&'static str, Option<&str>),
    variable: &'static str,
) -> Result<Option<Given<String>>, Error> {
    if let (source, Some(value)) = option {
        return Ok(Some(Given { value: value.to_owned(), source }));
    }
    let value = read(variable).map(OsString::into_string).transpose().map_err(|value| {
        Error::Refused(format!("{variable}: `{}` is not UTF-8", value.display()))
    })?;
    Ok(value.map(|value| Given { value, source: variable }))
}

/// A file's name, from its option or its variable.
pub(super) fn path(
    option: (&'static str, Option<&Path>),
    variable: &'static str,
) -> Option<Given<PathBuf>> {
    match option {
        (source, Some(path)) => Some(Given { value: path.to_owned(), source }),
        (_, None) => read(variable).map(|path| Given { value: path.into(), source: variable }),
    }
}

/// A switch, as the server's own variables have it.
pub(super) fn switch(variable: &'static str) -> Result<Option<bool>, Error> {
    let Some(text) = read(variable) else { return Ok(None) };
    let lower = text.to_string_lossy().to_lowercase();
    match lower.as_str() {
        "1" | "true" | "yes" | "y" | "on" => Ok(Some(true)),
        "0" | "false" | "no" | "n" | "off" => Ok(Some(false)),
        _ => Err(Error::Refused(format!(
            "{variable}: `{}` is no switch; expected true or false, 1 or 0, yes or no, on or off",
            text.display()
        ))),
    }
}

fn read(variable: &str) -> Option<OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}

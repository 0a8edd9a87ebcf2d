//! The variables that stand in for options. An option overrides its variable. An empty variable
//! counts as unset, because many scripts unset variables that way.

use std::{
    env,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use crate::error::{Error, refused};

pub(super) const TARGET: &str = "TINY_CACHE_TARGET";
pub(super) const NAMESPACE: &str = "TINY_CACHE_NAMESPACE";
pub(super) const TOKEN: &str = "TINY_CACHE_TOKEN";
pub(super) const TOKEN_FILE: &str = "TINY_CACHE_TOKEN_FILE";
pub(super) const TLS: &str = "TINY_CACHE_TLS";
pub(super) const CA: &str = "TINY_CACHE_CA";
pub(super) const CERT: &str = "TINY_CACHE_CERT";
pub(super) const KEY: &str = "TINY_CACHE_KEY";
pub(super) const SERVER_NAME: &str = "TINY_CACHE_SERVER_NAME";

/// A setting, and the option or variable that set it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) source: &'static str,
}

impl<T> Given<T> {
    /// Whether a variable set it.
    pub(super) fn is_variable(&self) -> bool {
        self.source.starts_with("TINY_CACHE_")
    }

    /// The prefix of errors about it: the variable's name, or nothing for an option.
    pub(super) fn prefix(&self) -> String {
        if self.is_variable() { format!("{}: ", self.source) } else { String::new() }
    }
}

impl fmt::Display for Given<PathBuf> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.source, self.value.display())
    }
}

/// The text of an option or its variable.
pub(super) fn text(
    option: (&'static str, Option<&str>),
    variable: &'static str,
) -> Result<Option<Given<String>>, Error> {
    if let (source, Some(value)) = option {
        return Ok(Some(Given { value: value.to_owned(), source }));
    }
    let value = read(variable)
        .map(OsString::into_string)
        .transpose()
        .map_err(|value| refused!("{variable}: `{}` is not UTF-8", value.display()))?;
    Ok(value.map(|value| Given { value, source: variable }))
}

/// The path of an option or its variable.
pub(super) fn path(
    option: (&'static str, Option<&Path>),
    variable: &'static str,
) -> Option<Given<PathBuf>> {
    match option {
        (source, Some(path)) => Some(Given { value: path.to_owned(), source }),
        (_, None) => read(variable).map(|path| Given { value: path.into(), source: variable }),
    }
}

/// A switch, in the notations of the server's variables.
pub(super) fn switch(variable: &'static str) -> Result<Option<bool>, Error> {
    let Some(text) = read(variable) else { return Ok(None) };
    let lower = text.to_string_lossy().to_lowercase();
    match lower.as_str() {
        "1" | "true" | "yes" | "y" | "on" => Ok(Some(true)),
        "0" | "false" | "no" | "n" | "off" => Ok(Some(false)),
        _ => Err(refused!(
            "{variable}: `{}` is not a switch; expected true or false, 1 or 0, yes or no, on or off",
            text.display()
        )),
    }
}

fn read(variable: &str) -> Option<OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}

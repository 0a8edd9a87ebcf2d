//! A setting that is not allowed.

use thiserror::Error;

/// A setting that stops the start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{variable}: {value:?} is not allowed: {allowed}")]
pub struct SettingsError {
    variable: &'static str,
    value: String,
    allowed: String,
}

impl SettingsError {
    pub(crate) fn new(
        variable: &'static str,
        value: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self { variable, value: value.into(), allowed: allowed.into() }
    }
}

//! Reads one value each. An error names the variable, the value and what is allowed.

use std::{fmt::Display, num::NonZeroUsize, path::PathBuf, str::FromStr, time::Duration};

use super::error::SettingsError;

/// A variable with its text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'a> {
    pub(super) variable: &'static str,
    pub(super) value: &'a str,
}

impl Given<'_> {
    pub(super) fn refuse(self, allowed: impl Into<String>) -> SettingsError {
        SettingsError::new(self.variable, self.value, allowed)
    }
}

/// A whole number from `least` to `most`.
pub(super) fn number<T>(given: Given<'_>, least: T, most: T) -> Result<T, SettingsError>
where
    T: Copy + FromStr + PartialOrd + Display,
{
    match given.value.parse::<T>() {
        Ok(number) if (&least..=&most).contains(&&number) => Ok(number),
        _ => Err(given.refuse(format!("a whole number from {least} to {most}"))),
    }
}

/// A whole number from `least` to `most`, or the one that `auto` stands for.
pub(super) fn number_or_auto<T>(
    given: Given<'_>,
    auto: T,
    least: T,
    most: T,
) -> Result<T, SettingsError>
where
    T: Copy + FromStr + PartialOrd + Display,
{
    if given.value == "auto" {
        return Ok(auto);
    }
    number(given, least, most)
        .map_err(|_| given.refuse(format!("a whole number from {least} to {most}, or auto")))
}

/// A number of bytes from `least` to `most`; `memory` is the memory limit that it follows.
pub(super) fn bytes(
    given: Given<'_>,
    least: u64,
    most: u64,
    memory: u64,
) -> Result<u64, SettingsError> {
    number(given, least, most).map_err(|_| {
        let why = if most == memory {
            "the memory limit (CACHE_MAX_MEMORY_MB)"
        } else {
            "what a gRPC message can carry"
        };
        given.refuse(format!("bytes from {least} to {most}, {why}, or auto"))
    })
}

/// A TCP port. Names what happened when Kubernetes put a URL there.
pub(super) fn port(given: Given<'_>) -> Result<u16, SettingsError> {
    if given.value.contains("://") {
        return Err(given.refuse(
            "a port from 0 to 65535; Kubernetes sets this for a Service called \"cache\": put \
             enableServiceLinks: false into the pod's spec, or set the variable there",
        ));
    }
    number(given, 0, u16::MAX).map_err(|_| given.refuse("a port from 0 to 65535"))
}

/// Seconds with or without decimals, from `least` to a week.
pub(super) fn seconds(given: Given<'_>, least: Duration) -> Result<Duration, SettingsError> {
    const MOST: Duration = Duration::from_secs(7 * 24 * 3600);
    given
        .value
        .parse::<f64>()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|span| (least..=MOST).contains(span))
        .ok_or_else(|| {
            given.refuse(format!("seconds from {} to {}", least.as_secs_f64(), MOST.as_secs()))
        })
}

/// Seconds as [`seconds`] takes them, from 0.01 on, or 0, which is never.
pub(super) fn seconds_or_never(given: Given<'_>) -> Result<Option<Duration>, SettingsError> {
    const LEAST: Duration = Duration::from_millis(10);
    let span = seconds(given, Duration::ZERO)?;
    if !span.is_zero() && span < LEAST {
        return Err(given.refuse("0 (never), or seconds from 0.01 to 604800"));
    }
    Ok(Some(span).filter(|span| !span.is_zero()))
}

/// Yes or no, in the usual spellings and any case.
pub(super) fn boolean(given: Given<'_>) -> Result<bool, SettingsError> {
    const TRUE: [&str; 5] = ["1", "true", "yes", "y", "on"];
    const FALSE: [&str; 5] = ["0", "false", "no", "n", "off"];
    let is = |text: &&str| given.value.eq_ignore_ascii_case(text);
    if TRUE.iter().any(is) {
        Ok(true)
    } else if FALSE.iter().any(is) {
        Ok(false)
    } else {
        Err(given.refuse("1/0, true/false, yes/no, y/n or on/off"))
    }
}

/// One of a few words, in any case.
pub(super) fn choice<T: Copy>(given: Given<'_>, choices: &[(&str, T)]) -> Result<T, SettingsError> {
    choices
        .iter()
        .find(|(word, _)| given.value.eq_ignore_ascii_case(word))
        .map(|&(_, choice)| choice)
        .ok_or_else(|| {
            let words: Vec<_> = choices.iter().map(|&(word, _)| word).collect();
            given.refuse(words.join(", "))
        })
}

/// A file that TLS needs. Whether it can be read is seen when it is read, at start.
pub(super) fn file(given: Given<'_>) -> Result<PathBuf, SettingsError> {
    if given.value.is_empty() {
        return Err(given.refuse("the path of a PEM file; it is required with the TLS settings"));
    }
    Ok(PathBuf::from(given.value))
}

/// A file that may be left out. Whether it can be read is seen when it is read, at start.
pub(super) fn path(given: Given<'_>) -> Option<PathBuf> {
    (!given.value.is_empty()).then(|| PathBuf::from(given.value))
}

/// For a number that was parsed with a least value of one.
pub(super) fn positive(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}

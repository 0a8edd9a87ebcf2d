//! The items of a batch that were refused while the others were done.

use serde_json::{Value, json};
use tiny_cache_client::Error as CacheError;

use crate::{
    error::Error,
    output::{self, Object},
};

/// Those that were refused, in the batch's order.
pub(super) struct Refusals<'a> {
    asked: usize,
    refused: Vec<(&'a str, &'a CacheError)>,
}

impl<'a> Refusals<'a> {
    pub(super) fn of<T>(keys: &'a [String], results: &'a [Result<T, CacheError>]) -> Self {
        let refused = keys
            .iter()
            .zip(results)
            .filter_map(|(key, result)| result.as_ref().err().map(|error| (key.as_str(), error)));
        Self { asked: results.len(), refused: refused.collect() }
    }

    /// Writes how many were done, under this name, and which were refused.
    pub(super) fn report(&self, done: &'static str) -> Result<(), Error> {
        let refused: Vec<Value> = self
            .refused
            .iter()
            .map(|(key, error)| json!({ "key": key, "error": error.to_string() }))
            .collect();
        let done = (done, (self.asked - refused.len()).into());
        output::json(&Object([done, ("refused", refused.into())]))
    }

    /// Why the first one was refused.
    pub(super) fn first(&self) -> Option<&'a CacheError> {
        self.refused.first().map(|(_, error)| *error)
    }

    /// An error about the first one.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.check_as(None)
    }

    /// An error about the first one, in these words where there are better ones than its own.
    pub(super) fn check_as(&self, words: Option<String>) -> Result<(), Error> {
        let Some((key, error)) = self.refused.first() else { return Ok(()) };
        let shown: String = key.chars().take(32).collect();
        let (refused, asked) = (self.refused.len(), self.asked);
        let error = words.unwrap_or_else(|| error.to_string());
        // A key that was found wrong here stands in its error already, quoted as here.
        let quoted = format!("`{shown}`");
        let known = shown.is_empty() || error.contains(&quoted);
        let shown = if known { "" } else { &format!(" {quoted}") };
        let what = match (refused, asked) {
            (1, 1) => format!("the key{shown} was refused"),
            (1, _) => format!("1 of {asked} keys was refused,{shown}"),
            _ => format!("{refused} of {asked} keys were refused, the first{shown}"),
        };
        let rest = if refused < asked { "; the others are done" } else { "" };
        Err(Error::Refused(format!("{}: {error}{rest}", what.trim_end_matches(','))))
    }
}

//! The items of a batch that were refused while the others were applied.

use serde_json::{Value, json};
use tiny_cache_client::Error as CacheError;

use super::{Error, refused};
use crate::output::{self, Object};

/// The refused items, in the batch's order.
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

    /// Writes the number of applied items, under this name, and the refused ones.
    pub(super) fn report(&self, done: &'static str) -> Result<(), Error> {
        let refused: Vec<Value> = self
            .refused
            .iter()
            .map(|(key, error)| json!({ "key": key, "error": error.to_string() }))
            .collect();
        let done = (done, (self.asked - refused.len()).into());
        output::json(&Object(vec![done, ("refused", refused.into())]))
    }

    /// The error of the first refused item.
    pub(super) fn first(&self) -> Option<&'a CacheError> {
        self.refused.first().map(|(_, error)| *error)
    }

    /// An error about the first refused item, with `words` in place of its own if there are any.
    pub(super) fn check(&self, words: Option<String>) -> Result<(), Error> {
        let Some((key, error)) = self.refused.first() else { return Ok(()) };
        let shown: String = key.chars().take(32).collect();
        let (refused, asked) = (self.refused.len(), self.asked);
        let error = words.unwrap_or_else(|| error.to_string());
        // The error of an invalid key quotes the key already.
        let quoted = format!("`{shown}`");
        let known = shown.is_empty() || error.contains(&quoted);
        let shown = if known { "" } else { &format!(" {quoted}") };
        let what = match (refused, asked) {
            (1, 1) => format!("the key{shown} was refused"),
            (1, _) => format!("1 of {asked} keys was refused,{shown}"),
            _ => format!("{refused} of {asked} keys were refused, the first{shown}"),
        };
        let rest = if refused < asked { "; the rest succeeded" } else { "" };
        Err(refused!("{}: {error}{rest}", what.trim_end_matches(',')))
    }
}

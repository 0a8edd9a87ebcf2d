//! What the rules say of somebody, for `tiny-cache-server check-access`.

use std::{fmt::Write as _, path::Path};

use tiny_cache_proto::key::Namespace;

use super::{
    identity::Identity,
    problem::{AccessError, File},
    right::{Right, Rights},
    rules::{Rule, Rules, SHARED},
};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// The variable or the option that names the file.
    pub(crate) setting: &'static str,
    pub(crate) rules: &'a Path,
    pub(crate) identity: &'a str,
    /// Empty or `_shared`: the shared keyspace.
    pub(crate) namespace: &'a str,
}

/// What the rules say.
#[derive(Debug)]
pub(crate) struct Answer {
    rights: Rights,
    text: String,
}

impl Answer {
    /// Whether the rules give a right.
    pub(crate) fn has(&self, right: Right) -> bool {
        self.rights.has(right)
    }

    /// The rights, and below them a line for each rule that gives some.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// Reads the rules, and returns how many there are.
///
/// # Errors
/// [`AccessError`] when the file cannot be used.
pub(crate) fn validate(setting: &'static str, rules: &Path) -> Result<usize, AccessError> {
    File { setting, path: rules }.parse(Rules::parse).map(|rules| rules.all().len())
}

/// Reads the rules, and what they say of somebody.
///
/// # Errors
/// The file cannot be used, or identity or namespace are none.
pub(crate) fn answer(question: Question<'_>) -> anyhow::Result<Answer> {
    let Question { setting, rules: path, identity, namespace } = question;
    let rules = File { setting, path }.parse(Rules::parse)?;
    let identity: Identity =
        identity.parse().map_err(|why| anyhow::anyhow!("--identity: {why}"))?;
    let namespace = if namespace == SHARED { "" } else { namespace };
    let namespace = Namespace::parse(namespace)
        .map_err(|why| anyhow::anyhow!("--namespace: {namespace:?}: {why}, or {SHARED}"))?;
    let rights = rules.grants(&identity).within(namespace.as_str());
    let place = match namespace.as_str() {
        "" => "the shared keyspace".to_owned(),
        name => format!("namespace {name}"),
    };
    let mut text = format!("{identity} in {place}: {rights}\n");
    for rule in rules.of(&identity, namespace.as_str()) {
        let Rule { line, rights, .. } = rule;
        let patterns = rule.patterns();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}:{line}: {rights} in {patterns}", path.display());
    }
    Ok(Answer { rights, text })
}

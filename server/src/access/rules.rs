//! The rules file: who may do what in which namespaces. Whoever no rule names may do nothing.
//!
//! ```toml
//! [[rule]]
//! identity = "token:web"
//! namespaces = ["shop", "shop-*"]
//! rights = ["read", "write"]
//! ```

mod rule; // one of them
mod pattern; // which namespaces a rule is for
mod file; // the file as it is written

use std::{collections::HashMap, sync::Arc};

use super::{
    identity::Identity,
    problem::Problem,
    right::{Right, Rights},
};
use pattern::Pattern;
pub(super) use {pattern::SHARED, rule::Rule};

/// What everybody may do.
#[derive(Debug, Default)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    by_identity: HashMap<String, Arc<Grants>, ahash::RandomState>,
}

/// What one identity may do.
#[derive(Debug, Default)]
pub(super) struct Grants {
    exact: HashMap<String, Rights, ahash::RandomState>,
    /// Few, as a rule: each is looked at.
    prefixes: Vec<(String, Rights)>,
}

impl Rules {
    /// Reads the text of a rules file.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let rules = file::read(text)?;
        let mut grants: HashMap<String, Grants> = HashMap::new();
        for rule in &rules {
            let grants = grants.entry(rule.identity.as_str().to_owned()).or_default();
            rule.patterns.iter().for_each(|pattern| grants.add(pattern, rule.rights));
        }
        let by_identity = grants.into_iter().map(|(name, grants)| (name, Arc::new(grants)));
        Ok(Self { by_identity: by_identity.collect(), rules })
    }

    /// What an identity may do; nothing, where no rule names it.
    pub(super) fn grants(&self, identity: &Identity) -> Arc<Grants> {
        self.by_identity.get(identity.as_str()).cloned().unwrap_or_default()
    }

    pub(super) fn names(&self, identity: &Identity) -> bool {
        self.by_identity.contains_key(identity.as_str())
    }

    /// All rules, in their order.
    pub(super) fn all(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules that give an identity rights in a namespace.
    pub(super) fn of<'a>(
        &'a self,
        identity: &'a Identity,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(move |rule| {
            rule.identity == *identity
                && rule.patterns.iter().any(|pattern| pattern.matches(namespace))
        })
    }
}

impl Grants {
    fn add(&mut self, pattern: &Pattern, rights: Rights) {
        match pattern {
            Pattern::Exact(name) => {
                let held = self.exact.entry(name.clone()).or_default();
                *held = held.and(rights);
            }
            Pattern::Prefix(prefix) => self.prefixes.push((prefix.clone(), rights)),
        }
    }

    /// The rights in a namespace; the shared keyspace is the empty name.
    pub(super) fn within(&self, namespace: &str) -> Rights {
        let exact = self.exact.get(namespace).copied().unwrap_or_default();
        let prefixes = self.prefixes.iter().filter(|(prefix, _)| namespace.starts_with(&**prefix));
        prefixes.fold(exact, |held, (_, rights)| held.and(*rights))
    }

    /// Whether a right is held everywhere.
    pub(super) fn everywhere(&self, right: Right) -> bool {
        self.prefixes.iter().any(|(prefix, rights)| prefix.is_empty() && rights.has(right))
    }
}

#[cfg(test)]
mod tests;

//! The rules file as it is written. Whatever could be a mistake is refused with its line: a rule
//! that does not mean what its author thinks lets somebody in, or keeps somebody out.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::{pattern::Pattern, rule::Rule};
use crate::access::{
    identity::Identity,
    problem::{Problem, line_of},
    right::{Right, Rights},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(default)]
    rule: Vec<Spanned<Written>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    identity: Spanned<String>,
    namespaces: Spanned<Vec<Spanned<String>>>,
    rights: Spanned<Vec<Spanned<String>>>,
}

/// Reads the rules of a file.
pub(super) fn read(text: &str) -> Result<Vec<Rule>, Problem> {
    let lines = Lines(text);
    let content: Content = toml::from_str(text).map_err(|error| lines.explain(&error))?;
    if content.rule.is_empty() {
        return Err(Problem::of_file(
            "it has no [[rule]], so everybody would be refused; write one, such as [[rule]] with \
             identity = \"token:web\", namespaces = [\"*\"] and rights = [\"read\"]",
        ));
    }
    let mut seen = HashMap::new();
    content
        .rule
        .iter()
        .map(|written| {
            let rule = lines.rule(written)?;
            for (pattern, place) in rule.patterns.iter().zip(written.get_ref().namespaces.get_ref())
            {
                let line = lines.at(place);
                let key = (rule.identity.as_str().to_owned(), pattern.to_string());
                if let Some(first) = seen.insert(key, line) {
                    return Err(Problem::at(
                        line,
                        format!(
                            "{} has namespace \"{pattern}\" on line {first} already; write all \
                             rights for it in one rule",
                            rule.identity
                        ),
                    ));
                }
            }
            Ok(rule)
        })
        .collect()
}

/// The text, for the lines of places in it.
struct Lines<'a>(&'a str);

impl Lines<'_> {
    fn at<T>(&self, place: &Spanned<T>) -> usize {
        line_of(self.0.as_bytes(), place.span().start)
    }

    /// What is wrong with the text as TOML, or with the names of its fields.
    fn explain(&self, error: &toml::de::Error) -> Problem {
        let line = error.span().map(|span| line_of(self.0.as_bytes(), span.start));
        let text = error.message().replace('\n', "; ");
        let remedy = "each rule is [[rule]] with identity, namespaces and rights";
        Problem { line, text: format!("{text}; {remedy}") }
    }

    fn rule(&self, written: &Spanned<Written>) -> Result<Rule, Problem> {
        let Written { identity, namespaces, rights } = written.get_ref();
        let name: Identity =
            identity.get_ref().parse().map_err(|why| Problem::at(self.at(identity), why))?;
        let patterns = self.each(namespaces, "namespaces", Pattern::parse)?;
        let rights_held: Rights =
            self.each(rights, "rights", str::parse::<Right>)?.into_iter().collect();
        let everywhere = Pattern::Prefix(String::new());
        if rights_held.has(Right::Administer) && patterns.iter().any(|one| *one != everywhere) {
            return Err(Problem::at(
                self.at(rights),
                "administer is a right over the whole server: give it in a rule of its own, with \
                 namespaces = [\"*\"]",
            ));
        }
        Ok(Rule { line: self.at(written), identity: name, patterns, rights: rights_held })
    }

    /// Reads each text of a list that must have some, each once.
    fn each<T: PartialEq>(
        &self,
        list: &Spanned<Vec<Spanned<String>>>,
        what: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Problem> {
        let mut all = Vec::new();
        for written in list.get_ref() {
            let one = parse(written.get_ref()).map_err(|why| Problem::at(self.at(written), why))?;
            if all.contains(&one) {
                let text = written.get_ref();
                let why = format!("{what} has {text:?} twice; leave one out");
                return Err(Problem::at(self.at(written), why));
            }
            all.push(one);
        }
        if all.is_empty() {
            let why = format!("{what} is empty, so the rule would do nothing; fill or remove it");
            return Err(Problem::at(self.at(list), why));
        }
        Ok(all)
    }
}

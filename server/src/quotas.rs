//! Reads the quotas of namespaces from their file, at the start and again when it has changed. What
//! a quota means is the store's to say.
//!
//! ```toml
//! [namespace.shop]
//! max_bytes = "64MiB"
//! max_entries = 10000
//! requests_per_second = 500
//! burst = 100
//!
//! [namespace."*"] # each namespace that has no section, the shared keyspace included
//! max_bytes = "8MiB"
//!
//! [namespace._shared] # keys without a namespace: here without limits
//! ```

use std::{
    collections::BTreeMap,
    io,
    num::{NonZeroU32, NonZeroU64},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytesize::ByteSize;
use serde::Deserialize;
use thiserror::Error;
use tiny_cache_proto::key::Namespace;
use toml::Spanned;
use tracing::info;

use crate::{
    reload::{self, Change, Reloader},
    store::{QuotaLimits, QuotaRules, RateLimit, Store},
};

/// The name of the section for all that have none.
const OTHERS: &str = "*";

/// The name of the section for keys without a namespace, as in the metrics.
const SHARED: &str = "_shared";

/// Why a file of quotas cannot be used. One line, with the remedy.
#[derive(Debug, Error)]
pub enum QuotasError {
    /// It cannot be read.
    #[error(
        "CACHE_QUOTAS_PATH: cannot read {}: {cause}; correct the path or the file's rights",
        path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// What it says is wrong.
    #[error("CACHE_QUOTAS_PATH: {}, line {line}: {problem}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// What, and the remedy.
        problem: String,
    },
    /// It names more namespaces than find a place.
    #[error(
        "CACHE_QUOTAS_PATH: {}: namespace {name:?} finds no place: 200 others have figures of \
         their own and hold entries; take sections out, or restart the server",
        path.display()
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// The namespace.
        name: String,
    },
}

/// The file, and what it says by now.
#[derive(Debug)]
pub(crate) struct QuotasFile {
    path: PathBuf,
    rules: QuotaRules,
}

/// A problem, and the bytes of the text that it is about.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    at: Range<usize>,
    text: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    namespace: Option<BTreeMap<Spanned<String>, Section>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    max_bytes: Option<Spanned<ByteSize>>,
    max_entries: Option<NonZeroU64>,
    requests_per_second: Option<NonZeroU32>,
    burst: Option<Spanned<NonZeroU32>>,
}

impl QuotasFile {
    /// Reads the quotas.
    ///
    /// # Errors
    /// [`QuotasError`] for the first problem.
    pub(crate) fn read(path: &Path) -> Result<Self, QuotasError> {
        let rules = read(path)?;
        info!(path = %path.display(), namespaces = rules.named.len(), "quotas read");
        Ok(Self { path: path.to_owned(), rules })
    }

    /// What the file says.
    pub(crate) fn rules(&self) -> &QuotaRules {
        &self.rules
    }

    /// Has the store go by the file whenever that changes. It was made with its rules.
    pub(crate) fn watch(mut self, reloader: &mut Reloader, store: Arc<Store>) {
        reloader.register("quotas", [self.path.clone()], move || {
            self.read_again(&store).map_err(|problem| problem.to_string())
        });
    }

    fn read_again(&mut self, store: &Store) -> Result<Change, QuotasError> {
        let rules = read(&self.path)?;
        if rules == self.rules {
            return Ok(Change::Same);
        }
        store
            .set_quotas(&rules)
            .map_err(|name| QuotasError::Full { path: self.path.clone(), name: name.to_owned() })?;
        self.rules = rules;
        Ok(Change::Changed)
    }
}

fn read(path: &Path) -> Result<QuotaRules, QuotasError> {
    let text = reload::read(path)
        .and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other))
        .map_err(|cause| QuotasError::Read { path: path.to_owned(), cause })?;
    parse(&text).map_err(|problem| wrong(path, &text, problem))
}

fn parse(text: &str) -> Result<QuotaRules, Problem> {
    let file: File = toml::from_str(text).map_err(|error| Problem {
        at: error.span().unwrap_or_default(),
        text: format!(
            "{}; a section is [namespace.NAME] with max_bytes, max_entries, requests_per_second \
             and burst, each at least 1 and at most once",
            error.message().trim().replace('\n', ", "),
        ),
    })?;
    // An editor, or a redirection, may have emptied the file before it writes it.
    let sections = file.namespace.ok_or_else(|| Problem {
        at: 0..0,
        text: "it has no section; write [namespace.NAME], or [namespace] for no quotas at all"
            .to_owned(),
    })?;
    let mut rules = QuotaRules::default();
    for (name, section) in sections {
        let limits = section.limits()?;
        match name.get_ref().as_str() {
            OTHERS => rules.others = limits,
            SHARED => rules.shared = Some(limits),
            text if is_namespace(text) && rules.named.len() == QuotaRules::MOST_NAMED => {
                let most = QuotaRules::MOST_NAMED;
                let text = format!(
                    "{text:?} is one section too many: {most} namespaces can have quotas of their \
                     own; leave the others to {OTHERS:?}"
                );
                return Err(Problem { at: name.span(), text });
            }
            text if is_namespace(text) => {
                rules.named.insert(name.into_inner(), limits);
            }
            text => {
                let text = format!(
                    "{text:?} is no namespace: it has 1 to 64 characters, first a letter or digit, \
                     then letters, digits, '.', '_' and '-'; {OTHERS:?} is all that have no \
                     section, and {SHARED:?} the keys without a namespace"
                );
                return Err(Problem { at: name.span(), text });
            }
        }
    }
    Ok(rules)
}

/// Whether it is the name of a namespace as it stands, not to be trimmed first.
fn is_namespace(name: &str) -> bool {
    !name.is_empty() && Namespace::parse(name).is_ok_and(|namespace| namespace.as_str() == name)
}

impl Section {
    fn limits(self) -> Result<QuotaLimits, Problem> {
        let max_bytes = match self.max_bytes {
            None => None,
            // A size beyond 64 bits saturates, and would be no quota.
            Some(bytes) => match NonZeroU64::new(bytes.get_ref().as_u64()) {
                Some(size) if size < NonZeroU64::MAX => Some(size),
                _ => {
                    let text = "max_bytes is 0 or beyond 16 EiB; it is a number from 1, or a size \
                                such as \"64MiB\"";
                    return Err(Problem { at: bytes.span(), text: text.into() });
                }
            },
        };
        let rate = match (self.requests_per_second, self.burst) {
            (None, None) => None,
            (Some(per_second), burst) => {
                let burst = burst.map_or(per_second, Spanned::into_inner);
                Some(RateLimit { per_second, burst })
            }
            (None, Some(burst)) => {
                let text = "burst has no effect without requests_per_second; set that, or leave \
                            this out";
                return Err(Problem { at: burst.span(), text: text.into() });
            }
        };
        Ok(QuotaLimits { max_bytes, max_entries: self.max_entries, rate })
    }
}

fn wrong(path: &Path, text: &str, Problem { at, text: problem }: Problem) -> QuotasError {
    let before = text.as_bytes().iter().take(at.start);
    let line = 1 + before.filter(|byte| **byte == b'\n').count();
    QuotasError::Wrong { path: path.to_owned(), line, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::btree_map, option, prelude::*};

    fn said(text: &str) -> String {
        let problem = parse(text).unwrap_err();
        wrong(Path::new("/etc/quotas.toml"), text, problem).to_string()
    }

    #[test]
    fn no_quotas_are_said_and_not_left_out() {
        assert!(said("").contains("it has no section"));
        assert!(said("# nothing yet\n").contains("it has no section"));
        assert_eq!(parse("[namespace]\n"), Ok(QuotaRules::default()));
    }

    #[test]
    fn a_section_has_the_limits_of_a_namespace() {
        let text = "
            [namespace.shop]
            max_bytes = '64MiB'
            max_entries = 10_000
            requests_per_second = 500
            burst = 100
            [namespace.'a.b-c_d']
            max_bytes = 1000
            [namespace.'*']
            requests_per_second = 7
            [namespace._shared]
        ";
        let rules = parse(text).unwrap();
        let rate = |per_second, burst| {
            let (per_second, burst) = (NonZeroU32::new(per_second), NonZeroU32::new(burst));
            Some(RateLimit { per_second: per_second.unwrap(), burst: burst.unwrap() })
        };
        let none = QuotaLimits::default();
        let shop = QuotaLimits {
            max_bytes: NonZeroU64::new(64 << 20),
            max_entries: NonZeroU64::new(10_000),
            rate: rate(500, 100),
        };
        let abcd = QuotaLimits { max_bytes: NonZeroU64::new(1000), ..none };
        assert_eq!(rules.named, BTreeMap::from([("shop".into(), shop), ("a.b-c_d".into(), abcd)]));
        assert_eq!(rules.shared, Some(none));
        assert_eq!(rules.others, QuotaLimits { rate: rate(7, 7), ..none });
    }

    #[test]
    fn what_is_wrong_is_refused_with_file_line_and_remedy() {
        for (text, line, problem) in [
            (
                "[namespace.a]\nmax_byte = 1",
                2,
                "unknown field `max_byte`, expected one of `max_bytes`",
            ),
            ("[quota.a]\nmax_bytes = 1", 1, "unknown field `quota`, expected `namespace`"),
            ("[namespace.a]\nburst = 1\n[namespace.a]", 3, "duplicate key"),
            ("[namespace.a]\n\nmax_entries = 1\nmax_entries = 2", 4, "duplicate key"),
            ("[namespace.a]\nmax_entries = 0", 2, "integer `0`, expected a nonzero u64"),
            ("[namespace.a]\nmax_entries = -1", 2, "integer `-1`, expected a nonzero u64"),
            ("[namespace.a]\nmax_entries = '9'", 2, "invalid type: string \"9\""),
            ("[namespace.a]\nmax_bytes = 0", 2, "max_bytes is 0 or beyond 16 EiB; it is"),
            ("[namespace.a]\nmax_bytes = '20EiB'", 2, "max_bytes is 0 or beyond 16 EiB; it is"),
            ("[namespace.a]\nmax_bytes = 'much'", 2, "much"),
            ("[namespace.a]\nmax_bytes = 1\nburst = 5", 3, "burst has no effect without"),
            ("[namespace.a]\nrequests_per_second = 4294967296", 2, "expected a nonzero u32"),
            ("[namespace.a\n", 1, "unclosed table"),
            ("\n[namespace._other]", 2, "\"_other\" is no namespace: it has 1 to 64"),
            ("[namespace.' a']", 1, "\" a\" is no namespace"),
            ("[namespace.'']", 1, "\"\" is no namespace"),
            ("[namespace.'a*']", 1, "\"a*\" is no namespace"),
        ] {
            let said = said(text);
            let begin = format!("CACHE_QUOTAS_PATH: /etc/quotas.toml, line {line}: ");
            assert!(said.starts_with(&begin) && said.contains(problem), "{text:?}: {said}");
            assert!(!said.contains('\n') && said.contains("; "), "{said}");
        }
    }

    #[test]
    fn a_hundred_namespaces_can_be_named() {
        let sections = |n| (0..n).map(|n| format!("[namespace.n{n}]\n")).collect::<String>();
        assert_eq!(parse(&sections(100)).unwrap().named.len(), 100);
        let said = said(&(sections(101) + "[namespace.'*']\n"));
        assert!(said.contains("is one section too many: 100 namespaces can"), "{said}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let said = read(Path::new("/nowhere/quotas.toml")).unwrap_err().to_string();
        assert!(
            said.starts_with("CACHE_QUOTAS_PATH: cannot read /nowhere/quotas.toml: "),
            "{said}"
        );
    }

    fn limits() -> impl Strategy<Value = QuotaLimits> {
        let rate = (any::<NonZeroU32>(), any::<NonZeroU32>());
        let number = || (1..u64::MAX >> 1).prop_map(|n| NonZeroU64::new(n).unwrap());
        (option::of(number()), option::of(number()), option::of(rate)).prop_map(
            |(max_bytes, max_entries, rate)| {
                let rate = rate.map(|(per_second, burst)| RateLimit { per_second, burst });
                QuotaLimits { max_bytes, max_entries, rate }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            named in btree_map("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", limits(), 0..20),
            shared in option::of(limits()),
            others in limits(),
        ) {
            let mut text = String::new();
            let all = named.iter().map(|(name, limits)| (name.as_str(), limits));
            let shared_too = shared.iter().map(|limits| (SHARED, limits));
            for (name, limits) in all.chain(shared_too).chain([(OTHERS, &others)]) {
                text.extend(["[namespace.", &format!("{name:?}"), "]\n"]);
                let mut line = |key, value: Option<u64>| {
                    text.extend(value.map(|value| format!("{key} = {value}\n")));
                };
                line("max_bytes", limits.max_bytes.map(Into::into));
                line("max_entries", limits.max_entries.map(Into::into));
                line("requests_per_second", limits.rate.map(|rate| rate.per_second.get().into()));
                line("burst", limits.rate.map(|rate| rate.burst.get().into()));
            }
            prop_assert_eq!(parse(&text), Ok(QuotaRules { named, shared, others }));
        }

        #[test]
        fn any_text_is_read_or_refused_in_one_line(text in "\\PC{0,80}|[\\[\\]a-z=0-9\"'. \n]{0,80}") {
            if let Err(problem) = parse(&text) {
                prop_assert!(!wrong(Path::new("f"), &text, problem).to_string().contains('\n'));
            }
        }
    }
}

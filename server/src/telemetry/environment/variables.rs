//! The `OTEL_` variables of an environment, and the warnings about those that are wrong.

use std::{
    collections::HashMap, ffi::OsString, fmt::Display, ops::RangeInclusive, str::FromStr,
    time::Duration,
};

pub(super) struct Variables {
    /// Trimmed. A blank variable is as good as unset.
    given: HashMap<String, String>,
    pub(super) warnings: Vec<String>,
}

impl Variables {
    pub(super) fn collect(
        vars: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Self {
        let mut given = HashMap::new();
        let mut warnings = Vec::new();
        for (name, value) in vars {
            let Ok(name) = name.into().into_string() else { continue };
            if !name.starts_with("OTEL_") {
                continue;
            }
            match value.into().into_string().as_deref().map(str::trim) {
                Ok("") => {}
                Ok(value) => drop(given.insert(name, value.to_owned())),
                Err(_) => warnings.push(format!("{name} is not UTF-8 and is ignored")),
            }
        }
        Self { given, warnings }
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.given.get(name).cloned()
    }

    /// The names of a variable of the exporter: the one for traces, and the one for every signal.
    pub(super) fn names_of_exporter(kind: &str) -> [String; 2] {
        [format!("OTEL_EXPORTER_OTLP_TRACES_{kind}"), format!("OTEL_EXPORTER_OTLP_{kind}")]
    }

    /// A variable of the exporter, with its name.
    pub(super) fn of_exporter(&self, kind: &str) -> Option<(String, String)> {
        let mut names = Self::names_of_exporter(kind).into_iter();
        names.find_map(|name| self.get(&name).map(|value| (name, value)))
    }

    /// The first of the variables that has an allowed number.
    pub(super) fn number<T>(
        &mut self,
        names: &[impl AsRef<str>],
        allowed: RangeInclusive<T>,
        default: T,
    ) -> T
    where
        T: Display + FromStr + PartialOrd,
    {
        for name in names.iter().map(AsRef::as_ref) {
            let Some(text) = self.get(name) else { continue };
            match text.parse() {
                Ok(number) if allowed.contains(&number) => return number,
                _ => {
                    let (least, most) = (allowed.start(), allowed.end());
                    let remedy =
                        format!("the default is taken; allowed: a number from {least} to {most}");
                    self.warn(name, &text, &remedy);
                }
            }
        }
        default
    }

    /// Milliseconds, up to a day.
    pub(super) fn time(&mut self, names: &[impl AsRef<str>], default: Duration) -> Duration {
        let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.number(names, 1..=86_400_000, default))
    }

    pub(super) fn flag(&mut self, name: &str) -> bool {
        let Some(text) = self.get(name) else { return false };
        let flag = text.eq_ignore_ascii_case("true");
        if !flag && !text.eq_ignore_ascii_case("false") {
            self.warn(name, &text, "it is taken as false; allowed: true, false");
        }
        flag
    }

    pub(super) fn warn(&mut self, name: &str, value: &str, remedy: &str) {
        self.warnings.push(format!("{name}: {value:?} is not supported; {remedy}"));
    }
}

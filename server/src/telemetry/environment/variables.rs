//! The `OTEL_` variables of an environment, and the warnings about those that are wrong.

use std::{collections::HashMap, ffi::OsString, fmt::Display, ops::RangeInclusive, str::FromStr};

pub(super) struct Variables {
    /// Trimmed. A blank variable is as good as unset.
    given: HashMap<String, String>,
    pub(super) warnings: Vec<String>,
}

impl Variables {
    pub(super) fn collect<N, V>(vars: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
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

    /// A variable of the exporter: the one for traces, or else the one for every signal.
    pub(super) fn of_exporter(&self, kind: &str) -> Option<(String, String)> {
        [format!("OTEL_EXPORTER_OTLP_TRACES_{kind}"), format!("OTEL_EXPORTER_OTLP_{kind}")]
            .into_iter()
            .find_map(|name| self.get(&name).map(|value| (name, value)))
    }

    /// A limit of attributes: the one for spans, or else the one for everything.
    pub(super) fn limit<T>(&mut self, kind: &str, allowed: RangeInclusive<T>) -> Option<T>
    where
        T: Clone + Display + FromStr + PartialOrd,
    {
        let of_spans = format!("OTEL_SPAN_{kind}");
        match self.number(&of_spans, allowed.clone()) {
            None => self.number(&format!("OTEL_{kind}"), allowed),
            limit => limit,
        }
    }

    pub(super) fn number<T>(&mut self, name: &str, allowed: RangeInclusive<T>) -> Option<T>
    where
        T: Clone + Display + FromStr + PartialOrd,
    {
        let text = self.get(name)?;
        let number = text.parse().ok().filter(|number| allowed.contains(number));
        if number.is_none() {
            let (least, most) = allowed.into_inner();
            let remedy = format!("the default is taken; allowed: a number from {least} to {most}");
            self.warn(name, &text, &remedy);
        }
        number
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

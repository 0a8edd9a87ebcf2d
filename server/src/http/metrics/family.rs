//! What all formats write: families of samples. Knows nothing of any format.

use std::borrow::Cow;

use crate::histogram::Snapshot;

/// A metric, with a sample for each combination of its labels.
#[derive(Debug)]
pub(super) struct Family {
    /// As the classic text has it: `_total` at the end of a counter's name included.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// Labels that tell something, with the value 1.
    Info,
}

#[derive(Debug)]
pub(super) struct Sample {
    pub(super) labels: Vec<Label>,
    pub(super) value: Value,
}

pub(super) type Label = (&'static str, Cow<'static, str>);

#[derive(Debug)]
pub(super) enum Value {
    Count(u64),
    Number(f64),
    Histogram(Box<Snapshot>),
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Value::Count(count)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Number(number)
    }
}

impl From<Snapshot> for Value {
    fn from(snapshot: Snapshot) -> Self {
        Value::Histogram(Box::new(snapshot))
    }
}

impl Family {
    pub(super) fn new(
        kind: Kind,
        name: &'static str,
        help: &'static str,
        samples: impl Into<Samples>,
    ) -> Self {
        Self { name, help, kind, samples: samples.into().0 }
    }

    /// The name without what the kind adds to it.
    pub(super) fn stem(&self) -> &'static str {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }

    /// The unit, by which the stem ends.
    pub(super) fn unit(&self) -> Option<&'static str> {
        let (_, last) = self.stem().rsplit_once('_')?;
        ["seconds", "bytes", "ratio"].into_iter().find(|unit| *unit == last)
    }
}

/// Families as a table: kind, name, samples; help.
macro_rules! families {
    ($($kind:ident $name:literal = $samples:expr; $help:literal)*) => {
        vec![$($crate::http::metrics::family::Family::new(
            $crate::http::metrics::family::Kind::$kind, $name, $help, $samples,
        )),*]
    };
}

pub(super) use families;

/// The samples of a family: one without labels, or as many as there are values of a label.
pub(super) struct Samples(Vec<Sample>);

impl<V: Into<Value>> From<V> for Samples {
    fn from(value: V) -> Self {
        Self(vec![Sample { labels: Vec::new(), value: value.into() }])
    }
}

impl Samples {
    pub(super) fn new(samples: impl IntoIterator<Item = (Vec<Label>, impl Into<Value>)>) -> Self {
        let samples = samples.into_iter();
        Self(samples.map(|(labels, value)| Sample { labels, value: value.into() }).collect())
    }

    /// One without labels, if there is a value.
    pub(super) fn if_known(value: Option<impl Into<Value>>) -> Self {
        Self::new(value.map(|value| (Vec::new(), value)))
    }

    /// A sample for each value of one label.
    pub(super) fn by<L: Into<Cow<'static, str>>>(
        label: &'static str,
        samples: impl IntoIterator<Item = (L, impl Into<Value>)>,
    ) -> Self {
        Self::new(samples.into_iter().map(|(of, value)| (vec![(label, of.into())], value)))
    }

    /// A sample for each number from 0 on.
    pub(super) fn numbered(
        label: &'static str,
        values: impl IntoIterator<Item = impl Into<Value>>,
    ) -> Self {
        let numbered = values.into_iter().enumerate();
        Self::by(label, numbered.map(|(number, value)| (number.to_string(), value)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::histogram::{Exemplar, Histogram, Layout, Schema};

    static LAYOUT: LazyLock<Layout> =
        LazyLock::new(|| Layout::new(Schema::Eighths, [-160, 16], &[1e-5, 1.0], 1e9));

    /// 5 microseconds and half a second, the second with an exemplar.
    pub(in crate::http::metrics) fn histogram_with_an_exemplar() -> Samples {
        let histogram = Histogram::new(&LAYOUT);
        histogram.record(5_000, None);
        let exemplar = Exemplar { trace_id: [1; 16], span_id: [2; 8] };
        histogram.record(500_000_000, Some(exemplar));
        let mut snapshot = Snapshot::new(&LAYOUT);
        snapshot.add(&histogram);
        Samples::by("rpc", [("x", snapshot)])
    }

    #[test]
    fn a_unit_is_what_the_name_ends_in_without_its_suffix() {
        for (family, stem, unit) in [
            ((Kind::Counter, "busy_seconds_total"), "busy_seconds", Some("seconds")),
            ((Kind::Gauge, "used_ratio"), "used_ratio", Some("ratio")),
            ((Kind::Gauge, "entries"), "entries", None),
            ((Kind::Info, "build_info"), "build", None),
        ] {
            let family = Family::new(family.0, family.1, "", 1);
            assert_eq!((family.stem(), family.unit()), (stem, unit));
        }
    }
}

//! The two texts. They differ in how a family is declared, in the end mark and in exemplars,
//! which the classic text does not have.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/> and
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>. prometheus-client's own text is
//! not used: a collector has no way to give it exemplars, and it writes bounds otherwise than
//! Prometheus does (see [`Bound`]).

use std::fmt::{self, Write};

use crate::histogram::{ExemplarSample, Snapshot};

use super::family::{Family, Kind, Label, Value};

const FITS: &str = "a String takes all that is written to it";

/// The classic text, version 0.0.4.
pub(super) fn prometheus(families: &[Family]) -> String {
    let mut page = String::with_capacity(32 << 10);
    for family in families {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge | Kind::Info => "gauge",
            Kind::Histogram => "histogram",
        };
        writeln!(page, "# HELP {} {}", family.name, family.help).expect(FITS);
        writeln!(page, "# TYPE {} {kind}", family.name).expect(FITS);
        samples(&mut page, family, Dialect::Prometheus).expect(FITS);
    }
    page
}

/// OpenMetrics, version 1.0.0.
pub(super) fn openmetrics(families: &[Family]) -> String {
    let mut page = String::with_capacity(32 << 10);
    for family in families {
        let stem = family.stem();
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Info => "info",
            Kind::Histogram => "histogram",
        };
        writeln!(page, "# HELP {stem} {}", family.help).expect(FITS);
        writeln!(page, "# TYPE {stem} {kind}").expect(FITS);
        if let Some(unit) = family.unit() {
            writeln!(page, "# UNIT {stem} {unit}").expect(FITS);
        }
        samples(&mut page, family, Dialect::OpenMetrics).expect(FITS);
    }
    page.push_str("# EOF\n");
    page
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Prometheus,
    OpenMetrics,
}

fn samples(page: &mut String, family: &Family, dialect: Dialect) -> fmt::Result {
    let name = family.name;
    for sample in &family.samples {
        let labels = Labels { labels: &sample.labels, bound: None };
        match &sample.value {
            Value::Count(count) => writeln!(page, "{name}{labels} {count}")?,
            Value::Number(number) => writeln!(page, "{name}{labels} {number}")?,
            Value::Histogram(snapshot) => histogram(page, name, labels, (snapshot, dialect))?,
        }
    }
    Ok(())
}

fn histogram(
    page: &mut String,
    name: &str,
    labels: Labels<'_>,
    (snapshot, dialect): (&Snapshot, Dialect),
) -> fmt::Result {
    let mut count = 0;
    for bucket in snapshot.classic() {
        let labels = Labels { bound: Some(Bound(bucket.bound, dialect)), ..labels };
        count = bucket.cumulative;
        write!(page, "{name}_bucket{labels} {count}")?;
        if let Some(sample) = bucket.sample.filter(|_| dialect == Dialect::OpenMetrics) {
            write!(page, " # {}", Shown(sample))?;
        }
        page.push('\n');
    }
    writeln!(page, "{name}_sum{labels} {}", snapshot.sum())?;
    writeln!(page, "{name}_count{labels} {count}")
}

/// Labels in braces, a bucket's bound last; nothing where there are none.
#[derive(Clone, Copy)]
struct Labels<'a> {
    labels: &'a [Label],
    bound: Option<Bound>,
}

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut start = '{';
        for (name, value) in self.labels {
            write!(f, "{start}{name}=\"{}\"", Escaped(value))?;
            start = ',';
        }
        if let Some(bound) = self.bound {
            write!(f, "{start}le=\"{bound}\"")?;
            start = ',';
        }
        if start == ',' { f.write_char('}') } else { Ok(()) }
    }
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            c => f.write_char(c),
        })
    }
}

/// A bucket's bound. It is text to whoever selects series by it, so it is spelt as in
/// Prometheus itself, whatever format the scrape came in: with an exponent of at least two
/// digits below 1e-4 and from 1e6 on.
#[derive(Clone, Copy)]
struct Bound(f64, Dialect);

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bound, dialect) = *self;
        if bound == f64::INFINITY {
            return f.write_str("+Inf");
        }
        let scientific = format!("{bound:e}");
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        if !(-4..6).contains(&exponent) {
            let sign = if exponent < 0 { '-' } else { '+' };
            return write!(f, "{digits}e{sign}{:02}", exponent.abs());
        }
        // OpenMetrics wants to see that it is no integer.
        let point = if dialect == Dialect::OpenMetrics && bound.fract() == 0.0 { ".0" } else { "" };
        write!(f, "{bound}{point}")
    }
}

/// An exemplar as OpenMetrics has it.
struct Shown(ExemplarSample);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ExemplarSample { exemplar, value, .. } = self.0;
        let (trace, span) = (hex::encode(exemplar.trace_id), hex::encode(exemplar.span_id));
        let at = self.0.unix_time().as_secs_f64();
        write!(f, "{{trace_id=\"{trace}\",span_id=\"{span}\"}} {value} {at:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::metrics::family::{Samples, tests::histogram_with_an_exemplar};

    fn page() -> Vec<Family> {
        vec![
            Family::new(Kind::Counter, "a_hits_total", "Reads", 5),
            Family::new(
                Kind::Counter,
                "a_busy_seconds_total",
                "Work",
                Samples::numbered("worker", [0.5]),
            ),
            Family::new(Kind::Gauge, "a_size_bytes", "Size", Samples::by("of", [("x\"\\\n", 7)])),
            Family::new(
                Kind::Info,
                "a_build_info",
                "What runs",
                Samples::by("version", [("1", 1)]),
            ),
            Family::new(Kind::Histogram, "a_took_seconds", "Time", histogram_with_an_exemplar()),
        ]
    }

    #[test]
    fn the_classic_text_declares_a_counter_by_its_samples_name() {
        let expected = "\
# HELP a_hits_total Reads
# TYPE a_hits_total counter
a_hits_total 5
# HELP a_busy_seconds_total Work
# TYPE a_busy_seconds_total counter
a_busy_seconds_total{worker=\"0\"} 0.5
# HELP a_size_bytes Size
# TYPE a_size_bytes gauge
a_size_bytes{of=\"x\\\"\\\\\\n\"} 7
# HELP a_build_info What runs
# TYPE a_build_info gauge
a_build_info{version=\"1\"} 1
# HELP a_took_seconds Time
# TYPE a_took_seconds histogram
a_took_seconds_bucket{rpc=\"x\",le=\"1e-05\"} 1
a_took_seconds_bucket{rpc=\"x\",le=\"1\"} 2
a_took_seconds_bucket{rpc=\"x\",le=\"+Inf\"} 2
a_took_seconds_sum{rpc=\"x\"} 0.500005
a_took_seconds_count{rpc=\"x\"} 2
";
        assert_eq!(prometheus(&page()), expected);
    }

    #[test]
    fn openmetrics_has_units_exemplars_and_an_end() {
        let text = openmetrics(&page());
        let (head, shown) = text.split_once(" # {").unwrap();
        let expected = "\
# HELP a_hits Reads
# TYPE a_hits counter
a_hits_total 5
# HELP a_busy_seconds Work
# TYPE a_busy_seconds counter
# UNIT a_busy_seconds seconds
a_busy_seconds_total{worker=\"0\"} 0.5
# HELP a_size_bytes Size
# TYPE a_size_bytes gauge
# UNIT a_size_bytes bytes
a_size_bytes{of=\"x\\\"\\\\\\n\"} 7
# HELP a_build What runs
# TYPE a_build info
a_build_info{version=\"1\"} 1
# HELP a_took_seconds Time
# TYPE a_took_seconds histogram
# UNIT a_took_seconds seconds
a_took_seconds_bucket{rpc=\"x\",le=\"1e-05\"} 1
a_took_seconds_bucket{rpc=\"x\",le=\"1.0\"} 2";
        assert_eq!(head, expected);
        let (shown, rest) = shown.split_once('\n').unwrap();
        let ids = "trace_id=\"0101010101010101\
                   0101010101010101\",span_id=\"0202020202020202\"} 0.5 1";
        assert!(shown.starts_with(ids), "{shown}");
        assert_eq!(
            rest,
            "a_took_seconds_bucket{rpc=\"x\",le=\"+Inf\"} 2\n\
             a_took_seconds_sum{rpc=\"x\"} 0.500005\na_took_seconds_count{rpc=\"x\"} 2\n# EOF\n"
        );
    }

    #[test]
    fn a_bound_is_spelt_as_prometheus_spells_it() {
        for (bound, classic, openmetrics) in [
            (10e-6, "1e-05", "1e-05"),
            (2.5e-5, "2.5e-05", "2.5e-05"),
            (100e-6, "0.0001", "0.0001"),
            (2.5, "2.5", "2.5"),
            (16.0, "16", "16.0"),
            (262_144.0, "262144", "262144.0"),
            (1_048_576.0, "1.048576e+06", "1.048576e+06"),
            (16_777_216.0, "1.6777216e+07", "1.6777216e+07"),
            (f64::INFINITY, "+Inf", "+Inf"),
        ] {
            assert_eq!(Bound(bound, Dialect::Prometheus).to_string(), classic);
            assert_eq!(Bound(bound, Dialect::OpenMetrics).to_string(), openmetrics);
        }
    }
}

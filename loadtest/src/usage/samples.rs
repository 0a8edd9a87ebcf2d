//! Reads a single sample out of a page of metrics, in Prometheus' text format or in
//! OpenMetrics', which agree on how a sample stands in its line.
//!
//! The formats: <https://prometheus.io/docs/instrumenting/exposition_formats/> and
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>

use thiserror::Error;

/// A figure that a page does not give.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum NoSample {
    /// No line has the name.
    #[error("is not on the page")]
    Absent,
    /// Several lines have it: none can be taken for the server's.
    #[error("is on the page {0} times, expected once")]
    Several(usize),
    /// The line cannot be read, or its value is not a number from 0 on.
    #[error("is no number from 0 on: `{0}`")]
    NotAFigure(String),
}

/// The value of the one sample of a name, with labels or without.
pub(super) fn sample(page: &str, name: &str) -> Result<f64, NoSample> {
    let mut samples = page.lines().filter_map(|line| Some((line, after_name(line.trim(), name)?)));
    let (line, rest) = samples.next().ok_or(NoSample::Absent)?;
    match samples.count() {
        0 => figure(rest).ok_or_else(|| NoSample::NotAFigure(line.to_owned())),
        more => Err(NoSample::Several(1 + more)),
    }
}

/// What follows the name, if the line is a sample of that name.
fn after_name<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(name)?;
    (rest.is_empty() || rest.starts_with(|next: char| next == '{' || next.is_whitespace()))
        .then_some(rest)
}

/// The value, behind labels if there are any; what follows it is a time or an exemplar.
pub(super) fn figure(rest: &str) -> Option<f64> {
    let rest = rest.trim_start();
    let rest = if rest.starts_with('{') { after_labels(rest)? } else { rest };
    let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
    (value.is_finite() && value >= 0.0).then_some(value)
}

/// What follows the labels: their end does not count within quotes.
fn after_labels(labels: &str) -> Option<&str> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, next) in labels.char_indices() {
        match next {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return Some(&labels[at + 1..]),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CPU: &str = "process_cpu_seconds_total";

    #[test]
    fn a_sample_is_read_as_both_formats_write_it() {
        for (line, value) in [
            ("process_cpu_seconds_total 12.5", 12.5),
            ("process_cpu_seconds_total\t1.25e2 1700000000000", 125.0),
            ("process_cpu_seconds_total{} 0", 0.0),
            (r#"process_cpu_seconds_total{job="a}b\"}",x="\\"} 3 # {t="1"} 1"#, 3.0),
            ("process_cpu_seconds_total {a=\"b\"} +4", 4.0),
        ] {
            let page = format!(
                "# HELP {CPU} CPU.\n# TYPE {CPU} counter\n{CPU}_more 7\nmy_{CPU} 8\r\n{line}\r\n# EOF\n"
            );
            assert_eq!(sample(&page, CPU), Ok(value), "{line}");
        }
    }

    #[test]
    fn what_is_no_figure_is_refused() {
        for value in ["", " ", " x", " NaN", " +Inf", " -1", " 0x10", "{a=\"} 1", "{} "] {
            let line = format!("{CPU}{value}");
            assert_eq!(sample(&line, CPU), Err(NoSample::NotAFigure(line.clone())), "{line}");
        }
        assert_eq!(sample("", CPU), Err(NoSample::Absent));
        assert_eq!(sample(&format!("# {CPU} 1"), CPU), Err(NoSample::Absent));
        let twice = format!("{CPU}{{pid=\"1\"}} 1\n{CPU}{{pid=\"2\"}} 2\n");
        assert_eq!(sample(&twice, CPU), Err(NoSample::Several(2)));
    }

    proptest! {
        #[test]
        fn no_page_makes_it_panic(page in r#"(?s)(a|a\{|"|\\|\}|[ \n\t#]|[0-9.e+-]|\PC|.){0,60}"#) {
            if let Ok(value) = sample(&page, "a") {
                prop_assert!(value.is_finite() && value >= 0.0);
            }
        }

        #[test]
        fn every_figure_comes_back(value in 0.0..f64::MAX, label in r#"[^"\\\r\n]{0,8}"#) {
            let page = format!("b 1\na{{l=\"{label}\"}} {value}\n");
            prop_assert_eq!(sample(&page, "a"), Ok(value));
        }
    }
}

//! Latency by percentile, drawn as HdrHistogram's plotter does it: each nine takes the same
//! room.

use hdrhistogram::Histogram as Hdr;
use maud::{Markup, html};

use super::{
    axis::{Axis, nines},
    frame::{Frame, Key, line},
    units::{nanos, trimmed},
};
use crate::report::{Figures, Histogram};

/// Points for each halving of the requests that are left.
const POINTS: u32 = 8;

/// Columns for a pointer.
const COLUMNS: u32 = 48;

/// The chart; nothing where no request was answered.
pub(super) fn chart(figures: &Figures) -> Markup {
    let response = figures.response_histogram.as_ref().map(Histogram::decode);
    let service = figures.service_histogram.decode();
    let lines: Vec<_> = [
        ("response", "response, from the planned instant", response.as_ref()),
        ("service", "service, from the sending", Some(&service)),
    ]
    .into_iter()
    .filter_map(|(class, text, histogram)| Some((class, text, histogram?)))
    .filter(|(_, _, histogram)| !histogram.is_empty())
    .collect();
    let Some((_, _, first)) = lines.first() else { return html! {} };
    let at = |quantile| nanos(first.value_at_quantile(quantile) as f64);
    let ends = |histogram: &Hdr<u64>| [histogram.min() as f64, histogram.max() as f64];
    let frame = Frame {
        name: "percentiles",
        title: "Latency by percentile",
        about: format!(
            "Latency by percentile: half of the requests took at most {}, 99 % at most {}, all at \
             most {}",
            at(0.5),
            at(0.99),
            at(1.0)
        ),
        x: Axis::quantiles(first.len()),
        y: Axis::latency(lines.iter().flat_map(|(_, _, histogram)| ends(histogram))),
        keys: lines.iter().map(|(class, text, _)| Key::line(class, *text)).collect(),
        note: "Across: per cent of the requests, which took no longer.".to_owned(),
    };
    let columns = (0..COLUMNS).map(|index| {
        let from = f64::from(index) / f64::from(COLUMNS) * frame.x.high;
        let to = f64::from(index + 1) / f64::from(COLUMNS) * frame.x.high;
        (from, to, told(&lines, f64::midpoint(from, to)))
    });
    frame.around(&html! {
        @for (class, _, histogram) in &lines {
            path.line.(class) d=(line(points(histogram).map(|(nines, nanos)| {
                Some((frame.x(nines), frame.y(nanos)))
            }))) {}
        }
        (frame.hover(columns))
    })
}

/// The text under the pointer at a number of nines.
fn told(lines: &[(&str, &str, &Hdr<u64>)], nines: f64) -> String {
    let left = 10_f64.powf(-nines);
    let digits = nines as usize + 1;
    let texts = lines.iter().map(|(class, _, histogram)| {
        format!("{class} {}", nanos(histogram.value_at_quantile(1.0 - left) as f64))
    });
    let texts: Vec<_> = texts.collect();
    format!("{} %: {}", trimmed((1.0 - left) * 100.0, digits), texts.join(", "))
}

/// Quantiles in nines, with the nanoseconds at them. The longest ends where one request of
/// all is left.
fn points(histogram: &Hdr<u64>) -> impl Iterator<Item = (f64, f64)> {
    let end = (histogram.len() as f64).log10();
    histogram.iter_quantiles(POINTS).map(move |step| {
        let nanos = step.value_iterated_to().min(histogram.max());
        (nines(step.quantile_iterated_to()).min(end), nanos as f64)
    })
}

//! Rate, latency and hit ratio over time.

use maud::{Markup, html};

use super::{
    axis::{Axis, range},
    frame::{Frame, Key, Path, line},
    timeline::{Column, Timeline},
    units::{count, nanos, number, percent},
};
use crate::{
    engine::Rate,
    report::{Latency, Report},
};

/// A line of a chart: its class, the percentile's name, and where a summary has it.
type LatencyLine = (&'static str, &'static str, fn(&Latency) -> f64);

/// The percentiles that are drawn.
pub(super) const LINES: [LatencyLine; 4] = [
    ("max", "max", |latency| latency.max),
    ("p999", "p99.9", |latency| latency.p99_9),
    ("p99", "p99", |latency| latency.p99),
    ("p50", "p50", |latency| latency.p50),
];

/// Most columns whose lines are drawn wide.
const FINE: usize = 200;

/// Answered and failed requests in a second, and those that were asked for.
pub(super) fn rate(report: &Report, timeline: &Timeline) -> Markup {
    let rates = || timeline.columns.iter().filter_map(|column| column.rates);
    let asked = || timeline.steps.iter().filter_map(|step| step.asked);
    let tops = rates().map(|(answered, failed)| answered + failed);
    let highest = tops.chain(asked().map(Rate::per_second)).fold(0.0, f64::max);
    let (low, high) = range(rates().map(|(answered, _)| answered)).unwrap_or_default();
    let mut keys = vec![Key::area("answered", "answered")];
    if report.figures.failed > 0 {
        keys.push(Key::area("failed", "failed"));
    }
    if asked().next().is_some() {
        keys.push(Key::line("asked", "asked for"));
    }
    let frame = Frame {
        name: "rate",
        title: "Requests per second",
        about: format!(
            "Requests per second over time: from {} to {} answered; {} of {} failed",
            number(low),
            number(high),
            count(report.figures.failed),
            count(report.figures.requests)
        ),
        x: Axis::seconds(timeline.seconds as f64),
        y: Axis::linear(0.0, highest, number),
        keys,
        note: String::new(),
    };
    let mut lines = Path::default();
    for step in &timeline.steps {
        if let Some(asked) = step.asked {
            lines.begin(frame.x(step.at), frame.y(asked.per_second()));
            lines.across(frame.x(step.end));
        }
    }
    frame.around(&html! {
        path.answered d=(area(&frame, timeline, |(answered, _)| (0.0, answered))) {}
        path.failed d=(area(&frame, timeline, |(answered, failed)| (answered, answered + failed))) {}
        path.line.asked d=(lines) {}
        (frame.steps(timeline))
        (hover(&frame, timeline, |column| {
            column.rates.map(|(answered, failed)| {
                format!("{} answered, {} failed", number(answered), number(failed))
            })
        }))
    })
}

/// Blocks from one height to another, those of neighbours in one piece.
fn area(frame: &Frame, timeline: &Timeline, heights: impl Fn((f64, f64)) -> (f64, f64)) -> Path {
    let mut path = Path::default();
    let heights = |column: &Column| {
        let (from, to) = heights(column.rates?);
        (to > from).then_some((from, to))
    };
    for piece in
        timeline.columns.chunk_by(|one, other| heights(one).is_some() && heights(other).is_some())
    {
        let sides: Vec<_> = piece
            .iter()
            .filter_map(|column| Some((frame.x(column.at), frame.x(column.end), heights(column)?)))
            .collect();
        let Some((begin, _, (from, _))) = sides.first() else { continue };
        path.begin(*begin, frame.y(*from));
        for (_, end, (_, to)) in &sides {
            path.down(frame.y(*to));
            path.across(*end);
        }
        for (begin, _, (from, _)) in sides.iter().rev() {
            path.down(frame.y(*from));
            path.across(*begin);
        }
        path.close();
    }
    path
}

/// Percentiles of each second.
pub(super) fn latency(report: &Report, timeline: &Timeline) -> Markup {
    let worst = || timeline.columns.iter().filter_map(|column| column.worst);
    let all = worst().flat_map(|latency| LINES.map(|(_, _, of)| of(&latency) * 1e3));
    let (low, high) = range(worst().map(|latency| latency.p99 * 1e3)).unwrap_or_default();
    let frame = Frame {
        name: "latency",
        title: "Latency by second",
        about: format!(
            "Latency over time: the 99th percentile of a second lay between {} and {}",
            nanos(low),
            nanos(high)
        ),
        x: Axis::seconds(timeline.seconds as f64),
        y: Axis::latency(all),
        keys: LINES.map(|(class, name, _)| Key::line(class, name)).into(),
        note: kind(report).to_owned(),
    };
    // Where columns are this narrow, dashes and wide lines would run into each other.
    let is_fine = timeline.columns.len() > FINE;
    frame.around(&html! {
        (frame.steps(timeline))
        @for (class, _, of) in LINES {
            path.line.(class).fine[is_fine] d=(through(&frame, timeline, |column| {
                column.worst.as_ref().map(|latency| of(latency) * 1e3)
            })) {}
        }
        (hover(&frame, timeline, |column| {
            let latency = column.worst?;
            let texts = LINES.map(|(_, name, of)| format!("{name} {}", nanos(of(&latency) * 1e3)));
            Some(texts.join(", "))
        }))
    })
}

/// Which latency it is that the seconds have.
pub(super) fn kind(report: &Report) -> &'static str {
    if report.figures.response_us.is_some() {
        "Response time, from the planned instant to the reply."
    } else {
        "Service time, from the sending to the reply: the loop is closed."
    }
}

/// Hits among the keys read in each second; nothing where none was read.
pub(super) fn hit_ratio(timeline: &Timeline) -> Markup {
    let ratios = || timeline.columns.iter().filter_map(|column| column.hit_ratio);
    let Some((low, high)) = range(ratios()) else { return html! {} };
    // A line at the upper edge would show nothing.
    let begin = [0.98, 0.9, 0.5].into_iter().find(|begin| low > *begin).unwrap_or(0.0);
    let frame = Frame {
        name: "hit-ratio",
        title: "Hit ratio",
        about: format!("Hit ratio over time: from {} to {}", percent(low), percent(high)),
        x: Axis::seconds(timeline.seconds as f64),
        y: Axis::linear(begin, 1.0, percent),
        keys: vec![Key::line("p50", "hits among the keys read")],
        note: if begin > 0.0 {
            "The axis does not begin at zero.".to_owned()
        } else {
            String::new()
        },
    };
    frame.around(&html! {
        (frame.steps(timeline))
        path.line.p50 d=(through(&frame, timeline, |column| column.hit_ratio)) {}
        (hover(&frame, timeline, |column| column.hit_ratio.map(percent)))
    })
}

/// A line through the middle of columns, broken between steps.
fn through(frame: &Frame, timeline: &Timeline, of: impl Fn(&Column) -> Option<f64>) -> Path {
    let steps = timeline.columns.chunk_by(|one, other| one.step == other.step);
    line(steps.flat_map(|columns| {
        let points = columns.iter().map(|column| {
            of(column).map(|value| (frame.x(column.at.midpoint(column.end)), frame.y(value)))
        });
        points.chain([None]).collect::<Vec<_>>()
    }))
}

/// The text of each column under the pointer.
pub(super) fn hover(
    frame: &Frame,
    timeline: &Timeline,
    text: impl Fn(&Column) -> Option<String>,
) -> Markup {
    frame.hover(timeline.columns.iter().filter_map(|column| {
        let text = format!("{}: {}", column.when(), text(column)?);
        Some((column.at, column.end, text))
    }))
}

//! Latency at each rate: where the server's limit lies.

use maud::{Markup, html};

use super::{
    axis::Axis,
    frame::{Frame, Key, Path, Sample, line},
    trends::LINES,
    units::{nanos, number, rate},
};
use crate::report::{Ending, Step};

/// What was wrong with a step, the worst first. Flaws have shapes: colours are for percentiles.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Flaw {
    BrokenOff,
    Slipped,
    Failed,
    NotHeld,
}

impl Flaw {
    const ALL: [Self; 4] = [Self::BrokenOff, Self::Slipped, Self::Failed, Self::NotHeld];

    pub(super) fn of(step: &Step) -> Option<Self> {
        Self::ALL.into_iter().find(|flaw| match flaw {
            Self::BrokenOff => step.ending != Ending::Completed,
            Self::Slipped => step.kept_up == Some(false),
            Self::Failed => step.figures.failed > 0,
            Self::NotHeld => step.held == Some(false),
        })
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::BrokenOff => "broken off",
            Self::Slipped => "slipped",
            Self::Failed => "errors",
            Self::NotHeld => "did not hold",
        }
    }

    /// A path around a point.
    fn shape(self) -> &'static str {
        match self {
            Self::BrokenOff => "m-5,-5l10,10m0,-10l-10,10",
            Self::Slipped => "m-4.5,-4.5h9v9h-9z",
            Self::Failed => "m0,-6l6,6l-6,6l-6,-6z",
            Self::NotHeld => "m0,-5.5l5.5,10h-11z",
        }
    }
}

/// A step without a flaw.
const WELL: &str = "m-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z";

/// The curve; nothing where there are not two rates.
pub(super) fn chart(steps: &[Step]) -> Markup {
    let mut steps: Vec<_> = steps.iter().filter(|step| step.figures.latency().is_some()).collect();
    steps.sort_by(|one, other| {
        one.figures.answered_per_second.total_cmp(&other.figures.answered_per_second)
    });
    let [first, .., last] = steps.as_slice() else { return html! {} };
    let latencies = || steps.iter().filter_map(|step| step.figures.latency());
    let drawn = &LINES[1..];
    let mut keys: Vec<_> = drawn.iter().map(|(class, name, _)| Key::line(class, *name)).collect();
    for flaw in Flaw::ALL {
        if steps.iter().any(|step| Flaw::of(step) == Some(flaw)) {
            let sample = Sample::Mark(flaw.shape());
            keys.push(Key { class: "flaw", text: flaw.text().to_owned(), sample });
        }
    }
    let frame = Frame {
        name: "curve",
        title: "Latency by rate",
        about: format!(
            "Latency by rate: from {} to {} requests answered per second; see the table of steps",
            number(first.figures.answered_per_second),
            number(last.figures.answered_per_second)
        ),
        x: Axis::linear(0.0, last.figures.answered_per_second, number),
        y: Axis::latency(latencies().flat_map(|latency| {
            drawn.iter().map(move |(_, _, of)| of(&latency) * 1e3).collect::<Vec<_>>()
        })),
        keys,
        note: "Across: requests answered per second.".to_owned(),
    };
    frame.around(&html! {
        @for (class, name, of) in drawn {
            path.line.(class) d=(line(steps.iter().map(|step| {
                let latency = step.figures.latency()?;
                Some((frame.x(step.figures.answered_per_second), frame.y(of(&latency) * 1e3)))
            }))) {}
            @for step in &steps {
                @if let Some(latency) = step.figures.latency() {
                    (point(&frame, step, class, of(&latency) * 1e3, name))
                }
            }
        }
    })
}

/// One percentile of one step.
fn point(frame: &Frame, step: &Step, class: &str, value: f64, name: &str) -> Markup {
    let (flaw, answered) = (Flaw::of(step), step.figures.answered_per_second);
    let mut path = Path::default();
    path.shape(frame.x(answered), frame.y(value), flaw.map_or(WELL, Flaw::shape));
    html! {
        path.mark.(class) d=(path) {
            title {
                @if let Some(asked) = step.requests_per_second { (rate(asked)) "/s asked for, " }
                (number(answered)) "/s answered: " (name) " " (nanos(value))
                @if let Some(flaw) = flaw { ", " (flaw.text()) }
            }
        }
    }
}

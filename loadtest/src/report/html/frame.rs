//! What charts have in common: a frame with axes, a key, and columns for a pointer to rest on.

use std::fmt::Write as _;

use maud::{Markup, Render, html};

use super::{axis::Axis, timeline::Timeline};

/// The drawing's own units, of which a chart on a desk takes about as many pixels.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 68.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 32.0;

/// So near the right edge a text would not fit under its mark.
const END: f64 = 40.0;

/// Least room for the name of a step.
const STEP_NAME: f64 = 72.0;

/// A chart without its content.
pub(super) struct Frame {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What the chart shows, for screen readers.
    pub(super) about: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// Class and meaning of what is drawn.
    pub(super) keys: Vec<Key>,
    pub(super) note: String,
}

/// One line of the legend.
pub(super) struct Key {
    pub(super) class: &'static str,
    pub(super) text: String,
    pub(super) sample: Sample,
}

/// What stands beside a legend's text.
pub(super) enum Sample {
    Line,
    Area,
    Mark(&'static str),
}

impl Key {
    pub(super) fn line(class: &'static str, text: impl Into<String>) -> Self {
        Self { class, text: text.into(), sample: Sample::Line }
    }

    pub(super) fn area(class: &'static str, text: impl Into<String>) -> Self {
        Self { class, text: text.into(), sample: Sample::Area }
    }
}

impl Render for Key {
    fn render(&self) -> Markup {
        html! {
            span.key {
                svg.sample viewBox="0 0 24 12" aria-hidden="true" {
                    @match self.sample {
                        Sample::Line => path.line.(self.class) d="M1,6H23" {},
                        Sample::Area => rect.(self.class) x="4" width="16" height="12" {},
                        Sample::Mark(shape) => path.mark.(self.class) d=(format!("M12,6{shape}")) {},
                    }
                }
                (self.text)
            }
        }
    }
}

impl Frame {
    pub(super) fn x(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM)
    }

    /// Puts content into the frame, and names of columns above it.
    pub(super) fn around(&self, content: &Markup) -> Markup {
        html! {
            figure id=(self.name) {
                h3 { (self.title) }
                p.keys { @for key in &self.keys { (key) " " } }
                svg role="img" aria-label=(self.about) viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) {
                    (self.grid())
                    (content)
                }
                @if !self.note.is_empty() { figcaption { (self.note) } }
            }
        }
    }

    fn grid(&self) -> Markup {
        let mut lines = Path::default();
        for (value, _) in &self.y.marks {
            lines.begin(LEFT, self.y(*value));
            lines.across(WIDTH - RIGHT);
        }
        let mut ticks = Path::default();
        for (value, _) in &self.x.marks {
            ticks.begin(self.x(*value), HEIGHT - BOTTOM);
            ticks.down(HEIGHT - BOTTOM + 4.0);
        }
        html! {
            path.grid d=(lines) {}
            path.grid d=(ticks) {}
            g.ticks.up {
                @for (value, text) in &self.y.marks {
                    text x=(Number(LEFT - 7.0)) y=(Number(self.y(*value) + 4.0)) { (text) }
                }
            }
            g.ticks {
                @for (value, text) in &self.x.marks {
                    @let x = self.x(*value);
                    @if x > WIDTH - END {
                        text.end x=(Number(WIDTH - 2.0)) y=(Number(HEIGHT - 9.0)) { (text) }
                    } @else {
                        text x=(Number(x)) y=(Number(HEIGHT - 9.0)) { (text) }
                    }
                }
            }
        }
    }

    /// Lines between the steps of a run, and their names where there is room.
    pub(super) fn steps(&self, timeline: &Timeline) -> Markup {
        if timeline.steps.len() < 2 {
            return html! {};
        }
        let mut edges = Path::default();
        for step in timeline.steps.iter().skip(1) {
            edges.begin(self.x(step.at), TOP);
            edges.down(HEIGHT - BOTTOM);
        }
        let room = |at, end| self.x(end) - self.x(at);
        html! {
            path.edge d=(edges) {}
            g.ticks {
                @for step in timeline.steps.iter().filter(|step| room(step.at, step.end) > STEP_NAME) {
                    @if let Some(asked) = step.asked {
                        text x=(Number(self.x(step.at.midpoint(step.end)))) y=(Number(TOP - 7.0)) {
                            (super::units::rate(asked)) "/s"
                        }
                    }
                }
            }
        }
    }

    /// Columns with a text under the pointer.
    pub(super) fn hover(&self, columns: impl Iterator<Item = (f64, f64, String)>) -> Markup {
        html! {
            g.hover {
                @for (from, to, text) in columns {
                    path d=(self.block(from, to)) { title { (text) } }
                }
            }
        }
    }

    fn block(&self, from: f64, to: f64) -> Path {
        let mut path = Path::default();
        path.begin(self.x(from), TOP);
        path.across(self.x(to));
        path.down(HEIGHT - BOTTOM);
        path.across(self.x(from));
        path.close();
        path
    }
}

/// A coordinate, to a tenth.
pub(super) struct Number(pub(super) f64);

impl Render for Number {
    fn render_to(&self, out: &mut String) {
        out.push_str(&super::units::trimmed(self.0, 1));
    }
}

/// What a pen does.
#[derive(Default)]
pub(super) struct Path(String);

impl Path {
    pub(super) fn begin(&mut self, x: f64, y: f64) {
        self.pair('M', x, y);
    }

    pub(super) fn line(&mut self, x: f64, y: f64) {
        self.pair('L', x, y);
    }

    pub(super) fn across(&mut self, x: f64) {
        self.single('H', x);
    }

    pub(super) fn down(&mut self, y: f64) {
        self.single('V', y);
    }

    pub(super) fn close(&mut self) {
        self.0.push('Z');
    }

    /// A shape of its own coordinates, from a point on.
    pub(super) fn shape(&mut self, x: f64, y: f64, shape: &str) {
        self.begin(x, y);
        self.0.push_str(shape);
    }

    fn pair(&mut self, step: char, x: f64, y: f64) {
        self.single(step, x);
        self.0.push(',');
        Number(y).render_to(&mut self.0);
    }

    fn single(&mut self, step: char, at: f64) {
        let _ = write!(self.0, "{step}{}", super::units::trimmed(at, 1));
    }
}

impl Render for Path {
    fn render_to(&self, out: &mut String) {
        out.push_str(&self.0);
    }
}

/// A line through points, broken where there is none. A point alone becomes a dot.
pub(super) fn line(points: impl Iterator<Item = Option<(f64, f64)>>) -> Path {
    let mut path = Path::default();
    let mut before = None;
    for point in points {
        match (before, point) {
            (_, None) => {}
            (None, Some((x, y))) => {
                path.begin(x, y);
                path.across(x);
            }
            (Some(_), Some((x, y))) => path.line(x, y),
        }
        before = point;
    }
    path
}

//! Draws a head, a row for each figure, and a foot into a frame. A small frame shows less. The
//! backend omits colours under `NO_COLOR`.

use std::time::Duration;

use bytesize::ByteSize;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span, Text},
    widgets::{RenderDirection, Sparkline},
};

use super::{
    history::{History, State},
    meter::{Rates, Reading},
};

/// Columns of names and numbers, left of the sparklines.
const LEGEND: u16 = 28;

/// Lines of a row with a line for details.
const ROOMY: u16 = 3;

/// Steps of a unit in a sparkline, which takes whole numbers.
const SCALE: f64 = 1000.0;

/// Less important text.
const DIM: Modifier = Modifier::DIM;

/// Figures of a server that does not answer. Without colours, since some terminals do not dim.
const STALE: Style = Style::new().add_modifier(DIM);

/// The parts of the view that do not change.
pub(super) struct View {
    interval: Duration,
}

/// A row: a figure, its text, and the top of its sparkline.
struct Figure {
    name: &'static str,
    colour: Color,
    value: fn(&Reading) -> Option<f64>,
    text: fn(f64) -> String,
    detail: fn(&Reading) -> String,
    /// None: the largest visible value.
    top: fn(&Reading) -> Option<f64>,
}

const FIGURES: [Figure; 6] = [
    Figure {
        name: "hits",
        colour: Color::Green,
        value: |reading| reading.rates.map(|rates| rates.hits),
        text: per_second,
        detail: |reading| format!("{} total", reading.stats.hits),
        top: |_| None,
    },
    Figure {
        name: "misses",
        colour: Color::Yellow,
        value: |reading| reading.rates.map(|rates| rates.misses),
        text: per_second,
        detail: |reading| format!("{} total", reading.stats.misses),
        top: |_| None,
    },
    Figure {
        name: "hit ratio",
        colour: Color::Cyan,
        value: |reading| reading.rates.as_ref().and_then(Rates::hit_ratio),
        text: percent,
        detail: |reading| format!("{} total", percent(reading.stats.hit_ratio)),
        top: |_| Some(1.0),
    },
    Figure {
        name: "entries",
        colour: Color::Blue,
        value: |reading| Some(reading.stats.entries as f64),
        text: |entries| format!("{entries:.0}"),
        detail: |reading| match reading.stats.max_items {
            0 => "no limit".to_owned(),
            limit => format!("of {limit}"),
        },
        top: |_| None,
    },
    Figure {
        name: "memory",
        colour: Color::Magenta,
        value: |reading| Some(reading.stats.memory_usage_bytes as f64),
        text: |bytes| size(bytes as u64),
        detail: |reading| format!("of {}", size(reading.stats.max_memory_bytes)),
        top: |reading| Some(reading.stats.max_memory_bytes as f64),
    },
    Figure {
        name: "evictions",
        colour: Color::Red,
        value: |reading| reading.rates.map(|rates| rates.evictions),
        text: per_second,
        detail: |reading| format!("{} total", reading.stats.evictions),
        top: |_| None,
    },
];

impl View {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval }
    }

    /// Draws everything.
    pub(super) fn draw(&self, frame: &mut Frame<'_>, history: &History) {
        let area = frame.area();
        let foot = foot(history, area.width);
        // A long error takes the lines that the figures do not need.
        let free = area.height.saturating_sub(1 + FIGURES.len() as u16).max(1);
        let foot_height = u16::try_from(foot.height()).unwrap_or(free).clamp(1, free);
        let [top, body, bottom] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Fill(1),
            Constraint::Length(foot_height),
        ])
        .areas(area);
        frame.render_widget(self.head(history), top);
        frame.render_widget(foot, bottom);

        let height = (body.height / FIGURES.len() as u16).max(1);
        let rows = (body.y..body.bottom()).step_by(height.into());
        for (figure, y) in FIGURES.iter().zip(rows) {
            let row = Rect { y, height: height.min(body.bottom() - y), ..body };
            draw_row(frame, row, figure, history);
        }
    }

    fn head(&self, history: &History) -> Line<'static> {
        let silence = match history.silence().as_secs() {
            0 => "no answer".to_owned(),
            seconds => {
                let time = humantime::format_duration(Duration::from_secs(seconds));
                format!("no answer for {time}")
            }
        };
        let bold = |colour| Style::new().fg(colour).add_modifier(Modifier::BOLD);
        let state = match &history.state {
            State::Connecting => Span::raw("connecting"),
            State::Live => Span::styled("live", bold(Color::Green)),
            State::Late => Span::styled(format!("waiting, {silence}"), bold(Color::Yellow)),
            State::Away(_) => Span::styled(silence, bold(Color::Red)),
        };
        let address = &history.target.address;
        let every = humantime::format_duration(self.interval);
        let title = Span::styled("tiny-cache ", Modifier::BOLD);
        // The state first: it matters most in a narrow frame.
        Line::from(vec![title, state, Span::raw(format!("  {address}, every {every}"))])
    }
}

/// The key that quits, and the reason for a missing answer.
fn foot(history: &History, width: u16) -> Text<'static> {
    let quit = "q quits";
    let (reason, colour) = match &history.state {
        State::Away(error) => (error.clone(), Color::Red),
        State::Connecting => (history.wait("connection"), Color::Reset),
        State::Late => (history.wait("reply"), Color::Yellow),
        State::Live => return Line::styled(quit, DIM).into(),
    };
    // Wraps anywhere: an address has no better place.
    let text: Vec<_> = format!("  {reason}").chars().collect();
    let room = usize::from(width).saturating_sub(quit.len()).min(text.len());
    let (beside, below) = text.split_at(room);
    let shown = |part: &[char]| Span::styled(part.iter().collect::<String>(), colour);
    let first = Line::from(vec![Span::styled(quit, DIM), shown(beside)]);
    let rest = below.chunks(usize::from(width).max(1)).map(|part| Line::from(shown(part)));
    std::iter::once(first).chain(rest).collect()
}

fn draw_row(frame: &mut Frame<'_>, row: Rect, figure: &Figure, history: &History) {
    let [left, right] =
        Layout::horizontal([Constraint::Length(LEGEND), Constraint::Fill(1)]).areas(row);
    let is_roomy = row.height >= ROOMY;
    frame.render_widget(legend(figure, history, is_roomy), left);
    // A blank line between two rows, if there is room.
    let height = if is_roomy { row.height - 1 } else { row.height };
    let top = top(figure, history, right.width);
    frame.render_widget(sparkline(figure, history, top, right.width), Rect { height, ..right });
    if is_roomy && top > 0.0 {
        let scale = Line::styled(format!("full height {}", (figure.text)(top)), DIM);
        frame.render_widget(scale, Rect { y: right.y + height, height: 1, ..right });
    }
}

/// The value of a sparkline's full height.
fn top(figure: &Figure, history: &History, width: u16) -> f64 {
    let seen = history.series(figure.value).take(width.into()).flatten().fold(0.0, f64::max);
    history.latest().and_then(figure.top).unwrap_or(seen)
}

fn legend(figure: &Figure, history: &History, is_roomy: bool) -> Text<'static> {
    let latest = history.latest();
    let value = latest.and_then(figure.value).map_or_else(|| "–".to_owned(), figure.text);
    let (name_style, style) = if history.is_stale() {
        (STALE, STALE)
    } else {
        (Style::new(), Style::new().fg(figure.colour).add_modifier(Modifier::BOLD))
    };
    let name = Span::styled(format!("{:<11}", figure.name), name_style);
    let mut lines = vec![Line::from(vec![name, Span::styled(format!("{value:>14}"), style)])];
    if is_roomy {
        let detail = latest.map(figure.detail).unwrap_or_default();
        lines.push(Line::styled(format!("{detail:>25}"), DIM));
    }
    Text::from(lines)
}

fn sparkline(figure: &Figure, history: &History, top: f64, width: u16) -> Sparkline<'static> {
    let scaled = |value: f64| (value * SCALE) as u64;
    let series = history.series(figure.value).take(width.into());
    let points: Vec<_> = series.map(|value| value.map(scaled)).collect();
    Sparkline::default()
        .data(points)
        .max(scaled(top).max(1))
        .direction(RenderDirection::RightToLeft)
        .absent_value_symbol("·")
        .absent_value_style(DIM)
        .style(if history.is_stale() { STALE } else { figure.colour.into() })
}

fn per_second(rate: f64) -> String {
    format!("{rate:.1}/s")
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

//! What is drawn of a run. Knows no terminal, only a frame of some size; what has no room is
//! left out, the least needed first. Colours are for a terminal that wants them: the backend
//! leaves them out under `NO_COLOR`.

use std::{env, time::Duration};

use crossterm::style::available_color_count;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize},
    symbols::line,
    text::{Line, Span},
    widgets::{LineGauge, Sparkline},
};

use super::{
    heat::{self, SHARE_NAMES},
    history::History,
    phase::Phase,
};
use crate::report::{Latency, PERCENTILES, Percentile, ratio, time};

/// Columns left of latencies.
const LEGEND: u16 = 12;

/// Columns of a latency.
const FIGURE: usize = 9;

/// Lines of everything but the heat strip.
const FIGURES: u16 = 8;

/// Lines from which on there are blank ones between.
const ROOMY: u16 = 20;

/// Most columns of rates beside the sparkline.
const RATES: u16 = 44;

/// What matters less than the rest.
const DIM: Modifier = Modifier::DIM;

/// The latencies of a narrow terminal.
const NARROW: [Percentile; 3] = [PERCENTILES[0], PERCENTILES[2], PERCENTILES[4]];

/// What does not change while the view lasts.
pub(super) struct View {
    /// Whether the heat strip is in colours.
    is_coloured: bool,
}

impl View {
    pub(super) fn new() -> Self {
        let is_unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { is_coloured: !is_unwanted && available_color_count() >= 256 }
    }

    /// Draws everything.
    pub(super) fn draw(&self, frame: &mut Frame<'_>, history: &History) {
        let area = frame.area();
        let blank = u16::from(area.height >= ROOMY);
        let several = u16::from(!history.servers.is_empty());
        let [head, bar, _, rates, counts, servers, _, latencies, _, strip, foot] =
            Layout::vertical([
                Constraint::Length(1),
                Constraint::Length(1),
                Constraint::Length(blank),
                Constraint::Length(1),
                Constraint::Length(1),
                Constraint::Length(several),
                Constraint::Length(blank),
                Constraint::Length(3),
                Constraint::Length(blank),
                Constraint::Fill(1),
                Constraint::Length(u16::from(area.height >= FIGURES || history.notice.is_some())),
            ])
            .areas(area);
        frame.render_widget(head_of(history), head);
        draw_bar(frame, bar, history);
        draw_rates(frame, rates, history);
        frame.render_widget(counts_of(history), counts);
        frame.render_widget(servers_of(history), servers);
        draw_latencies(frame, latencies, history);
        self.draw_heat(frame, strip, history);
        let notice = match &history.notice {
            Some(notice) => Line::styled(notice.clone(), Modifier::BOLD),
            None => Line::styled("Ctrl-C ends the run and gives the report", DIM),
        };
        frame.render_widget(notice, foot);
    }

    /// The latencies of the last seconds, the latest on the right.
    fn draw_heat(&self, frame: &mut Frame<'_>, area: Rect, history: &History) {
        // A line says what the shades are.
        let Some(rows) = heat::rows_for(usize::from(area.height.saturating_sub(1))) else {
            return;
        };
        let [legend, strip] =
            Layout::horizontal([Constraint::Length(LEGEND), Constraint::Fill(1)]).areas(area);
        for row in 0..rows {
            let name = heat::name(row, rows).unwrap_or_default();
            let line = Line::styled(format!("{name:>9} ┤"), DIM);
            frame.render_widget(line, Rect { y: legend.y + row as u16, height: 1, ..legend });
        }
        let columns = history.heat.columns(strip.width.into(), rows);
        for (column, x) in columns.zip((strip.x..strip.right()).rev()) {
            for (share, y) in column.into_iter().zip(strip.y..) {
                if let Some((symbol, colour)) = heat::cell(share, self.is_coloured) {
                    let style = colour.map_or(Style::new(), |colour| Style::new().fg(colour));
                    frame.buffer_mut()[(x, y)].set_symbol(symbol).set_style(style);
                }
            }
        }
        let below = Rect { y: area.y + rows as u16, height: 1, ..area };
        frame.render_widget(self.key(), below);
    }

    /// What the shades stand for.
    fn key(&self) -> Line<'static> {
        let start = Span::styled("of a second:", DIM);
        let steps = SHARE_NAMES.into_iter().enumerate().flat_map(|(step, name)| {
            let (symbol, colour) = heat::shade(step, self.is_coloured);
            let style = colour.map_or(Style::new(), |colour| Style::new().fg(colour));
            [Span::styled(format!(" {symbol}"), style), Span::styled(format!(" {name}"), DIM)]
        });
        std::iter::once(start).chain(steps).collect()
    }
}

fn head_of(history: &History) -> Line<'static> {
    let Some(phase) = &history.phase else { return Line::default() };
    let mut name = phase.name.clone();
    if history.elapsed() < phase.warm_up() {
        name.push_str(", warm-up");
    }
    Line::from(vec![
        "tiny-cache-loadtest ".bold(),
        name.bold(),
        format!("  {}", history.target).into(),
    ])
}

/// How far the phase is.
fn draw_bar(frame: &mut Frame<'_>, area: Rect, history: &History) {
    let Some(phase) = &history.phase else { return };
    let elapsed = history.elapsed();
    let Some(share) = phase.goal.share(elapsed, history.seen.done) else {
        let done = format!("{} so far, {} requests", whole_seconds(elapsed), history.seen.done);
        return frame.render_widget(Line::from(done), area);
    };
    let left = (share > 0.0).then(|| elapsed.mul_f64((1.0 - share) / share));
    let left = left.map_or_else(String::new, |left| format!(", {} left", whole_seconds(left)));
    let gauge = LineGauge::default()
        .ratio(share)
        .label(format!("{:>3.0} %{left}", share * 100.0))
        .filled_symbol(line::THICK.horizontal)
        .unfilled_symbol(line::NORMAL.horizontal)
        .filled_style(Color::Cyan)
        .unfilled_style(DIM);
    frame.render_widget(gauge, area);
}

fn draw_rates(frame: &mut Frame<'_>, area: Rect, history: &History) {
    let asked = history.phase.as_ref().and_then(Phase::rate);
    let mut line = Line::default();
    if let Some(rate) = asked {
        line.push_span(format!("asked {rate}/s  "));
    }
    line.push_span("answered ");
    line.push_span(format!("{}/s", history.rate_now()).bold().cyan());
    let width = u16::try_from(line.width() + 2).unwrap_or(RATES).min(RATES);
    let [left, right] =
        Layout::horizontal([Constraint::Length(width), Constraint::Fill(1)]).areas(area);
    frame.render_widget(line, left);
    // The latest on the right, as below.
    let mut rates: Vec<u64> = history.rates.iter().take(right.width.into()).copied().collect();
    rates.resize(right.width.into(), 0);
    rates.reverse();
    let asked = asked.map(|rate| rate.per_second().ceil() as u64);
    let top = asked.into_iter().chain(rates.iter().copied()).max().unwrap_or_default();
    let sparkline = Sparkline::default().data(rates).max(top.max(1)).style(Color::Cyan);
    frame.render_widget(sparkline, right);
}

fn counts_of(history: &History) -> Line<'static> {
    let seen = &history.seen;
    let failed = match history.failure {
        Some(kind) if seen.failed > 0 => {
            format!("failed {}, the last {kind}", seen.failed).bold().red()
        }
        _ => Span::raw(format!("failed {}", seen.failed)),
    };
    let ratio = ratio(seen.hits, seen.hits + seen.misses)
        .map_or_else(|| "–".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0));
    let rest =
        format!("  hit ratio {ratio}  in flight {}  waiting {}", seen.in_flight(), seen.waiting);
    Line::from(vec![failed, rest.into()])
}

/// Each of several servers: those with failures in red.
fn servers_of(history: &History) -> Line<'static> {
    let mut line = Line::default();
    for (place, (name, rate, failed)) in history.servers.iter().enumerate() {
        line.push_span(if place == 0 { "" } else { "  " });
        match failed {
            0 => line.push_span(format!("{name} {rate}/s")),
            _ => line.push_span(format!("{name} {rate}/s, failed {failed}").red()),
        }
    }
    line
}

fn draw_latencies(frame: &mut Frame<'_>, area: Rect, history: &History) {
    let is_wide = usize::from(area.width) >= usize::from(LEGEND) + FIGURE * PERCENTILES.len();
    let figures: &[Percentile] = if is_wide { &PERCENTILES } else { &NARROW };
    let is_open = history.phase.as_ref().is_some_and(Phase::is_open);
    let kind = if is_open { "response" } else { "service" };
    let names = figures.iter().map(|(name, _)| format!("{name:>FIGURE$}")).collect::<String>();
    let row = |name: &str, latency: Option<Latency>| {
        let figures = figures.iter().map(|(_, figure)| {
            let text = latency.as_ref().map_or_else(|| "–".to_owned(), |us| time(figure(us)));
            format!("{text:>FIGURE$}")
        });
        format!("{name:<0$}{1}", usize::from(LEGEND), figures.collect::<String>())
    };
    let last = history.last.as_ref().and_then(|second| Latency::of(second.times()));
    let so_far = Latency::of(history.so_far.times());
    let lines = [
        Line::styled(format!("{kind:<0$}{names}", usize::from(LEGEND)), DIM),
        Line::from(row("last second", last)),
        Line::from(row("so far", so_far)),
    ];
    for (line, y) in lines.into_iter().zip(area.y..area.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..area });
    }
}

fn whole_seconds(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs_f64().round() as u64)).to_string()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::{
        engine::{ArrivalKind, Course, Length, Pace, Second, Seen},
        watch::Goal,
    };

    /// A run with two seconds behind it, the latter a slow one.
    fn history() -> History {
        let requests = NonZeroU64::new(1000).unwrap();
        let course = Course {
            pace: Pace::Open {
                rate: 500.into(),
                arrivals: ArrivalKind::Constant,
                in_flight: 1,
                max_in_flight: 1,
            },
            warm_up: Duration::ZERO,
            length: Length::Requests(requests),
            seed: 1,
        };
        let goal = Goal::of(&course).unwrap();
        let phase = Phase { name: "run".to_owned(), goal, course: Some(course) };
        let mut history = History::new();
        history.begin("grpc://cache:7", phase, Seen::default());
        for micros in [120, 700_000] {
            let mut second = Second { requests: 100, ..Second::default() };
            second.response.record_n(micros * 1_000, 100).unwrap();
            history.second(&second);
        }
        let seen = Seen { done: 250, failed: 2, hits: 3, misses: 1, sent: 257, waiting: 4 };
        history.tick(seen, Some("UNAVAILABLE"));
        history
    }

    fn drawn(width: u16, height: u16, history: &History) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let view = View { is_coloured: false };
        terminal.draw(|frame| view.draw(frame, history)).unwrap();
        let buffer = terminal.backend().buffer();
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(row).collect()
    }

    #[test]
    fn a_terminal_of_the_usual_size_has_everything() {
        let lines = drawn(80, 24, &history());
        let text = lines.join("\n");
        for label in [
            "tiny-cache-loadtest run  grpc://cache:7",
            " 25 %",
            "asked 500/s  answered ",
            "failed 2, the last UNAVAILABLE  hit ratio 75.0 %  in flight 7  waiting 4",
            "response          p50      p90      p99    p99.9      max",
            "last second    700 ms   700 ms",
            "so far         120 µs   700 ms",
            "Ctrl-C ends the run",
            "of a second: ░ to 1 % ▒ to 5 % ▓ to 20 % █ more",
        ] {
            assert!(text.contains(label), "{label:?} is not in\n{text}");
        }
        // The slow second is the last one, and its row the slowest but one of twelve.
        let strip: Vec<_> = lines.iter().filter(|line| line.contains('┤')).collect();
        assert_eq!(strip.len(), 12, "{text}");
        assert!(strip[2].ends_with('█') && strip[9].ends_with("█ "), "{text}");
    }

    #[test]
    fn each_of_several_servers_has_its_rate() {
        let mut history = history();
        history.servers = vec![("a".into(), 120, 0), ("b".into(), 80, 3)];
        let text = drawn(80, 24, &history).join("\n");
        assert!(text.contains("a 120/s  b 80/s, failed 3"), "{text}");
    }

    #[test]
    fn a_small_terminal_has_what_matters_most() {
        let text = drawn(40, 10, &history()).join("\n");
        for label in ["25 %", "asked 500/s", "failed 2", "p50      p99      max", "last second"] {
            assert!(text.contains(label), "{label:?} is not in\n{text}");
        }
        assert!(!text.contains("p90") && !text.contains('┤'), "{text}");
    }

    #[test]
    fn no_size_is_too_small_and_nothing_to_show_is_drawn_too() {
        for (width, height) in [(1, 1), (2, 30), (13, 11), (200, 3), (250, 80)] {
            assert_eq!(drawn(width, height, &history()).len(), usize::from(height));
            drawn(width, height, &History::new());
        }
    }

    #[test]
    fn a_notice_is_there_in_a_small_terminal_too() {
        let mut history = history();
        history.note("interrupted");
        assert!(drawn(20, 4, &history).join("\n").contains("interrupted"));
    }
}

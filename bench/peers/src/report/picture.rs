//! The picture for the README: what an operation costs each server, as bars.

use std::fmt::Write;

use crate::results::{Cost, Results};

/// The works that are drawn, as far as they were measured: name, connections, in flight, title.
const PANELS: [(&str, usize, usize, &str); 2] = [
    ("get-64", 16, 32, "Get of 64 B, 16 connections with 32 requests in flight"),
    ("get-64", 50, 1, "Get of 64 B, 50 connections with one request in flight"),
];

const WIDTH: usize = 760;
const NAMES: usize = 190;
const FIGURES: usize = 80;
const ROW: usize = 24;
const BAR: usize = 16;
const PANEL_HEAD: usize = 44;

/// The colours follow the reader's choice of light or dark.
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}\
    .note{font-size:12px;fill:#57606a}.ours{fill:#0969da}.theirs{fill:#8c959f}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9198a1}\
    .ours{fill:#4493f8}.theirs{fill:#656c76}}";

/// Draws a run. None if it measured none of the works that are drawn.
pub fn picture(results: &Results) -> Option<String> {
    let mut body = String::new();
    let mut y = 0;
    for (work, connections, in_flight, title) in PANELS {
        let is_drawn = |cost: &&Cost| {
            cost.work == work && (cost.connections, cost.in_flight) == (connections, in_flight)
        };
        let costs: Vec<_> = results.costs.iter().filter(is_drawn).collect();
        if !costs.is_empty() {
            y = panel(results, &costs, title, y, &mut body);
        }
    }
    if body.is_empty() {
        return None;
    }
    let (note, height) = (y + 20, y + 32);
    let processor = escape(&results.machine.processor);
    let text = format!(
        "microseconds of server CPU for an operation; medians of {} rounds on one core: {processor}",
        results.rounds
    );
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         aria-label=\"Server CPU for an operation\">\n<style>{STYLE}</style>\n{body}\
         <text class=\"note\" x=\"0\" y=\"{note}\">{text}</text>\n</svg>\n"
    ))
}

/// Draws one work, and returns where the next begins.
fn panel(results: &Results, costs: &[&Cost], title: &str, top: usize, body: &mut String) -> usize {
    let most = costs.iter().map(|cost| cost.cpu_us).fold(0.0, f64::max);
    let room = (WIDTH - NAMES - FIGURES) as f64;
    // Writing to a String cannot fail.
    let _ = writeln!(body, "<text class=\"title\" x=\"0\" y=\"{}\">{title}</text>", top + 24);
    for (row, cost) in costs.iter().enumerate() {
        let y = top + PANEL_HEAD + row * ROW;
        let width = (cost.cpu_us / most * room).max(1.0);
        let peer = results.peers.iter().find(|peer| peer.peer == cost.peer);
        let name = escape(peer.map_or(cost.peer.as_str(), |peer| &peer.title));
        let class = if name.starts_with("tiny-cache") { "ours" } else { "theirs" };
        let (text, figure) = (y + BAR - 4, NAMES as f64 + width + 6.0);
        let _ = writeln!(
            body,
            "<text x=\"0\" y=\"{text}\">{name}</text>\
             <rect class=\"{class}\" x=\"{NAMES}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" \
             rx=\"2\"/><text x=\"{figure:.1}\" y=\"{text}\">{:.2}</text>",
            cost.cpu_us
        );
    }
    top + PANEL_HEAD + costs.len() * ROW
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

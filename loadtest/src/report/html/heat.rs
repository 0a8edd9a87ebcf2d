//! Latencies over time in full: how many requests of a column took how long.

use maud::{Markup, html};

use super::{
    axis::Axis,
    frame::{Frame, Key, Path},
    timeline::{Timeline, row_begin},
    trends::{hover, kind},
    units::{count, percent, short_nanos},
};
use crate::report::Report;

/// Least share of a column's requests for each colour: from many to few, so that a single
/// slow request is still seen.
const SHADES: [(&str, f64, &str); 6] = [
    ("h1", 0.0, "< 0.01 %"),
    ("h2", 0.0001, "0.01 %"),
    ("h3", 0.001, "0.1 %"),
    ("h4", 0.01, "1 %"),
    ("h5", 0.05, "5 %"),
    ("h6", 0.2, "≥ 20 %"),
];

/// The map; nothing where no request was answered.
pub(super) fn map(report: &Report, timeline: &Timeline) -> Markup {
    let rows = || timeline.columns.iter().flat_map(|column| column.rows.keys().copied());
    let (Some(first), Some(last)) = (rows().min(), rows().max()) else { return html! {} };
    let frame = Frame {
        name: "heat",
        title: "Latency, all requests",
        about: format!(
            "Heat map of latency over time: requests took from {} to {}",
            short_nanos(row_begin(first)),
            short_nanos(row_begin(last + 1))
        ),
        x: Axis::seconds(timeline.seconds as f64),
        y: Axis::latency([row_begin(first), row_begin(last + 1)]),
        keys: SHADES.map(|(class, _, text)| Key::area(class, text)).into(),
        note: format!("Colour: share of the requests of a column. {}", kind(report)),
    };
    let shades = shades(&frame, timeline);
    frame.around(&html! {
        @for ((class, _, _), path) in SHADES.into_iter().zip(shades) {
            path.heat.(class) d=(path) {}
        }
        (frame.steps(timeline))
        (hover(&frame, timeline, |column| {
            let whole: u64 = column.rows.values().sum();
            let (row, most) = column.rows.iter().max_by_key(|(_, count)| **count)?;
            Some(format!(
                "{} requests, {} of them {} to {}",
                count(whole),
                percent(*most as f64 / whole as f64),
                short_nanos(row_begin(*row)),
                short_nanos(row_begin(row + 1))
            ))
        }))
    })
}

/// A path for each shade: a block for cells above each other of one shade.
fn shades(frame: &Frame, timeline: &Timeline) -> [Path; SHADES.len()] {
    let mut paths: [Path; SHADES.len()] = Default::default();
    for column in &timeline.columns {
        let whole: u64 = column.rows.values().sum();
        let cells: Vec<_> = column
            .rows
            .iter()
            .map(|(row, count)| (*row, shade(*count as f64 / whole as f64)))
            .collect();
        let same =
            |one: &(i32, usize), other: &(i32, usize)| one.1 == other.1 && one.0 + 1 == other.0;
        for block in cells.chunk_by(same) {
            let (Some((low, shade)), Some((high, _))) = (block.first(), block.last()) else {
                continue;
            };
            let path = &mut paths[*shade];
            path.begin(frame.x(column.at), frame.y(row_begin(*low)));
            path.across(frame.x(column.end));
            path.down(frame.y(row_begin(high + 1)));
            path.across(frame.x(column.at));
            path.close();
        }
    }
    paths
}

/// The colour of a share.
fn shade(share: f64) -> usize {
    SHADES.iter().rposition(|(_, least, _)| share >= *least).unwrap_or(0)
}

//! How the latencies of each second lie: one column a second, one row for a range of times.
//! Knows no terminal, only characters and colours.

use std::collections::VecDeque;

use hdrhistogram::Histogram;
use ratatui::style::Color;

/// Columns kept: more than a terminal has.
const KEPT: usize = 1024;

/// Powers of ten that are distinguished, from [`LOWEST`] to a million times that.
const DECADES: usize = 6;

/// Finest ranges in a power of ten.
const FINE: usize = 12;

/// Nanoseconds at the lower end of the lowest range, into which all that is faster goes too.
const LOWEST: f64 = 10_000.0;

/// What the lower end of each power of ten is called.
const NAMES: [&str; DECADES] = ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s"];

/// What parts of a second's requests have a shade of their own, up to these and above.
const SHARES: [f64; 3] = [0.01, 0.05, 0.2];

/// The same for people.
pub(super) const SHARE_NAMES: [&str; 4] = ["to 1 %", "to 5 %", "to 20 %", "more"];

/// Shades for a terminal without colours.
const SHADES: [&str; 4] = ["░", "▒", "▓", "█"];

/// Four steps of the colour map viridis (van der Walt and Smith, for matplotlib), in the
/// nearest of xterm's 256 colours. They get steadily brighter, so that colour-blind eyes see the
/// order.
const COLOURS: [Color; 4] =
    [Color::Indexed(60), Color::Indexed(30), Color::Indexed(113), Color::Indexed(226)];

/// The columns so far, the latest in front.
#[derive(Default)]
pub(super) struct Heat(VecDeque<Column>);

struct Column {
    counts: [u64; DECADES * FINE],
    all: u64,
}

/// What one cell looks like: its character and, where there are any, its colour.
pub(super) type Cell = (&'static str, Option<Color>);

impl Heat {
    /// Adds a second with these times in nanoseconds.
    pub(super) fn push(&mut self, times: &Histogram<u64>) {
        let mut counts = [0; DECADES * FINE];
        for step in times.iter_recorded() {
            counts[range(times.lowest_equivalent(step.value_iterated_to()))] +=
                step.count_at_value();
        }
        self.0.truncate(KEPT - 1);
        self.0.push_front(Column { counts, all: times.len() });
    }

    /// The columns that fit into this width, the latest first, each with the share of its
    /// requests in each of the rows, the slowest first.
    pub(super) fn columns(
        &self,
        width: usize,
        rows: usize,
    ) -> impl Iterator<Item = Vec<f64>> + use<'_> {
        let fine = DECADES * FINE / rows;
        self.0.iter().take(width).map(move |column| {
            let counts = column.counts.rchunks(fine).map(|counts| counts.iter().sum::<u64>());
            counts.map(|count| count as f64 / column.all.max(1) as f64).collect()
        })
    }
}

/// The most rows that fit into this height and divide the times evenly; none below three.
pub(super) fn rows_for(height: usize) -> Option<usize> {
    [24, 18, 12, 6, 3].into_iter().find(|rows| *rows <= height)
}

/// The name of the lower end of a row, counted from the slowest; none between names.
pub(super) fn name(row: usize, rows: usize) -> Option<&'static str> {
    let from_below = rows - 1 - row;
    let lower = from_below * DECADES;
    lower.is_multiple_of(rows).then(|| NAMES[lower / rows])
}

/// What a share looks like; none if it is zero.
pub(super) fn cell(share: f64, is_coloured: bool) -> Option<Cell> {
    (share > 0.0).then(|| shade(SHARES.partition_point(|most| *most < share), is_coloured))
}

/// What each step of [`SHARE_NAMES`] looks like.
pub(super) fn shade(step: usize, is_coloured: bool) -> Cell {
    if is_coloured { (SHADES[3], Some(COLOURS[step])) } else { (SHADES[step], None) }
}

fn range(nanos: u64) -> usize {
    let decades = (nanos as f64 / LOWEST).max(1.0).log10();
    ((decades * FINE as f64) as usize).min(DECADES * FINE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hdr::histogram;

    /// The rows in which something is, from the slowest.
    fn lit(micros: &[u64], rows: usize) -> Vec<usize> {
        let mut times = histogram();
        for micros in micros {
            times.record(micros * 1_000).unwrap();
        }
        let mut heat = Heat::default();
        heat.push(&times);
        let column = heat.columns(1, rows).next().unwrap();
        assert_eq!(column.len(), rows);
        (0..rows).filter(|row| column[*row] > 0.0).collect()
    }

    #[test]
    fn a_power_of_ten_is_a_row_of_six_and_what_is_beyond_goes_to_the_ends() {
        assert_eq!(lit(&[1, 15], 6), [5]);
        assert_eq!(lit(&[150], 6), [4]);
        assert_eq!(lit(&[1_500, 2_000_000, 1_000_000_000], 6), [0, 3]);
        assert_eq!(lit(&[15, 150], 3), [2]);
        assert_eq!(lit(&[200], 24), [18]);
    }

    #[test]
    fn rows_are_named_where_a_power_of_ten_begins() {
        let named = |rows| (0..rows).filter_map(move |row| Some((row, name(row, rows)?)));
        assert!(named(3).eq([(0, "100 ms"), (1, "1 ms"), (2, "10 µs")]));
        assert!(named(6).eq(NAMES.into_iter().rev().enumerate()));
        assert!(named(12).eq((0..6).map(|n| (2 * n + 1, NAMES[5 - n]))));
    }

    #[test]
    fn a_cell_is_brighter_the_more_requests_it_stands_for() {
        let shown = |share| cell(share, false).map(|(shade, _)| shade);
        let shades = [0.0, 0.001, 0.03, 0.1, 0.5].map(shown);
        assert_eq!(shades, [None, Some("░"), Some("▒"), Some("▓"), Some("█")]);
        assert_eq!(cell(0.5, true), Some(("█", Some(Color::Indexed(226)))));
    }

    #[test]
    fn the_latest_second_comes_first() {
        let mut heat = Heat::default();
        heat.push(&histogram());
        let mut times = histogram();
        times.record(20_000).unwrap();
        heat.push(&times);
        let columns: Vec<_> = heat.columns(80, 3).collect();
        assert_eq!(columns, [vec![0.0, 0.0, 1.0], vec![0.0; 3]]);
        assert_eq!(heat.columns(1, 3).count(), 1);
    }
}

//! The report as a page with charts: one file, without scripts and with nothing to fetch.
//!
//! Charts are SVG made here, element by element, with maud, which escapes what it is given.
//! A chart library such as plotters draws axes as well, but its SVG has colours and fonts in
//! every element; here they are classes, so that one style sheet serves light and dark
//! screens, telephones and paper, and elements have texts for a pointer and for those who
//! listen.

mod axis; // values to places, with ticks
mod curve; // latency at each rate
mod frame; // what charts have in common
mod heat; // latencies over time in full
mod lead; // what a reader wants to know first
mod percentiles; // latency by percentile
mod tables; // all the rest
mod timeline; // seconds to columns
mod trends; // rate, latency and hit ratio over time
mod units; // numbers as people read them

#[cfg(test)]
mod tests;

use maud::{DOCTYPE, PreEscaped, html};

use self::timeline::Timeline;
use super::Report;

/// Colours and sizes.
const STYLE: &str = include_str!("html/style.css");

/// Draws a report.
#[must_use]
pub(crate) fn page(report: &Report) -> String {
    let timeline = Timeline::of(report);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (lead::title(report)) ", " (report.started) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (lead::head(report))
                main {
                    (lead::figures(report))
                    section {
                        h2 { "Over time" }
                        @if timeline.columns.is_empty() {
                            p.none { "Nothing was measured for a second." }
                        } @else {
                            div.charts {
                                (trends::rate(report, &timeline))
                                (trends::latency(report, &timeline))
                                (heat::map(report, &timeline))
                                (trends::hit_ratio(&timeline))
                            }
                            p.note { (timeline.note()) }
                        }
                    }
                    section {
                        h2 { "Latency" }
                        div.charts {
                            (percentiles::chart(&report.figures))
                            (curve::chart(&report.steps))
                        }
                        (tables::latencies(&report.figures))
                    }
                    (tables::steps(report))
                    (tables::errors(&report.figures))
                    (tables::verification(&report.figures))
                    (tables::conditions(report))
                }
                footer {
                    (report.tool.name) " " (report.tool.version)
                }
            }
        }
    };
    markup.into_string()
}

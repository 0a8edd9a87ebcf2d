//! The page: its head, its charts and its tables, in order.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    curve, heat, lead, percentiles,
    tables::{self, section},
    timeline::Timeline,
    trends,
};
use crate::report::run::Report;

/// Colours and sizes.
const STYLE: &str = include_str!("style.css");

/// Draws a report.
pub(crate) fn page(report: &Report) -> String {
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
                    (section("Over time", &over_time(report)))
                    (section("Latency", &html! {
                        div.charts {
                            (percentiles::chart(&report.figures))
                            (curve::chart(&report.steps))
                        }
                        (tables::latencies(&report.figures))
                    }))
                    (tables::steps(report))
                    (tables::servers(&report.servers))
                    (tables::errors(&report.figures))
                    (tables::verification(&report.figures))
                    (tables::conditions(report))
                }
                footer { (report.tool.name) " " (report.tool.version) }
            }
        }
    };
    markup.into_string()
}

/// The charts whose axis is time.
fn over_time(report: &Report) -> Markup {
    let timeline = Timeline::of(report);
    if timeline.columns.is_empty() {
        return html! { p.none { "Nothing was measured for a second." } };
    }
    html! {
        div.charts {
            (trends::rate(report, &timeline))
            (trends::latency(report, &timeline))
            (heat::map(report, &timeline))
            (trends::hit_ratio(&timeline))
        }
        p.note { (timeline.note()) }
    }
}

//! Tables of everything else. Settings and the like are shown field by field as the JSON report
//! has them, so that a new field appears by itself.

use bytesize::ByteSize;
use maud::{Markup, html};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    curve::Flaw,
    trends::PERCENTILES,
    units::{count, nanos, number, percent, rate, seconds},
};
use crate::report::{Figures, Latency, Report, ServerStats};

/// Percentiles of all requests, and of each kind.
pub(super) fn latencies(figures: &Figures) -> Markup {
    let row = |name: &str, requests: u64, latency: &Latency| {
        let Latency { mean, p50, p90, p99, p99_9, p99_99, max } = latency;
        html! {
            tr {
                th scope="row" { (name) }
                td { (count(requests)) }
                @for micros in [mean, p50, p90, p99, p99_9, p99_99, max] {
                    td { (nanos(micros * 1e3)) }
                }
            }
        }
    };
    let all = [
        ("response", figures.response_us),
        ("service", figures.service_us),
        ("slip of the generator", figures.slip_us),
    ];
    html! {
        div.wide {
            table {
                caption { "Latencies" }
                thead {
                    tr {
                        th { }
                        th scope="col" { "requests" }
                        @for name in ["mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"] {
                            th scope="col" { (name) }
                        }
                    }
                }
                tbody {
                    @for (name, latency) in all {
                        @if let Some(latency) = &latency { (row(name, figures.requests, latency)) }
                    }
                }
                tbody {
                    @for (name, operation) in &figures.operations {
                        @let kinds = [
                            ("response", operation.response_us),
                            ("service", operation.service_us),
                        ];
                        @for (kind, latency) in kinds {
                            @if let Some(latency) = &latency {
                                (row(&format!("{name}, {kind}"), operation.requests, latency))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What became of each rate.
pub(super) fn steps(report: &Report) -> Markup {
    if report.steps.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Steps" }
            div.wide {
                table {
                    thead {
                        tr {
                            @for name in [
                                "asked/s", "answered/s", "errors", "hit ratio", "p50", "p99",
                                "p99.9", "max", "",
                            ] {
                                th scope="col" { (name) }
                            }
                        }
                    }
                    tbody {
                        @for step in &report.steps {
                            @let latency = step.figures.latency();
                            tr {
                                th scope="row" { (step.requests_per_second.map_or("-".to_owned(), rate)) }
                                td { (number(step.figures.answered_per_second)) }
                                td { (count(step.figures.failed)) }
                                td { (step.figures.hit_ratio.map_or("-".to_owned(), percent)) }
                                @for (_, _, of) in PERCENTILES.iter().rev() {
                                    td { (latency.map_or("-".to_owned(), |latency| nanos(of(&latency) * 1e3))) }
                                }
                                td.text {
                                    @match Flaw::of(step) {
                                        Some(flaw) => (flaw.text()),
                                        None if step.held == Some(true) => "held",
                                        None => "",
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Failed requests by kind; nothing where there are none.
pub(super) fn errors(figures: &Figures) -> Markup {
    if figures.errors.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Errors" }
            div.wide {
                table {
                    thead {
                        tr {
                            @for name in ["kind", "requests", "the first", "what it said"] {
                                th scope="col" { (name) }
                            }
                        }
                    }
                    tbody {
                        @for failure in &figures.errors {
                            tr {
                                th scope="row" { (failure.kind) }
                                td { (count(failure.count)) }
                                td.text {
                                    "a " (failure.first.call) " after "
                                    (format!("{:.3} s", failure.first.sent_seconds))
                                    @if let Some(line) = failure.first.trace_line {
                                        ", line " (line) " of "
                                        (failure.first.trace_file.as_deref().unwrap_or("the trace"))
                                    }
                                }
                                td.text { code { (failure.first.message) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What verification found; nothing where nobody looked.
pub(super) fn verification(figures: &Figures) -> Markup {
    let Some(found) = &figures.verification else { return html! {} };
    html! {
        section {
            h2 { "Verification" }
            p {
                (count(found.confirmed)) " reads returned what may be there; the age of "
                (count(found.unchecked)) " values could not be judged; "
                (count(found.foreign)) " values were of other runs."
            }
            @if !found.violations.is_empty() {
                div.wide {
                    table {
                        thead {
                            tr {
                                @for name in ["violation", "reads", "the first"] {
                                    th scope="col" { (name) }
                                }
                            }
                        }
                        tbody {
                            @for violation in &found.violations {
                                tr {
                                    th scope="row" { (violation.kind) }
                                    td { (count(violation.count)) }
                                    td.text { code { (violation.first) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Settings, server and machine.
pub(super) fn conditions(report: &Report) -> Markup {
    let server = &report.server;
    html! {
        section {
            h2 { "Conditions" }
            div.tables {
                (facts("Settings", &report.settings))
                (stats(server.before.as_ref(), server.after.as_ref()))
                @if let Some(usage) = &server.usage {
                    (facts("Server usage", usage))
                } @else if let Some(why) = &server.usage_unknown {
                    p.none { "The server's usage is not known: " (why) }
                }
                (facts("Generator", &report.generator))
                (facts("Machine of the generator", &report.machine))
                (facts("Tool", &report.tool))
            }
        }
    }
}

/// The server's counters around the run.
fn stats(before: Option<&ServerStats>, after: Option<&ServerStats>) -> Markup {
    let [before, after] = [before, after].map(|stats| stats.map(fields).unwrap_or_default());
    let names = if after.is_empty() { &before } else { &after };
    let side = |side: &Map<String, Value>, name: &str| {
        side.get(name).map_or("-".to_owned(), |value| shown(name, value))
    };
    html! {
        @if !names.is_empty() {
            table {
                caption { "Server stats" }
                thead { tr { th { } th scope="col" { "before" } th scope="col" { "after" } } }
                tbody {
                    @for name in names.keys() {
                        tr {
                            th scope="row" { (label(name)) }
                            td { (side(&before, name)) }
                            td { (side(&after, name)) }
                        }
                    }
                }
            }
        }
    }
}

/// A table of the fields that have a value, and one for each group of fields within.
fn facts(caption: &str, value: &impl Serialize) -> Markup {
    let fields = fields(value);
    let is_group = |value: &Value| value.is_object();
    html! {
        table.facts {
            caption { (caption) }
            tbody {
                @for (name, value) in &fields {
                    @if !value.is_null() && !is_group(value) {
                        tr { th scope="row" { (label(name)) } td.text { (shown(name, value)) } }
                    }
                }
            }
        }
        @for (name, value) in fields.iter().filter(|(_, value)| is_group(value)) {
            (facts(&format!("{caption}: {}", label(name)), value))
        }
    }
}

fn fields(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// A field's name without its unit, which stands beside the value.
fn label(name: &str) -> String {
    let name = name.strip_suffix("_seconds").unwrap_or(name).replace("_bytes", "");
    name.replace('_', " ")
}

fn shown(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) if text.is_empty() => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(_) if name.ends_with("_seconds") => {
            value.as_f64().map_or_else(|| value.to_string(), seconds)
        }
        Value::Number(of) => match (of.as_u64(), of.as_f64()) {
            (Some(bytes), _) if name.contains("_bytes") => ByteSize(bytes).to_string(),
            (Some(integer), _) => count(integer),
            (None, Some(float)) => number(float),
            (None, None) => of.to_string(),
        },
        Value::Array(values) => {
            values.iter().map(|value| shown(name, value)).collect::<Vec<_>>().join(", ")
        }
        Value::Object(_) => value.to_string(),
    }
}

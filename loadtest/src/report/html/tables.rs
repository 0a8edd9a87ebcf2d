//! Tables of everything else. Settings and the like are shown field by field as the JSON report
//! has them, so that a new field appears by itself.

use bytesize::ByteSize;
use maud::{Markup, html};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    curve::Flaw,
    trends::LINES,
    units::{count, nanos, number, percent, rate, seconds},
};
use crate::report::{Failure, Figures, Latency, Report, ServerPart, ServerStats, Step};

/// A part of the page below its heading.
pub(super) fn section(heading: &str, content: &Markup) -> Markup {
    html! { section { h2 { (heading) } (content) } }
}

/// A table that may be wider than the page, below the names of its columns.
fn table(names: &[&str], rows: &Markup) -> Markup {
    html! {
        div.wide {
            table {
                thead { tr { @for name in names { th scope="col" { (name) } } } }
                (rows)
            }
        }
    }
}

/// Percentiles of all requests, and of each kind.
pub(super) fn latencies(figures: &Figures) -> Markup {
    let row = |name: &str, requests: u64, latency: Option<Latency>| {
        let Some(latency) = latency else { return html! {} };
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
    let names = ["", "requests", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
    table(
        &names,
        &html! {
            tbody {
                (row("response", figures.requests, figures.response_us))
                (row("service", figures.requests, figures.service_us))
                (row("slip of the generator", figures.requests, figures.slip_us))
            }
            tbody {
                @for (name, operation) in &figures.operations {
                    (row(&format!("{name}, response"), operation.requests, operation.response_us))
                    (row(&format!("{name}, service"), operation.requests, operation.service_us))
                }
            }
        },
    )
}

/// What became of each rate; nothing where there was one.
pub(super) fn steps(report: &Report) -> Markup {
    if report.steps.is_empty() {
        return html! {};
    }
    let names = ["asked/s", "answered/s", "errors", "hit ratio", "p50", "p99", "p99.9", "max", ""];
    let row = |step: &Step| {
        let latency = step.figures.latency();
        html! {
            tr {
                th scope="row" { (step.requests_per_second.map_or("-".to_owned(), rate)) }
                td { (number(step.figures.answered_per_second)) }
                td { (count(step.figures.failed)) }
                td { (step.figures.hit_ratio.map_or("-".to_owned(), percent)) }
                @for (_, _, of) in LINES.iter().rev() {
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
    };
    let rows = html! { tbody { @for step in &report.steps { (row(step)) } } };
    section("Steps", &table(&names, &rows))
}

/// Failed requests by kind; nothing where there are none.
pub(super) fn errors(figures: &Figures) -> Markup {
    if figures.errors.is_empty() {
        return html! {};
    }
    let rows = html! {
        tbody {
            @for Failure { kind, count: failed, first } in &figures.errors {
                tr {
                    th scope="row" { (kind) }
                    td { (count(*failed)) }
                    td.text {
                        "a " (first.call) " after " (format!("{:.3} s", first.sent_seconds))
                        @if let Some(line) = first.trace_line {
                            ", line " (line) " of "
                            (first.trace_file.as_deref().unwrap_or("the trace"))
                        }
                    }
                    td.text { code { (first.message) } }
                }
            }
        }
    };
    section("Errors", &table(&["kind", "requests", "the first", "what it said"], &rows))
}

/// What verification found; nothing if it was off.
pub(super) fn verification(figures: &Figures) -> Markup {
    let Some(found) = &figures.verification else { return html! {} };
    let rows = html! {
        tbody {
            @for violation in &found.violations {
                tr {
                    th scope="row" { (violation.kind) }
                    td { (count(violation.count)) }
                    td.text { code { (violation.first) } }
                }
            }
        }
    };
    let content = html! {
        p {
            (count(found.confirmed)) " reads returned what may be there; the age of "
            (count(found.unchecked)) " values could not be judged; "
            (count(found.foreign)) " values were of other runs."
        }
        @if !found.violations.is_empty() {
            (table(&["violation", "reads", "the first"], &rows))
        }
    };
    section("Verification", &content)
}

/// What each of several servers got; nothing for one.
pub(super) fn servers(parts: &[ServerPart]) -> Markup {
    if parts.is_empty() {
        return html! {};
    }
    let names =
        ["", "address", "requests", "errors", "hit ratio", "p50", "p99", "max", "entries", "CPU"];
    let row = |part: &ServerPart| {
        let latency = |of: fn(&Latency) -> f64| {
            part.service_us.as_ref().map_or("-".to_owned(), |latency| nanos(of(latency) * 1e3))
        };
        let entries = part.after.as_ref().map(|stats| stats.entries.to_string());
        let cpu = part.usage.as_ref().map(|usage| seconds(usage.cpu_seconds));
        html! {
            tr {
                th scope="row" { (part.name) }
                td.text { (part.address.as_deref().unwrap_or("-")) }
                td { (count(part.requests)) }
                td { (count(part.failed)) }
                td { (part.hit_ratio.map_or("-".to_owned(), percent)) }
                td { (latency(|latency| latency.p50)) }
                td { (latency(|latency| latency.p99)) }
                td { (latency(|latency| latency.max)) }
                td { (entries.unwrap_or_else(|| "-".to_owned())) }
                td { (cpu.unwrap_or_else(|| "-".to_owned())) }
            }
        }
    };
    let rows = html! { tbody { @for part in parts { (row(part)) } } };
    section("Each server", &table(&names, &rows))
}

/// Settings, server and machine.
pub(super) fn conditions(report: &Report) -> Markup {
    let server = &report.server;
    let tables = html! {
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
    };
    section("Conditions", &tables)
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

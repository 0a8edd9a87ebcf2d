//! What a reader wants to know first: what was driven, how it ended, and the main figures.

use maud::{Markup, html};

use super::units::{self, count, nanos, number, percent};
use crate::report::{Ending, Latency, LimitedBy, Report, SearchReport};

/// What was done to what.
pub(super) fn title(report: &Report) -> String {
    let settings = &report.settings;
    match &settings.trace {
        Some(trace) => format!("{} of {} against {}", report.command, trace.file, settings.target),
        None => format!("{} against {}", report.command, settings.target),
    }
}

/// The headline and the verdict.
pub(super) fn head(report: &Report) -> Markup {
    let (class, word, text) = verdict(report);
    html! {
        header {
            h1 { (title(report)) }
            p.when {
                "Begun " time datetime=(report.started) { (report.started) } ", measured for "
                (number(report.figures.duration_seconds)) " s, " (pace(report))
            }
            p.verdict.(class) { strong { (word) } " " (text) }
        }
    }
}

/// How requests followed each other.
fn pace(report: &Report) -> String {
    let settings = &report.settings;
    let arrivals = settings.arrivals.as_deref().unwrap_or("planned");
    match (settings.speed, settings.requests_per_second, report.steps.len()) {
        (Some(speed), _, _) => format!("at {speed} times the trace's speed (open loop)"),
        (None, Some(rate), _) => {
            format!("at {} requests/s, {arrivals} (open loop)", units::rate(rate))
        }
        (None, None, 2..) => format!("at {} rates, {arrivals} (open loop)", report.steps.len()),
        (None, None, _) => format!("{} requests at a time (closed loop)", settings.in_flight),
    }
}

/// How far the figures can be trusted: class, word and sentence. What spoils them comes
/// before what they say.
fn verdict(report: &Report) -> (&'static str, &'static str, String) {
    let figures = &report.figures;
    let slipped = "The generator did not send requests when they were planned, so the figures are \
                   not those of the rate that was asked for.";
    let words = |class, word, text: &str| (class, word, text.to_owned());
    let violations = figures.verification.iter().flat_map(|found| &found.violations);
    match violations.map(|of| of.count).sum() {
        0 => {}
        found => {
            let text = format!("{} reads returned what may not be there.", count(found));
            return ("bad", "The cache is wrong.", text);
        }
    }
    match report.ending {
        Ending::TraceBroken => {
            let why = report.trace_error.as_deref().unwrap_or("the trace cannot be read on");
            return ("bad", "Broken off.", format!("The trace ended early: {why}"));
        }
        Ending::FarBehind => {
            return ("bad", "Do not trust.", format!("{slipped} It was broken off, far behind."));
        }
        Ending::TooManyInFlight => {
            return words(
                "bad",
                "Broken off.",
                "Too many requests were under way: the server does not answer at the rate that was \
                 asked for.",
            );
        }
        Ending::NoAnswer => {
            return words("bad", "Broken off.", "Not one request of the last step was answered.");
        }
        Ending::Interrupted => {
            return words("warn", "Interrupted.", "The figures cover what ran until then.");
        }
        Ending::Completed => {}
    }
    if report.kept_up == Some(false) {
        return ("bad", "Do not trust.", format!("{slipped}{}", slipped_steps(report)));
    }
    if let Some(search) = &report.search {
        return found(search);
    }
    match figures.failed {
        0 if figures.requests == 0 => words("warn", "Empty.", "Not one request was measured."),
        0 => match report.server.eviction_note() {
            Some(note) => {
                ("warn", "Too small a cache.", format!("Every request was answered, but {note}."))
            }
            None => words("good", "Clean.", "Every request was answered."),
        },
        _ if figures.service_us.is_none() => {
            words("bad", "Failed.", "Not one request was answered.")
        }
        failed => {
            let share = figures.error_ratio.map(|share| format!(" ({})", percent(share)));
            let share = share.unwrap_or_default();
            ("warn", "Errors.", format!("{} requests failed{share}.", count(failed)))
        }
    }
}

/// What a search came to.
fn found(search: &SearchReport) -> (&'static str, &'static str, String) {
    let promise = &search.slo;
    match (search.found_requests_per_second, search.limited_by) {
        (Some(rate), Some(LimitedBy::Generator)) => {
            let rate = count(rate);
            let text = format!(
                "{promise} held up to {rate} requests/s; above it the generator was the limit."
            );
            ("warn", "At least.", text)
        }
        (Some(rate), _) => {
            let rate = count(rate);
            ("good", "Found.", format!("{promise} held up to {rate} requests/s."))
        }
        (None, _) => ("bad", "Nothing found.", format!("{promise} held at no rate.")),
    }
}

/// Which of several rates the generator did not keep.
fn slipped_steps(report: &Report) -> String {
    let slipped = report.steps.iter().filter(|step| step.kept_up == Some(false));
    let rates: Vec<_> = slipped
        .filter_map(|step| step.requests_per_second)
        .map(|rate| units::rate(rate) + "/s")
        .collect();
    if rates.is_empty() { String::new() } else { format!(" It slipped at {}.", rates.join(", ")) }
}

/// The main figures.
pub(super) fn figures(report: &Report) -> Markup {
    let figures = &report.figures;
    let card = |name: &str, value: &str, more: &str| {
        html! {
            div.card {
                dt { (name) }
                dd { strong { (value) } span { (more) } }
            }
        }
    };
    let latency = |name, latency: Option<Latency>| {
        latency.map(|Latency { p50, p99, p99_9, max, .. }| {
            let [p50, p99, p99_9, max] = [p50, p99, p99_9, max].map(|micros| nanos(micros * 1e3));
            card(name, &p99, &format!("p50 {p50} · p99.9 {p99_9} · max {max}"))
        })
    };
    let errors = figures.error_ratio.map_or_else(|| "no requests".to_owned(), percent);
    let requests = format!("{} requests", count(figures.requests));
    html! {
        dl.cards {
            (card("Answered/s", &number(figures.answered_per_second), &requests))
            @if let Some(ratio) = figures.hit_ratio {
                (card("Hit ratio", &percent(ratio), &format!("{} misses", count(figures.misses))))
            }
            @if let Some(card) = latency("Response p99", figures.response_us) { (card) }
            @if let Some(card) = latency("Service p99", figures.service_us) { (card) }
            (card("Errors", &count(figures.failed), &errors))
            @if let Some(rate) = report.server.operations_per_core_second {
                (card("Requests/core-second", &number(rate), "of the server's CPU time"))
            }
            @if let Some(cores) = report.generator.cores {
                (card(
                    "Generator cores",
                    &number(cores),
                    &match report.settings.threads {
                        1 => "with 1 thread".to_owned(),
                        threads => format!("with {threads} threads"),
                    },
                ))
            }
        }
    }
}

//! What a reader wants to know first: what was driven, how it ended, and the main figures.

use maud::{Markup, html};

use super::units::{self, count, nanos, number, percent};
use crate::{
    report::{Ending, Latency, LimitedBy, Report, SearchReport},
    usage::UsageReport,
};

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
    let warnings = warnings(report);
    html! {
        header {
            h1 { (title(report)) }
            p.when {
                "Begun " time datetime=(report.started) { (report.started) } ", measured for "
                (number(report.figures.duration_seconds)) " s, " (pace(report))
            }
            p.verdict.(class) { strong { (word) } " " (text) }
            @if !warnings.is_empty() {
                ul.verdict.warn { @for warning in &warnings { li { (warning) } } }
            }
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

/// How far the figures can be trusted: the class of the line, a word, and a sentence.
type Verdict = (&'static str, &'static str, String);

const SLIPPED: &str = "The generator did not send requests when they were planned, so the figures \
                       are not those of the rate that was asked for.";

const TOO_SMALL: &str = "Too small a cache.";

const ANSWERED: &str = "Every request was answered.";

/// What spoils the figures comes before what they say.
fn verdict(report: &Report) -> Verdict {
    let violations = report.figures.verification.iter().flat_map(|found| &found.violations);
    let violations: u64 = violations.map(|of| of.count).sum();
    if violations > 0 {
        let text = format!("{} reads returned what may not be there.", count(violations));
        return ("bad", "The cache is wrong.", text);
    }
    if let Some(verdict) = broken_off(report) {
        return verdict;
    }
    if report.kept_up == Some(false) {
        return ("bad", "Do not trust.", format!("{SLIPPED}{}", slipped_steps(report)));
    }
    report.search.as_ref().map_or_else(|| completed(report), found)
}

/// What else to know before the figures are believed.
fn warnings(report: &Report) -> Vec<String> {
    let mut warnings = report.cautions();
    // Of a run in which every request was answered it is the verdict.
    let hidden = report.server.eviction_note().filter(|_| verdict(report).1 != TOO_SMALL);
    warnings.extend(hidden);
    warnings
}

/// Why the run ended early, if it did.
fn broken_off(report: &Report) -> Option<Verdict> {
    let broken_off = |text: &str| ("bad", "Broken off.", text.to_owned());
    Some(match report.ending {
        Ending::TraceBroken => {
            let why = report.trace_error.as_deref().unwrap_or("the trace cannot be read on");
            broken_off(&format!("The trace ended early: {why}"))
        }
        Ending::FarBehind => {
            ("bad", "Do not trust.", format!("{SLIPPED} It was broken off, far behind."))
        }
        Ending::TooManyInFlight => broken_off(
            "Too many requests were under way: the server does not answer at the rate that was \
             asked for.",
        ),
        Ending::NoAnswer => broken_off("Not one request of the last step was answered."),
        Ending::Interrupted => {
            ("warn", "Interrupted.", "The figures cover what ran until then.".to_owned())
        }
        Ending::Completed => return None,
    })
}

/// What a run or a replay came to that was neither broken off nor late.
fn completed(report: &Report) -> Verdict {
    let figures = &report.figures;
    let (class, word, text) = match (figures.failed, report.server.eviction_note()) {
        (0, _) if figures.requests == 0 => ("warn", "Empty.", "Not one request was measured."),
        (0, Some(note)) => {
            let text = format!("Every request was answered, but {note}.");
            return ("warn", TOO_SMALL, text);
        }
        (0, None) if report.cautions().is_empty() => ("good", "Clean.", ANSWERED),
        (0, None) => ("warn", "Clean, with warnings.", ANSWERED),
        _ if figures.service_us.is_none() => ("bad", "Failed.", "Not one request was answered."),
        (failed, _) => {
            let share = figures.error_ratio.map(|share| format!(" ({})", percent(share)));
            let share = share.unwrap_or_default();
            return ("warn", "Errors.", format!("{} requests failed{share}.", count(failed)));
        }
    };
    (class, word, text.to_owned())
}

/// What a search came to.
fn found(search: &SearchReport) -> Verdict {
    let promise = &search.slo;
    let Some(rate) = search.found_requests_per_second.map(count) else {
        return ("bad", "Nothing found.", format!("{promise} held at no rate."));
    };
    let held = format!("{promise} held up to {rate} requests/s");
    match search.limited_by {
        Some(LimitedBy::Generator) => {
            ("warn", "At least.", format!("{held}; above it the generator was the limit."))
        }
        _ => ("good", "Found.", format!("{held}.")),
    }
}

/// The server's own p99, by its metrics; none where they were not read.
fn own_p99(usage: &UsageReport) -> Option<String> {
    usage.calls_p99_at_most_seconds.map(|seconds| nanos(seconds * 1e9))
}

/// How late the generator was at most, and how late it might be.
fn allowed(report: &Report, slip: &Latency) -> String {
    let max = format!("max {}", nanos(slip.max * 1e3));
    let limit = report.settings.max_slip_seconds.map(|of| format!("limit {}", nanos(of * 1e9)));
    let texts = [Some(max), limit].into_iter().flatten();
    texts.map(|text| text.replace(' ', "\u{a0}")).collect::<Vec<_>>().join(" · ")
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
            // A line breaks between figures, not within one.
            let more = [format!("p50 {p50}"), format!("p99.9 {p99_9}"), format!("max {max}")];
            card(name, &p99, &more.map(|text| text.replace(' ', "\u{a0}")).join(" · "))
        })
    };
    let errors = figures.error_ratio.map_or_else(|| "no requests".to_owned(), percent);
    let requests = format!("{} requests", count(figures.requests));
    let threads = match report.settings.threads {
        1 => "with 1 thread".to_owned(),
        threads => format!("with {threads} threads"),
    };
    html! {
        dl.cards {
            (card("Answered/s", &number(figures.answered_per_second), &requests))
            @if let Some(ratio) = figures.hit_ratio {
                (card("Hit ratio", &percent(ratio), &format!("{} misses", count(figures.misses))))
            }
            @if let Some(card) = latency("Response p99", figures.response_us) { (card) }
            @if let Some(card) = latency("Service p99", figures.service_us) { (card) }
            @if let Some(slip) = figures.slip_us {
                (card("Slip p99", &nanos(slip.p99 * 1e3), &allowed(report, &slip)))
            }
            @if let Some(bound) = report.server.usage.as_ref().and_then(own_p99) {
                (card("Server's own p99", &bound, "or less, by its metrics"))
            }
            (card("Errors", &count(figures.failed), &errors))
            @if let Some(rate) = report.server.operations_per_core_second {
                (card("Requests/core-second", &number(rate), "of the server's CPU time"))
            }
            @if let Some(cores) = report.generator.cores {
                (card("Generator cores", &number(cores), &threads))
            }
        }
    }
}

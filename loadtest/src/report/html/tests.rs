//! Whole pages: what is on them, what is escaped, and where a small chart's lines go.

use std::collections::BTreeMap;

use proptest::prelude::*;
use roxmltree::{Document, Node, ParsingOptions};

use super::*;
use crate::{
    machine::Machine,
    report::{
        Ending, Failure, Figures, FirstFailure, Generator, Histogram, Latency, Report,
        SecondReport, Server, Settings, Step, Tool,
    },
    usage::UsageReport,
};

fn histogram(nanos: &[u64]) -> hdrhistogram::Histogram<u64> {
    let mut histogram = hdrhistogram::Histogram::new(3).unwrap();
    for nanos in nanos {
        histogram.record(*nanos).unwrap();
    }
    histogram
}

/// A second in which requests took so many nanoseconds each.
fn second(step: usize, second: u64, nanos: &[u64], failed: u64) -> SecondReport {
    let histogram = histogram(nanos);
    SecondReport {
        step,
        second,
        requests: nanos.len() as u64 + failed,
        failed,
        hits: nanos.len() as u64,
        misses: failed,
        latency_us: Latency::of(&histogram),
        histogram: Some(Histogram::of(&histogram)),
        histogram_seconds: Some(1),
    }
}

fn figures(nanos: &[u64], seconds: f64) -> Figures {
    let histogram = histogram(nanos);
    let requests = nanos.len() as u64;
    Figures {
        requests,
        warm_up_requests: 0,
        operations: BTreeMap::new(),
        hits: 0,
        misses: 0,
        hit_ratio: None,
        origin: None,
        stored: 0,
        not_stored: 0,
        failed: 0,
        error_ratio: None,
        errors: Vec::new(),
        verification: None,
        duration_seconds: seconds,
        answered_per_second: crate::report::rate(requests, seconds),
        response_us: Latency::of(&histogram),
        service_us: Latency::of(&histogram),
        slip_us: None,
        response_histogram: Some(Histogram::of(&histogram)).filter(|_| !nanos.is_empty()),
        slip_histogram: None,
        unsent: None,
        abandoned_requests: 0,
        resent_calls: 0,
        service_histogram: Histogram::of(&histogram),
    }
}

fn step(rate: u64, held: Option<bool>) -> Step {
    Step {
        requests_per_second: Some(rate.into()),
        ending: Ending::Completed,
        kept_up: Some(true),
        held,
        why_not: None,
        figures: figures(&[1_000_000; 4], 2.0),
    }
}

fn report(seconds: Vec<SecondReport>) -> Report {
    let nanos: Vec<u64> = seconds
        .iter()
        .flat_map(|second| {
            let times = second.histogram.as_ref().unwrap().decode();
            let values = times.iter_recorded();
            let values = values
                .flat_map(|value| vec![value.value_iterated_to(); value.count_at_value() as usize]);
            values.collect::<Vec<_>>()
        })
        .collect();
    Report {
        tool: Tool::this(),
        command: "run".to_owned(),
        started: "2026-02-03T04:05:06Z".to_owned(),
        settings: Settings { target: "null".to_owned(), ..Settings::default() },
        ending: Ending::Completed,
        trace_error: None,
        trace: None,
        kept_up: Some(true),
        figures: figures(&nanos, seconds.len() as f64),
        search: None,
        steps: Vec::new(),
        seconds,
        server: Server::default(),
        servers: Vec::new(),
        generator: Generator::default(),
        machine: Machine::default(),
    }
}

/// The page as XML, without the tags of its head that have no end.
fn well_formed(page: &str) -> String {
    let page = page.replace("<!DOCTYPE html>", "");
    let (head, rest) = page.split_once("<title>").unwrap();
    assert_eq!(head.matches("<meta ").count(), 3);
    format!("<html lang=\"en\"><head><title>{rest}")
}

fn parsed(xml: &str) -> Document<'_> {
    // A long run has more nodes than the parser's default allows a stranger.
    let options = ParsingOptions { nodes_limit: 1_000_000, ..ParsingOptions::default() };
    Document::parse_with_options(xml, options).unwrap()
}

fn charts(document: &Document<'_>) -> Vec<String> {
    document
        .descendants()
        .filter(|node| node.has_tag_name("figure"))
        .filter_map(|node| node.attribute("id").map(str::to_owned))
        .collect()
}

/// The drawing of a line or area in a chart.
fn path<'a>(document: &'a Document<'_>, chart: &str, class: &str) -> &'a str {
    let is_drawing =
        |node: &Node<'_, '_>| node.has_tag_name("svg") && node.attribute("role") == Some("img");
    document
        .descendants()
        .find(|node| node.attribute("id") == Some(chart))
        .and_then(|figure| figure.children().find(is_drawing))
        .and_then(|svg| svg.children().find(|node| node.attribute("class") == Some(class)))
        .and_then(|path| path.attribute("d"))
        .unwrap()
}

/// A run of which nothing is to be said.
pub(crate) fn answered() -> Report {
    report(vec![second(0, 0, &[1_000_000; 4], 0)])
}

fn stepped() -> Report {
    let mut report = report(vec![
        second(0, 0, &[1_000_000, 2_000_000], 0),
        second(0, 1, &[1_000_000, 2_000_000], 1),
        second(1, 0, &[1_000_000; 4], 0),
        second(1, 1, &[5_000_000; 4], 0),
    ]);
    report.steps = vec![step(2, Some(true)), step(4, Some(false))];
    report
}

#[test]
fn every_chart_is_there_and_says_what_it_shows() {
    let page = well_formed(&page(&stepped()));
    let document = parsed(&page);
    assert_eq!(charts(&document), ["rate", "latency", "heat", "hit-ratio", "percentiles", "curve"]);
    let drawings: Vec<_> =
        document.descendants().filter(|node| node.attribute("role") == Some("img")).collect();
    assert_eq!(drawings.len(), 6);
    for drawing in drawings {
        assert!(drawing.attribute("aria-label").is_some_and(|about| about.len() > 20));
    }
}

#[test]
fn a_page_needs_nothing_from_elsewhere() {
    let page = page(&stepped());
    for reference in ["http://", "https://", "src=", "href=", "url(", "@import", "<script"] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn lines_and_areas_go_where_the_figures_say() {
    let page = well_formed(&page(&stepped()));
    let document = parsed(&page);
    // 4 seconds on 558 units from 68 on; 0 to 4 requests on 226 units up from 248.
    assert_eq!(
        path(&document, "rate", "answered"),
        "M68,248V135H207.5V135H347V22H486.5V22H626V248H486.5V248H347V248H207.5V248H68Z"
    );
    assert_eq!(path(&document, "rate", "failed"), "M207.5,135V78.5H347V135H207.5Z");
    assert_eq!(path(&document, "rate", "line asked"), "M68,135H347M347,22H626");
    // From 1 to 10 ms, of which 5 ms lie at log 5; a line for each step.
    assert_eq!(
        path(&document, "latency", "line p50"),
        "M137.8,248H137.8L277.2,248M416.8,248H416.8L556.2,90"
    );
}

#[test]
fn what_others_said_is_text_and_not_markup() {
    let mut report = stepped();
    let evil = "<script>alert('&amp;')</script>\"";
    report.settings.target = evil.to_owned();
    report.settings.namespaces = vec![evil.to_owned()];
    report.server.usage_unknown = Some(evil.to_owned());
    report.ending = Ending::TraceBroken;
    report.trace_error = Some(evil.to_owned());
    report.figures.errors.push(Failure {
        kind: evil.to_owned(),
        count: 1,
        first: FirstFailure {
            call: evil.to_owned(),
            sent_seconds: 0.5,
            trace_line: Some(7),
            trace_file: Some(evil.to_owned()),
            message: evil.to_owned(),
        },
    });
    let page = well_formed(&page(&report));
    assert!(!page.contains("<script"), "{page}");
    let document = parsed(&page);
    let texts = document.descendants().filter(Node::is_text);
    assert_eq!(texts.filter(|node| node.text().is_some_and(|text| text.contains(evil))).count(), 9);
}

#[test]
fn a_run_of_nothing_has_a_page_without_charts() {
    let page = well_formed(&page(&report(Vec::new())));
    assert_eq!(charts(&parsed(&page)), [""; 0]);
    assert!(page.contains("Not one request was measured."));
}

#[test]
fn the_verdict_puts_what_spoils_figures_first() {
    let text = |change: fn(&mut Report)| {
        let mut report = stepped();
        change(&mut report);
        let page = page(&report);
        let rest = page.split_once("<strong>").unwrap().1;
        rest.split_once("</strong>").unwrap().0.to_owned()
    };
    assert_eq!(text(|_| {}), "Clean.");
    assert_eq!(text(busy), "Clean, with warnings.");
    assert_eq!(text(|report| report.figures.failed = 1), "Errors.");
    assert_eq!(
        text(|report| (report.figures.failed, report.kept_up) = (1, Some(false))),
        "Do not trust."
    );
    assert_eq!(text(|report| report.ending = Ending::FarBehind), "Do not trust.");
    assert_eq!(text(|report| report.ending = Ending::TooManyInFlight), "Broken off.");
    assert_eq!(text(|report| report.ending = Ending::Interrupted), "Interrupted.");
}

/// A machine with other work.
fn busy(report: &mut Report) {
    (report.machine.load_average, report.machine.online_cores) = (Some(1.5), Some(2));
}

/// A page said "Clean." of a run on a machine that was busy, and showed neither the generator's
/// slip nor what the server itself had measured.
#[test]
fn the_page_leads_with_warnings_slip_and_the_servers_own_p99() {
    let mut report = answered();
    busy(&mut report);
    report.figures.slip_us = Latency::of(&histogram(&[20_000]));
    report.settings.max_slip_seconds = Some(0.005);
    report.server.usage = Some(UsageReport {
        source: "metrics".to_owned(),
        cpu_seconds: 1.0,
        resident_bytes_before: 1,
        resident_bytes_after: 1,
        peak_resident_bytes: None,
        calls_p99_at_most_seconds: Some(0.0025),
    });
    let page = page(&report);
    let lead = page.split_once("<section>").unwrap().0;
    for shown in [
        "<li>the machine was busy before the run, with a load average of 1.50 on 2 cores",
        "<dt>Slip p99</dt><dd><strong>20.0 µs</strong>",
        "limit\u{a0}5.00\u{a0}ms",
        "<dt>Server's own p99</dt><dd><strong>2.50 ms</strong><span>or less",
    ] {
        assert!(lead.contains(shown), "{shown}: {lead}");
    }
}

#[test]
fn an_hour_keeps_its_worst_second_and_stays_small() {
    let mut seconds: Vec<_> = (0..3600).map(|at| second(0, at, &[1_000; 3], 0)).collect();
    seconds[1801] = second(0, 1801, &[1_000, 1_000, 2_000_000_000], 0);
    let page = page(&report(seconds));
    assert!(page.contains("30:00 to 30:06: max 2.00 s"), "{page}");
    assert!(page.contains("3,600 seconds were drawn in 600 columns of up to 6"));
    assert!(page.len() < 600_000, "{}", page.len());
}

/// A page drawn from the JSON showed another last digit: 0.405 µs came back a little larger.
#[test]
fn latencies_come_back_from_json_as_they_were() {
    for nanos in 1..2000 {
        let latency = Latency::of(&histogram(&[nanos])).unwrap();
        let json = serde_json::to_string(&latency).unwrap();
        assert_eq!(serde_json::from_str::<Latency>(&json).unwrap(), latency);
    }
}

#[test]
fn the_last_moment_of_a_step_has_no_rate() {
    let mut report = report(vec![second(0, 0, &[1_000_000; 4], 0), second(0, 1, &[1_000_000], 0)]);
    report.figures.duration_seconds = 1.001;
    let page = well_formed(&page(&report));
    assert_eq!(path(&parsed(&page), "rate", "answered"), "M68,248V22H347V248H68Z");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_seconds_make_a_well_formed_page(
        seconds in prop::collection::vec(
            (0..4_usize, any::<u64>(), prop::collection::vec(0..3_600_000_000_000_u64, 0..5), any::<u64>(), any::<u64>()),
            0..8,
        ),
        duration in prop::num::f64::ANY,
    ) {
        let seconds = seconds
            .into_iter()
            .map(|(step, at, nanos, requests, failed)| SecondReport {
                requests, failed, hits: failed, ..second(step, at, &nanos, 1)
            })
            .collect();
        let mut report = report(seconds);
        report.figures.duration_seconds = duration;
        report.steps = vec![step(2, None), step(u64::MAX, None)];
        parsed(&well_formed(&page(&report)));
    }
}

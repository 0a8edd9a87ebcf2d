//! Known answers, and how often intervals are right.

use std::collections::BTreeMap;

use hdrhistogram::Histogram as Hdr;
use rand::SeedableRng;
use rand_distr::{Distribution, LogNormal, Normal};
use rand_pcg::Pcg64Mcg;

use super::*;
use crate::{
    machine::Machine,
    report::{
        Ending, Figures, Generator, Histogram, Latency, OperationFigures, Report, SecondReport,
        Server, Settings, Step, Tool, rate, ratio,
    },
};

const JUDGING: Judging = Judging { confidence: 0.95, threshold: 0.05, resamples: 100, seed: 1 };

const P50: Metric = Metric::Quantile("p50", 0.5);

/// How a made-up run is.
#[derive(Clone, Copy)]
struct Made {
    seconds: u64,
    requests: u64,
    /// Median latency in microseconds.
    median: f64,
    /// How much one second differs from another, and how much it has of the one before.
    noise: f64,
    memory: f64,
    hit_ratio: f64,
    failed: u64,
    seed: u64,
}

const MADE: Made = Made {
    seconds: 30,
    requests: 400,
    median: 200.0,
    noise: 0.02,
    memory: 0.5,
    hit_ratio: 0.9,
    failed: 0,
    seed: 0,
};

impl Made {
    fn seconds(self, step: usize) -> Vec<SecondReport> {
        let mut rng = Pcg64Mcg::seed_from_u64(self.seed);
        let fresh = Normal::new(0.0, self.noise).unwrap();
        let around = LogNormal::new(0.0, 0.3).unwrap();
        let mut level = 0.0;
        (0..self.seconds)
            .map(|second| {
                level = self.memory * level + fresh.sample(&mut rng);
                let mut times = Hdr::<u64>::new(3).unwrap();
                for _ in self.failed..self.requests {
                    let micros = self.median * f64::exp(level) * around.sample(&mut rng);
                    times.record((micros * 1e3) as u64).unwrap();
                }
                let hits = (self.hit_ratio * self.requests as f64) as u64;
                SecondReport {
                    step,
                    second,
                    requests: self.requests,
                    failed: self.failed,
                    hits,
                    misses: self.requests - hits,
                    latency_us: Latency::of(&times),
                    histogram: Some(Histogram::of(&times)),
                    histogram_seconds: Some(1),
                }
            })
            .collect()
    }

    fn report(self) -> Report {
        report(self.seconds(0), Vec::new())
    }
}

fn figures(seconds: &[SecondReport]) -> Figures {
    let sum = |field: fn(&SecondReport) -> u64| seconds.iter().map(field).sum::<u64>();
    let mut times = Hdr::new_with_max(3_600_000_000_000, 3).unwrap();
    for second in seconds {
        times += second.histogram.as_ref().unwrap().decode();
    }
    let [requests, failed] = [sum(|second| second.requests), sum(|second| second.failed)];
    let [hits, misses] = [sum(|second| second.hits), sum(|second| second.misses)];
    let latency = Latency::of(&times);
    let get = OperationFigures { requests, response_us: None, service_us: latency };
    Figures {
        requests,
        warm_up_requests: 0,
        operations: BTreeMap::from([("get".to_owned(), get)]),
        hits,
        misses,
        hit_ratio: ratio(hits, hits + misses),
        origin: None,
        stored: 0,
        not_stored: 0,
        failed,
        error_ratio: ratio(failed, requests),
        errors: Vec::new(),
        verification: None,
        duration_seconds: seconds.len() as f64,
        answered_per_second: rate(times.len(), seconds.len() as f64),
        response_us: latency,
        service_us: latency,
        slip_us: None,
        response_histogram: Some(Histogram::of(&times)),
        slip_histogram: None,
        unsent: None,
        abandoned_requests: 0,
        resent_calls: 0,
        service_histogram: Histogram::of(&times),
    }
}

fn report(seconds: Vec<SecondReport>, steps: Vec<Step>) -> Report {
    Report {
        tool: Tool::this(),
        command: "run".to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        settings: Settings::default(),
        ending: Ending::Completed,
        trace_error: None,
        trace: None,
        kept_up: Some(true),
        figures: figures(&seconds),
        search: None,
        steps,
        seconds,
        server: Server::default(),
        servers: Vec::new(),
        generator: Generator::default(),
        machine: Machine::default(),
    }
}

fn compared_so(before: Vec<Report>, after: Vec<Report>, judging: &Judging) -> Comparison {
    let sides = [before, after];
    let (parts, warnings) = part::parts(&sides, judging);
    Comparison {
        before: Vec::new(),
        after: Vec::new(),
        judging: *judging,
        differences: difference::between(&sides),
        warnings,
        parts,
    }
}

fn compared(before: Made, after: Made) -> Comparison {
    compared_so(vec![before.report()], vec![after.report()], &JUDGING)
}

fn line(comparison: &Comparison, metric: Metric) -> &Line {
    comparison.lines().find(|line| line.metric == metric).unwrap()
}

fn word(comparison: &Comparison, metric: Metric) -> Word {
    line(comparison, metric).word.unwrap()
}

#[test]
fn a_run_is_the_same_as_itself() {
    let comparison = compared(MADE, MADE);
    assert_eq!(comparison.exit_code(), 0, "{comparison}");
    for line in comparison.lines() {
        assert_eq!(line.change, 0.0, "{comparison}");
    }
    for metric in [Metric::Answered, Metric::Mean, P50, Metric::HitRatio, Metric::ErrorRatio] {
        assert_eq!(word(&comparison, metric), Word::Same, "{comparison}");
    }
    assert!(comparison.differences.is_empty());
}

#[test]
fn a_fifth_more_is_worse_and_a_fifth_less_is_better() {
    let slow = Made { median: MADE.median * 1.2, seed: 1, ..MADE };
    let comparison = compared(MADE, slow);
    assert_eq!(comparison.exit_code(), 1, "{comparison}");
    for metric in [P50, Metric::Mean, Metric::Quantile("p99", 0.99)] {
        assert_eq!(word(&comparison, metric), Word::Worse, "{comparison}");
        let Interval { low, high } = line(&comparison, metric).interval.unwrap();
        assert!(low < 0.2 && 0.2 < high && high - low < 0.15, "{comparison}");
    }
    assert_eq!(word(&comparison, Metric::Answered), Word::Same);
    assert!(comparison.to_string().contains("worse by more than 5 %: mean, p50"), "{comparison}");

    let comparison = compared(slow, MADE);
    assert_eq!((comparison.exit_code(), word(&comparison, P50)), (0, Word::Better));
}

#[test]
fn fewer_hits_and_fewer_answers_are_worse() {
    let comparison = compared(MADE, Made { hit_ratio: 0.8, failed: 40, ..MADE });
    for metric in [Metric::HitRatio, Metric::Answered, Metric::ErrorRatio] {
        assert_eq!(word(&comparison, metric), Word::Worse, "{comparison}");
    }
    // From none to some there is no ratio, and JSON has no infinity.
    let json = serde_json::to_value(&comparison).unwrap();
    let lines = json["parts"][0]["lines"].as_array().unwrap();
    let errors = lines.iter().find(|line| line["metric"] == "error ratio").unwrap();
    assert_eq!((&errors["after"], errors["change"].is_null()), (&0.1.into(), true), "{errors}");
}

#[test]
fn a_change_within_the_noise_is_unclear() {
    let noisy = Made { noise: 0.3, ..MADE };
    let comparison = compared(noisy, Made { seed: 1, ..noisy });
    assert_eq!(word(&comparison, P50), Word::Unclear, "{comparison}");
    assert_eq!(comparison.exit_code(), 0);
}

/// How often an interval leaves out the truth is tested where seconds are drawn; here, that
/// nothing on the way to the word makes it more.
#[test]
fn chance_alone_is_seldom_called_a_change() {
    let judging = Judging { threshold: 0.0, confidence: 0.95, resamples: 60, seed: 1 };
    let made = Made { requests: 10, seconds: 20, noise: 0.1, memory: 0.2, ..MADE };
    let changes = (0..40).filter(|seed| {
        let [before, after] = [0, 1].map(|side| Made { seed: 2 * seed + side, ..made }.report());
        let comparison = compared_so(vec![before], vec![after], &judging);
        word(&comparison, Metric::Mean) != Word::Unclear
    });
    // The chance of 11 or more is 1 in 10,000 at a rate of 0.1.
    assert!(changes.count() <= 10);
}

#[test]
fn a_seed_gives_the_same_intervals_and_another_one_others() {
    let sides = || (vec![MADE.report()], vec![Made { seed: 1, ..MADE }.report()]);
    let of = |seed| {
        let (before, after) = sides();
        compared_so(before, after, &Judging { seed, ..JUDGING }).parts
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn seconds_that_are_too_few_are_not_judged() {
    let short = |seconds| Made { seconds, ..MADE };
    let comparison = compared(short(4), MADE);
    assert_eq!(comparison.exit_code(), 2);
    let complaint = comparison.complaint().unwrap();
    assert_eq!(complaint, "nothing can be judged: too few seconds: 4, below 5");
    assert!(comparison.warnings.is_empty());

    let mut without = MADE.report();
    without.seconds.clear();
    let comparison = compared_so(vec![without], vec![MADE.report()], &JUDGING);
    assert_eq!(comparison.exit_code(), 2);
    assert_eq!(line(&comparison, P50).change, 0.0, "figures are shown all the same");

    let comparison = compared(MADE, short(9));
    assert!(comparison.warnings[0].starts_with("few seconds, 9 of one side"), "{comparison}");
    assert_eq!((comparison.exit_code(), comparison.complaint()), (0, None));
}

#[test]
fn what_seconds_cannot_tell_has_no_interval() {
    let few = compared(Made { requests: 20, ..MADE }, MADE);
    let p99_9 = line(&few, Metric::Quantile("p99.9", 0.999));
    assert_eq!(p99_9.unjudged.as_deref(), Some("too few requests beyond it"));
    assert_eq!(line(&few, Metric::Max).word, None);

    // An open loop beside a closed one: service times are what both have.
    let mut closed = MADE.report();
    closed.figures.response_histogram = None;
    let comparison = compared_so(vec![MADE.report()], vec![closed], &JUDGING);
    assert_eq!(comparison.parts[0].latency, "service");
    assert_eq!((line(&comparison, P50).change, line(&comparison, P50).word), (0.0, None));
    assert_eq!(word(&comparison, Metric::HitRatio), Word::Same);
}

#[test]
fn runs_that_differ_make_intervals_wide() {
    let run = |median, seed| Made { median, seed, ..MADE }.report();
    let before = || vec![run(190.0, 1), run(200.0, 2), run(210.0, 3)];
    let after = || vec![run(210.0, 4), run(200.0, 5), run(190.0, 6)];
    let width = |comparison: &Comparison| {
        let Interval { low, high } = line(comparison, P50).interval.unwrap();
        high - low
    };
    let one = compared_so(vec![run(190.0, 1)], vec![run(210.0, 4)], &JUDGING);
    let several = compared_so(before(), after(), &JUDGING);
    assert_eq!(word(&one, P50), Word::Worse, "the same server, but one run each");
    assert_eq!(word(&several, P50), Word::Unclear);
    assert!(width(&several) > 1.5 * width(&one), "{several}");
}

#[test]
fn each_rate_is_compared_with_itself() {
    let stepped = |medians: [f64; 2], rates: [u64; 2]| {
        let seconds = [0, 1]
            .map(|step| Made { median: medians[step], seed: step as u64, ..MADE }.seconds(step));
        let steps = [0, 1].map(|step| Step {
            requests_per_second: Some(rates[step].into()),
            ending: Ending::Completed,
            kept_up: Some(true),
            held: None,
            why_not: None,
            figures: figures(&seconds[step]),
        });
        report(seconds.concat(), steps.into())
    };
    let before = stepped([200.0, 200.0], [500, 1000]);
    let after = stepped([200.0, 260.0], [500, 1000]);
    let comparison = compared_so(vec![before.clone()], vec![after], &JUDGING);
    let [low, high] = &comparison.parts[..] else { panic!("{comparison}") };
    let p50 = |part: &Part| part.lines.iter().find(|line| line.metric == P50).unwrap().word;
    assert_eq!((low.requests_per_second, p50(low)), (Some(500.into()), Some(Word::Same)));
    assert_eq!((high.requests_per_second, p50(high)), (Some(1000.into()), Some(Word::Worse)));
    assert!(comparison.to_string().contains("p50 at 1000 requests/s"), "{comparison}");

    let other = stepped([200.0, 200.0], [600, 1200]);
    let comparison = compared_so(vec![before], vec![other], &JUDGING);
    assert_eq!(comparison.parts.len(), 1);
    assert!(comparison.warnings[0].contains("not of the same rates"), "{comparison}");
}

#[test]
fn what_else_differs_is_named_but_for_the_target() {
    let (mut before, mut after) = (MADE.report(), MADE.report());
    before.settings.target = "grpc://old:50051".to_owned();
    after.settings.in_flight = 8;
    after.machine.cpu_model = Some("faster".to_owned());
    after.machine.load_average = Some(1.0);
    after.tool.version = "9.9.9".to_owned();
    let comparison = compared_so(vec![before], vec![after], &JUDGING);
    let lines: Vec<_> = comparison.differences.iter().map(ToString::to_string).collect();
    let version = format!("tool.version: {}; 9.9.9", Tool::this().version);
    assert_eq!(
        lines,
        ["machine.cpu_model: none; faster", "settings.in_flight: 0; 8", version.as_str()]
    );
}

#[test]
fn runs_that_went_wrong_are_named() {
    let mut report = MADE.report();
    let name = "a.json".to_owned();
    assert_eq!(difference::flaw((&name, &report)), None);
    report.kept_up = Some(false);
    let flaw = difference::flaw((&name, &report)).unwrap();
    assert_eq!(flaw, "a.json: the generator did not keep up with its plan");
    report.ending = Ending::Interrupted;
    assert_eq!(difference::flaw((&name, &report)).unwrap(), "a.json: the run was interrupted");
}

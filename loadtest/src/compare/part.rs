//! Compares two sides at each rate that they have in common, or as wholes.

use std::iter;

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use serde::{Serialize, Serializer};

use super::{
    FEW_SECONDS, Judging,
    bootstrap::middle,
    metric::{Metric, Word, change},
    sample::{RunFigures, Sample, Times},
};
use crate::{engine::Rate, report::Report};

/// Seconds of each side below which there is no interval: two blocks and something to move
/// them by.
const FEWEST_SECONDS: usize = 5;

/// The metrics at one rate, or of the whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// The rate; none where there was one only, or none.
    pub requests_per_second: Option<Rate>,
    /// Which latency: response or service.
    pub latency: &'static str,
    /// Seconds to draw from, before and after.
    pub seconds: [usize; 2],
    /// The metrics that both sides have.
    pub lines: Vec<Line>,
}

/// One metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Which one.
    pub metric: Metric,
    /// Before.
    pub before: f64,
    /// After.
    pub after: f64,
    /// The change relative to what was before; none in JSON where that was zero.
    #[serde(serialize_with = "finite")]
    pub change: f64,
    /// Where the change lies; none where it is not known.
    pub interval: Option<Interval>,
    /// What to think of it; none without an interval.
    pub word: Option<Word>,
    /// Why there is no interval.
    pub unjudged: Option<String>,
}

/// Where a relative change lies, with the confidence that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end; none in JSON where it is infinite.
    #[serde(serialize_with = "finite")]
    pub low: f64,
    /// The upper end; none in JSON where it is infinite.
    #[serde(serialize_with = "finite")]
    pub high: f64,
}

/// JSON has no infinity.
fn finite<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Some(*number).filter(|number| number.is_finite()).serialize(serializer)
}

/// Compares reports, and says what spoils that.
pub(super) fn parts(sides: &[Vec<Report>; 2], judging: &Judging) -> (Vec<Part>, Vec<String>) {
    let mut warnings = Vec::new();
    let wholes = || sides.each_ref().map(|reports| reports.iter().map(whole).collect::<Vec<_>>());
    let rates = rates(sides);
    let parts: Vec<_> = match rates {
        Rates::None => vec![part(None, &wholes(), judging)],
        Rates::Common(rates) => {
            let per_core = per_core(&wholes(), judging);
            let steps = rates.into_iter().map(|(step, rate)| {
                part(Some(rate), &sides.each_ref().map(|reports| steps(reports, step)), judging)
            });
            steps.chain(per_core).collect()
        }
        Rates::Other => {
            warnings.push(
                "the reports are not of the same rates: what is compared is all of each run"
                    .to_owned(),
            );
            vec![part(None, &wholes(), judging)]
        }
    };
    let few = parts.iter().flat_map(|part| part.seconds).filter(|seconds| *seconds > 0).min();
    if let Some(seconds) = few.filter(|seconds| (FEWEST_SECONDS..FEW_SECONDS).contains(seconds)) {
        warnings.push(format!(
            "few seconds, {seconds} of one side: below {FEW_SECONDS}, intervals are likely too \
             narrow, and nothing is called better or worse"
        ));
    }
    (parts, warnings)
}

/// The steps that can be compared.
enum Rates {
    /// There were no steps.
    None,
    /// Number and rate of those that all reports have.
    Common(Vec<(usize, Rate)>),
    /// There were steps, but none at the same place with the same rate.
    Other,
}

fn rates(sides: &[Vec<Report>; 2]) -> Rates {
    let reports = || sides.iter().flatten();
    if reports().all(|report| report.steps.is_empty()) {
        return Rates::None;
    }
    let rate = |report: &Report, step: usize| report.steps.get(step)?.requests_per_second;
    let most = reports().map(|report| report.steps.len()).max().unwrap_or_default();
    let common: Vec<_> = (0..most)
        .filter_map(|step| {
            let first = rate(reports().next()?, step)?;
            reports().all(|report| rate(report, step) == Some(first)).then_some((step, first))
        })
        .collect();
    if common.is_empty() { Rates::Other } else { Rates::Common(common) }
}

fn whole(report: &Report) -> RunFigures<'_> {
    RunFigures {
        figures: &report.figures,
        seconds: &report.seconds,
        per_core_second: report.server.operations_per_core_second,
    }
}

/// One step of each report.
fn steps(reports: &[Report], step: usize) -> Vec<RunFigures<'_>> {
    reports.iter().map(|report| of_step(report, step)).collect()
}

/// One step. Its seconds stand together.
fn of_step(report: &Report, step: usize) -> RunFigures<'_> {
    let seconds = &report.seconds;
    let first = seconds.iter().position(|second| second.step == step);
    let last = seconds.iter().rposition(|second| second.step == step);
    RunFigures {
        figures: &report.steps[step].figures,
        seconds: first.zip(last).map_or(&[], |(first, last)| &seconds[first..=last]),
        per_core_second: None,
    }
}

/// What there is of whole runs only, where there are several rates.
fn per_core(wholes: &[Vec<RunFigures<'_>>; 2], judging: &Judging) -> Option<Part> {
    let without_seconds = wholes
        .each_ref()
        .map(|runs| runs.iter().map(|run| RunFigures { seconds: &[], ..*run }).collect::<Vec<_>>());
    let mut part = part(None, &without_seconds, judging);
    part.lines.retain(|line| line.metric == Metric::PerCoreSecond);
    (!part.lines.is_empty()).then_some(part)
}

/// Compares two sides.
pub(super) fn part(
    rate: Option<Rate>,
    sides: &[Vec<RunFigures<'_>>; 2],
    judging: &Judging,
) -> Part {
    let responses = sides.iter().flatten().all(RunFigures::has_response_times);
    let times = if responses { Times::Response } else { Times::Service };
    let samples = sides.each_ref().map(|runs| Sample::of(runs, times));
    let mut lines: Vec<_> =
        Metric::ALL.into_iter().filter_map(|metric| Line::of(metric, &samples)).collect();
    draw(&mut lines, &samples, judging);
    Part {
        requests_per_second: rate,
        latency: if responses { "response" } else { "service" },
        seconds: samples.each_ref().map(Sample::seconds),
        lines,
    }
}

impl Line {
    /// The figures, without an interval; none where a side has none.
    fn of(metric: Metric, samples: &[Sample; 2]) -> Option<Self> {
        let [before, after] = samples.each_ref().map(|sample| sample.figure(metric));
        let (before, after) = (before?, after?);
        let change = change(before, after);
        Some(Self { metric, before, after, change, interval: None, word: None, unjudged: None })
    }
}

/// Draws seconds anew, and gives an interval to every metric that can have one.
fn draw(lines: &mut [Line], samples: &[Sample; 2], judging: &Judging) {
    let fewest = samples.iter().map(Sample::seconds).min().unwrap_or_default();
    let mut drawn: Vec<(&mut Line, [f64; 2], Vec<f64>)> = Vec::new();
    for line in lines {
        let scales = samples.each_ref().map(|sample| sample.scale(line.metric));
        match scales {
            [Err(why), _] | [_, Err(why)] => line.unjudged = Some(why.to_owned()),
            _ if fewest < FEWEST_SECONDS => {
                line.unjudged = Some(format!("too few seconds: {fewest}, below {FEWEST_SECONDS}"));
            }
            [Ok(before), Ok(after)] => drawn.push((line, [before, after], Vec::new())),
        }
    }
    if drawn.is_empty() {
        return;
    }
    let mut rng = Pcg64Mcg::seed_from_u64(judging.seed);
    let mut weights = samples.each_ref().map(|sample| vec![0; sample.spans()]);
    for _ in 0..judging.resamples {
        for (sample, weights) in iter::zip(samples, &mut weights) {
            sample.runs().draw(&mut rng, weights);
        }
        let sums = [0, 1].map(|side| samples[side].draw(&weights[side]));
        for (line, scales, changes) in &mut drawn {
            let figures = [0, 1].map(|side| {
                let figure = samples[side].drawn(line.metric, &weights[side], &sums[side]);
                figure.map(|figure| figure * scales[side])
            });
            // Seconds in which nothing was answered have no latency.
            if let [Some(before), Some(after)] = figures {
                changes.push(change(before, after));
            }
        }
    }
    for (line, _, mut changes) in drawn {
        match middle(&mut changes, judging.confidence) {
            Some((low, high)) => {
                line.interval = Some(Interval { low, high });
                // An interval that is likely too narrow is shown, but fails nobody's build.
                line.word = Some(match fewest {
                    FEW_SECONDS.. => line.metric.judge((low, high), judging.threshold),
                    _ => Word::Unclear,
                });
            }
            None => line.unjudged = Some("nothing to draw from".to_owned()),
        }
    }
}

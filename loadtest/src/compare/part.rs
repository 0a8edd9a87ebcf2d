//! Compares two sides at each rate that they have in common, or as wholes.

use std::iter;

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use serde::{Serialize, Serializer};

use super::{
    bootstrap::middle,
    metric::{Judging, Metric, Word, change},
    sample::{LatencyKind, RunFigures, Sample},
};
use crate::{engine::Rate, report::Report};

/// Seconds of each side below which an interval is likely too narrow.
pub(super) const FEW_SECONDS: usize = 10;

/// Seconds of each side below which there is no interval: two blocks and something to move
/// them by.
const FEWEST_SECONDS: usize = 5;

/// The metrics at one rate, or of the whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// The rate, if there were several.
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
    /// Where the change lies, if that is known.
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
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn finite<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Some(*number).filter(|number| number.is_finite()).serialize(serializer)
}

/// Compares reports, and says what spoils that.
pub(super) fn parts(sides: &[Vec<Report>; 2], judging: &Judging) -> (Vec<Part>, Vec<String>) {
    let mut warnings = Vec::new();
    let wholes = sides.each_ref().map(|side| side.iter().map(whole).collect::<Vec<_>>());
    let rates = common_rates(sides);
    let parts: Vec<_> = if rates.is_empty() {
        if sides.iter().flatten().any(|report| !report.steps.is_empty()) {
            warnings.push(
                "the reports are not of the same rates: what is compared is all of each run"
                    .to_owned(),
            );
        }
        vec![part(None, &wholes, judging)]
    } else {
        let of_steps = rates.into_iter().map(|(step, rate)| {
            let sides = sides.each_ref();
            let steps = sides.map(|side| side.iter().map(|of| at_step(of, step)).collect());
            part(Some(rate), &steps, judging)
        });
        of_steps.chain(per_core(&wholes, judging)).collect()
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

/// Number and rate of the steps that all reports have at the same place.
fn common_rates(sides: &[Vec<Report>; 2]) -> Vec<(usize, Rate)> {
    let mut reports = sides.iter().flatten();
    let Some(first) = reports.next() else { return Vec::new() };
    let rate = |report: &Report, step: usize| report.steps.get(step)?.requests_per_second;
    let steps = 0..first.steps.len();
    steps
        .filter_map(|step| Some((step, rate(first, step)?)))
        .filter(|(step, asked)| reports.clone().all(|other| rate(other, *step) == Some(*asked)))
        .collect()
}

fn whole(report: &Report) -> RunFigures<'_> {
    RunFigures {
        figures: &report.figures,
        seconds: &report.seconds,
        per_core_second: report.server.operations_per_core_second,
    }
}

/// One step. Its seconds follow each other.
fn at_step(report: &Report, step: usize) -> RunFigures<'_> {
    let mut steps = report.seconds.chunk_by(|one, other| one.step == other.step);
    RunFigures {
        figures: &report.steps[step].figures,
        seconds: steps.find(|seconds| seconds[0].step == step).unwrap_or_default(),
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
    let times = if responses { LatencyKind::Response } else { LatencyKind::Service };
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
    /// The figures, without an interval; none if a side lacks them.
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
            sample.runs.draw(&mut rng, weights);
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
                // An interval that is likely too narrow is shown, but must not fail a build.
                line.word = Some(match fewest {
                    FEW_SECONDS.. => line.metric.judge((low, high), judging.threshold),
                    _ => Word::Unclear,
                });
            }
            None => line.unjudged = Some("nothing to draw from".to_owned()),
        }
    }
}

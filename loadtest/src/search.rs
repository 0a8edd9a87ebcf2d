//! The command `search`: the highest rate at which a promise of latency holds.

mod rate_search; // which rate is next
mod judge; // whether a step held

use std::collections::BTreeMap;

use self::{
    judge::{Judge, Judgement},
    rate_search::{Held, RateSearch},
};
use crate::{
    engine::Stopped,
    error::Error,
    outcome::{Outcome, Verdict},
    outputs::Outputs,
    report::{Figures, LimitedBy, SearchReport, Settings, Step},
    session::{Session, SessionParts, Summary, block_on},
    spec,
    watch::{Goal, Wanted},
};

/// Searches, until the rate is found or Ctrl-C.
///
/// # Errors
///
/// The search could not begin: a file or the server is not what it should be.
pub fn run(spec: &spec::Search, wanted: &Wanted) -> Result<Outcome, Error> {
    let parts = SessionParts::of_load(&spec.load)?;
    let settings = Settings { requests_per_second: None, ..spec.load.settings(&spec.first) };
    block_on(async {
        let mut session = Session::open(parts, Outputs::open(wanted)?).await?;
        let mut search = Search::new(spec);
        while let Some(rate) = search.next() {
            if !search.steps.is_empty() && session.pause(spec.drain).await.is_break() {
                search.interrupted = true;
                break;
            }
            search.step(&mut session, rate).await;
        }
        let (verdict, figures) = (search.verdict(), search.figures().clone());
        let summary = Summary { command: "search", settings, verdict, figures };
        let mut outcome = session.close(search.requests, summary).await;
        outcome.report.search = Some(search.report());
        outcome.report.steps = search.steps;
        Ok(outcome)
    })
}

/// A search under way.
struct Search<'a> {
    spec: &'a spec::Search,
    rates: RateSearch,
    /// In the order in which they were made.
    steps: Vec<Step>,
    /// Whose limit it was, by the rate that did not hold.
    limits: BTreeMap<u64, LimitedBy>,
    /// All that were made.
    requests: u64,
    interrupted: bool,
    /// The rate of a step of which not one request was answered.
    unanswered: Option<u64>,
}

impl<'a> Search<'a> {
    fn new(spec: &'a spec::Search) -> Self {
        Self {
            spec,
            rates: RateSearch::new(spec.rules),
            steps: Vec::new(),
            limits: BTreeMap::new(),
            requests: 0,
            interrupted: false,
            unanswered: None,
        }
    }

    fn next(&self) -> Option<u64> {
        self.rates.next().filter(|_| !self.interrupted && self.unanswered.is_none())
    }

    /// Makes a step and learns from it.
    async fn step(&mut self, session: &mut Session, rate: u64) {
        let course = self.spec.course(rate, self.steps.len());
        let drive = &self.spec.load.drive;
        let phase = format!("search {rate}/s");
        let goal = Goal::of(&course).expect("a step has a length");
        let played = session.play(course, &phase, goal).await;
        self.requests += played.tally.rpcs() + played.tally.warm_up;
        let verdict = Verdict::of(played.stopped, drive.max_slip, &played.tally);
        let mut step = played.step(&verdict, drive.origin.is_some());
        match verdict {
            Verdict::Stopped(Stopped::Interrupted) => self.interrupted = true,
            _ => session.say(&self.learn(rate, &verdict, &mut step)),
        }
        self.steps.push(step);
    }

    /// Judges a step that was not interrupted; returns what there is to say about it.
    fn learn(&mut self, rate: u64, verdict: &Verdict, step: &mut Step) -> String {
        if matches!(verdict, Verdict::AllFailed) {
            self.unanswered = Some(rate);
        }
        let origin = self.spec.load.drive.origin.unwrap_or_default();
        let judge = Judge { slo: &self.spec.slo, step: self.spec.step_time(), origin };
        let judgement = judge.judge(&step.figures, verdict);
        self.rates.learn(rate, judgement.held);
        if judgement.held != Held::Yes {
            self.limits.insert(rate, judgement.limit);
        }
        let line = judgement.line(rate);
        step.held = Some(judgement.held == Held::Yes);
        step.why_not = judgement.why_not;
        line
    }

    /// What kept the search from finding more.
    fn limited_by(&self) -> Option<LimitedBy> {
        match self.rates.failed {
            _ if self.interrupted || self.unanswered.is_some() => None,
            Some(failed) => self.limits.get(&failed).copied(),
            None => Some(LimitedBy::HighestRate),
        }
    }

    fn verdict(&self) -> Verdict {
        if self.interrupted {
            return Verdict::Stopped(Stopped::Interrupted);
        }
        if let Some(rate) = self.unanswered {
            return Verdict::NoAnswer(rate);
        }
        match (self.rates.failed, self.limited_by()) {
            (Some(rate), _) if self.rates.found().is_none() => Verdict::NothingHeld {
                rate,
                why: self.telling().and_then(|step| step.why_not.clone()).unwrap_or_default(),
            },
            (Some(rate), Some(LimitedBy::Generator)) => Verdict::GeneratorLimit(rate),
            _ => Verdict::Clean,
        }
    }

    /// The last step at the rate that was found; where none held, at the lowest one.
    fn telling(&self) -> Option<&Step> {
        match self.rates.found() {
            Some(found) => self.steps.iter().rfind(|step| {
                step.held == Some(true) && step.requests_per_second == Some(found.into())
            }),
            None => self.steps.iter().rev().min_by_key(|step| step.requests_per_second),
        }
    }

    fn figures(&self) -> &Figures {
        &self.telling().expect("a search has a step").figures
    }

    fn report(&self) -> SearchReport {
        let spec::Rules { from, to, growth, precision, confirm } = self.spec.rules;
        SearchReport {
            slo: self.spec.slo.to_string(),
            found_requests_per_second: self.rates.found(),
            failed_requests_per_second: self.rates.failed,
            limited_by: self.limited_by(),
            precision,
            from_requests_per_second: from,
            to_requests_per_second: to,
            growth,
            confirm,
            drain_seconds: self.spec.drain.as_secs_f64(),
        }
    }
}

impl Judgement {
    /// What is said of a step as soon as it is over.
    fn line(&self, rate: u64) -> String {
        match &self.why_not {
            None => format!("search: {rate}/s held: {}", self.found),
            Some(why) => format!("search: {rate}/s did not hold: {why} ({})", self.found),
        }
    }
}

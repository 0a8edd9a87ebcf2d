//! The command `search`: the highest rate at which a promise of latency holds.

mod judge; // whether a step held
mod plan; // which rate is next
mod slo; // what is promised

use std::collections::BTreeMap;

use tokio::runtime;

pub use self::slo::Slo;
use self::{
    judge::{Judge, Judgement},
    plan::{Held, Plan},
};
pub(crate) use self::{plan::Rules, slo::percent};
use crate::{
    cli::SearchArgs,
    engine::Stopped,
    error::Error,
    outcome::{Outcome, Verdict},
    outputs::Outputs,
    report::{Figures, LimitedBy, Report, SearchReport, Settings, Step, Tool},
    run,
    session::{Cast, Session},
    watch::Goal,
};

/// Makes the search that `args` describe, to its end or to Ctrl-C.
///
/// # Errors
///
/// The search could not begin: options do not go together, or the server is not what it should
/// be.
pub fn run(mut args: Box<SearchArgs>) -> Result<Outcome, Error> {
    args.load.make_own_namespace();
    let load = &args.load;
    let (rules, spec) = (args.rules()?, load.spec()?);
    let first = args.course(rules.from, 0);
    let parts = run::parts(load, &spec, first.pace)?;
    let settings =
        Settings { requests_per_second: None, ..Settings::of_workload(load, &first, &spec) };
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let outputs = Outputs::open(&load.output)?;
        let mut session = Session::open(Cast::of(load, &parts, &spec), outputs).await?;
        let mut search = Search::new(&args, rules);
        while let Some(rate) = search.next() {
            if !search.steps.is_empty() && session.pause(args.drain).await.is_break() {
                search.interrupted = true;
                break;
            }
            search.step(&mut session, rate).await;
        }
        let closed = session.close(search.requests).await;

        let verdict = search.verdict();
        let report = Report {
            tool: Tool::this(),
            command: "search".to_owned(),
            started: closed.started,
            settings,
            ending: verdict.ending(),
            trace_error: None,
            trace: None,
            kept_up: Some(verdict.kept_up()),
            figures: search.figures().clone(),
            search: Some(search.report()),
            steps: search.steps,
            seconds: closed.seconds,
            server: closed.server,
            generator: closed.generator,
            machine: closed.machine,
        };
        Ok(Outcome { report, verdict, outputs: closed.outputs, warning: closed.warning })
    })
}

/// A search under way.
struct Search<'a> {
    args: &'a SearchArgs,
    rules: Rules,
    plan: Plan,
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
    fn new(args: &'a SearchArgs, rules: Rules) -> Self {
        Self {
            args,
            rules,
            plan: Plan::new(rules),
            steps: Vec::new(),
            limits: BTreeMap::new(),
            requests: 0,
            interrupted: false,
            unanswered: None,
        }
    }

    fn next(&self) -> Option<u64> {
        self.plan.next().filter(|_| !self.interrupted && self.unanswered.is_none())
    }

    /// Makes a step and learns from it.
    async fn step(&mut self, session: &mut Session, rate: u64) {
        let Self { args, .. } = self;
        let origin = args.load.workload.origin;
        let course = args.course(rate, self.steps.len());
        let goal = Goal::of(&course).expect("a step has a length");
        let played = session.play(course, &format!("search {rate}/s"), goal).await;
        self.requests += played.tally.rpcs() + played.tally.warm_up;

        let verdict = Verdict::of(played.stopped, Some(args.load.max_slip()), &played.tally);
        let time = course.measured(&played.tally, played.stopped.is_some());
        let mut step = Step {
            requests_per_second: Some(rate.into()),
            ending: verdict.ending(),
            kept_up: Some(verdict.kept_up()),
            held: None,
            why_not: None,
            figures: Figures::new(&played.tally, time, origin.is_some()),
        };
        if matches!(verdict, Verdict::Stopped(Stopped::Interrupted)) {
            self.interrupted = true;
        } else {
            if matches!(verdict, Verdict::AllFailed) {
                self.unanswered = Some(rate);
            }
            let origin = origin.unwrap_or_default();
            let judge = Judge { slo: &args.slo, step: args.step_duration, origin };
            let judgement = judge.judge(&step.figures, &verdict);
            self.plan.learn(rate, judgement.held);
            session.say(&judgement.line(rate));
            if judgement.held != Held::Yes {
                self.limits.insert(rate, judgement.limit);
            }
            step.held = Some(judgement.held == Held::Yes);
            step.why_not = judgement.why_not;
        }
        self.steps.push(step);
    }

    /// What kept the search from finding more.
    fn limited_by(&self) -> Option<LimitedBy> {
        match (self.plan.failed(), self.interrupted) {
            _ if self.unanswered.is_some() => None,
            (_, true) => None,
            (Some(failed), _) => self.limits.get(&failed).copied(),
            (None, _) => Some(LimitedBy::HighestRate),
        }
    }

    fn verdict(&self) -> Verdict {
        match (self.plan.failed(), self.limited_by()) {
            _ if self.interrupted => Verdict::Stopped(Stopped::Interrupted),
            _ if self.unanswered.is_some() => {
                Verdict::NoAnswer { rate: self.unanswered.unwrap_or_default() }
            }
            (Some(rate), _) if self.plan.found().is_none() => Verdict::NothingHeld {
                rate,
                why: self.telling().and_then(|step| step.why_not.clone()).unwrap_or_default(),
            },
            (Some(rate), Some(LimitedBy::Generator)) => Verdict::GeneratorLimit { rate },
            _ => Verdict::Clean,
        }
    }

    /// The last step at the rate that was found; where none held, at the lowest one.
    fn telling(&self) -> Option<&Step> {
        match self.plan.found() {
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
        let Rules { from, to, growth, precision, confirm } = self.rules;
        SearchReport {
            slo: self.args.slo.to_string(),
            found_requests_per_second: self.plan.found(),
            failed_requests_per_second: self.plan.failed(),
            limited_by: self.limited_by(),
            precision,
            from_requests_per_second: from,
            to_requests_per_second: to,
            growth,
            confirm,
            drain_seconds: self.args.drain.as_secs_f64(),
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

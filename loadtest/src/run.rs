//! The command `run`: a made-up workload at a pace of its own.

use std::time::Duration;

use crate::{
    engine::{Pace, Played, Stopped, Tally},
    error::Error,
    outcome::{Outcome, Verdict},
    outputs::Outputs,
    report::{Figures, Step},
    session::{Session, SessionParts, Summary, block_on},
    spec::Run,
    watch::{Goal, Wanted},
};

/// Makes a run, to its end or to Ctrl-C.
///
/// # Errors
///
/// The run could not begin: a file or the server is not what it should be.
pub fn run(spec: &Run, wanted: &Wanted) -> Result<Outcome, Error> {
    let Run { load, courses } = spec;
    let first = courses.first().expect("there is never none");
    let parts = SessionParts::of_load(load)?;
    let mut settings = load.settings(first);
    let is_one = courses.len() == 1;
    if !is_one {
        settings.requests_per_second = None;
    }
    let (max_slip, cache_aside) = (load.drive.max_slip, load.drive.origin.is_some());
    block_on(async {
        let mut session = Session::open(parts, Outputs::open(wanted)?).await?;
        let mut sum = Sum::default();
        for course in courses {
            let phase = match course.pace {
                Pace::Open { rate, .. } if !is_one => format!("run {rate}/s"),
                _ => "run".to_owned(),
            };
            let goal = Goal::of(course).expect("a run has a length");
            let played = session.play(*course, &phase, goal).await;
            let verdict = Verdict::of(played.stopped, max_slip, &played.tally);
            let is_over = matches!(verdict, Verdict::Stopped(Stopped::Interrupted));
            sum.add(played, verdict, cache_aside);
            if is_over {
                break;
            }
        }
        let Sum { tally, time, verdict, steps } = sum;
        let figures = Figures::new(&tally, time, cache_aside);
        let summary = Summary { command: "run", settings, verdict, figures };
        let mut outcome = session.close(tally.rpcs() + tally.warm_up, summary).await;
        if !is_one {
            outcome.report.steps = steps;
        }
        Ok(outcome)
    })
}

/// What the courses of a run add up to.
#[derive(Default)]
struct Sum {
    tally: Tally,
    time: Duration,
    /// The worst of all.
    verdict: Verdict,
    steps: Vec<Step>,
}

impl Sum {
    fn add(&mut self, played: Played, verdict: Verdict, cache_aside: bool) {
        self.steps.push(played.step(&verdict, cache_aside));
        self.time += played.measured();
        self.tally.merge(played.tally);
        if verdict.severity() > self.verdict.severity() {
            self.verdict = verdict;
        }
    }
}

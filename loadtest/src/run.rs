//! The command `run`: a made-up workload at a pace of its own.

use std::{sync::Arc, time::Duration};

use tokio::runtime;

use crate::{
    cli::{LoadArgs, RunArgs, Target},
    engine::{Course, Pace, Parts, Played, Stopped, Supply, Tally, Written},
    error::Error,
    outcome::{Outcome, Verdict},
    outputs::Outputs,
    report::{Figures, Report, Settings, Step, Tool},
    session::{Cast, Session},
    target::Way,
    watch::Goal,
    workload::Spec,
};

/// Makes the run that `args` describe, to its end or to Ctrl-C.
///
/// # Errors
///
/// The run could not begin: options do not go together, or the server is not what it should
/// be.
pub fn run(mut args: Box<RunArgs>) -> Result<Outcome, Error> {
    args.load.make_own_namespace();
    let load = &args.load;
    let (courses, spec) = (args.courses()?, load.spec()?);
    let first = courses.first().expect("there is never none");
    let parts = parts(load, &spec, first.pace)?;
    let mut settings = Settings::of_workload(load, first, &spec);
    if courses.len() > 1 {
        settings.requests_per_second = None;
    }
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let outputs = Outputs::open(&load.output)?;
        let mut session = Session::open(Cast::of(load, &parts, &spec), outputs).await?;
        let max_slip = first.pace.is_open().then(|| load.max_slip());
        let mut sum = Sum::default();
        for course in &courses {
            let phase = match course.pace {
                Pace::Open { rate, .. } if courses.len() > 1 => format!("run {rate}/s"),
                _ => "run".to_owned(),
            };
            let goal = Goal::of(course).expect("a run has a length");
            let played = session.play(*course, &phase, goal).await;
            let verdict = Verdict::of(played.stopped, max_slip, &played.tally);
            let is_over = matches!(verdict, Verdict::Stopped(Stopped::Interrupted));
            sum.add(course, played, verdict, load.workload.origin.is_some());
            if is_over {
                break;
            }
        }
        let Sum { tally, time, verdict, steps } = sum;
        let closed = session.close(tally.rpcs() + tally.warm_up).await;

        let report = Report {
            tool: Tool::this(),
            command: "run".to_owned(),
            started: closed.started,
            settings,
            ending: verdict.ending(),
            trace_error: None,
            trace: None,
            kept_up: max_slip.map(|_| verdict.kept_up()),
            figures: Figures::new(&tally, time, load.workload.origin.is_some()),
            search: None,
            steps: if courses.len() > 1 { steps } else { Vec::new() },
            seconds: closed.seconds,
            server: closed.server,
            generator: closed.generator,
            machine: closed.machine,
        };
        Ok(Outcome { report, verdict, outputs: closed.outputs, warning: closed.warning })
    })
}

/// What a crew is made of that sends a made-up workload.
pub(crate) fn parts(load: &LoadArgs, spec: &Spec, pace: Pace) -> Result<Parts, Error> {
    let tiny_cache_only = [("--verify", load.verify), ("--no-namespace", load.no_namespace)];
    if let Some((option, _)) = tiny_cache_only.into_iter().find(|(_, is_there)| *is_there)
        && !matches!(load.target, Target::Server(_))
    {
        return Err(Error::Idle { option, needs: "a tiny-cache server" });
    }
    Ok(Parts {
        threads: load.threads(pace),
        connections: load.connections(pace),
        way: Way::find(&load.target, &load.server)?,
        supply: Supply::Made(Box::new(spec.clone())),
        written: load
            .own_namespace
            .then(|| Written::new(spec.keys, spec.spaces).map(Arc::new))
            .flatten(),
        origin: load.workload.origin.unwrap_or_default(),
        verify: load.verify.then(|| load.server.spaces()),
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
    fn add(&mut self, course: &Course, played: Played, verdict: Verdict, cache_aside: bool) {
        let time = course.measured(&played.tally, played.stopped.is_some());
        let tally = played.tally;
        self.steps.push(Step {
            requests_per_second: match course.pace {
                Pace::Open { rate, .. } => Some(rate),
                Pace::Traced { .. } | Pace::Closed { .. } => None,
            },
            ending: verdict.ending(),
            kept_up: course.pace.is_open().then(|| verdict.kept_up()),
            held: None,
            why_not: None,
            figures: Figures::new(&tally, time, cache_aside),
        });
        self.tally.merge(tally);
        self.time += time;
        if verdict.severity() > self.verdict.severity() {
            self.verdict = verdict;
        }
    }
}

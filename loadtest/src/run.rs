//! The command `run`: a made-up workload at a pace of its own.

use std::time::Duration;

use tokio::runtime;

use crate::{
    cli::RunArgs,
    engine::{Course, Pace, Parts, Stopped, Supply, Tally},
    error::Error,
    outcome::{Outcome, Verdict},
    outputs::Outputs,
    report::{Figures, Report, Settings, Step, Tool},
    session::Session,
    target::Way,
    watch::Goal,
};

/// Makes the run that `args` describe, to its end or to Ctrl-C.
///
/// # Errors
///
/// The run could not begin: options do not go together, or the server is not what it should
/// be.
#[expect(clippy::needless_pass_by_value, reason = "the settings of a run end with it")]
pub fn run(args: Box<RunArgs>) -> Result<Outcome, Error> {
    let (courses, spec) = (args.courses()?, args.spec()?);
    let first = courses.first().expect("there is never none");
    let parts = Parts {
        threads: args.threads(first.pace),
        connections: args.connections(first.pace),
        way: Way::find(&args.target, &args.server)?,
        supply: Supply::Made(Box::new(spec.clone())),
        prefill: args.prefill,
        origin: args.origin.unwrap_or_default(),
    };
    let mut settings = Settings::of_run(&args, first, &spec);
    if courses.len() > 1 {
        settings.requests_per_second = None;
    }
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let outputs = Outputs::open(&args.output)?;
        let prefill = args.prefill.then_some(spec.keys);
        let mut session =
            Session::open(&args.target, &args.server, &parts, prefill, outputs).await?;
        let max_slip = first.pace.is_open().then(|| args.max_slip());
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
            sum.add(course, played.tally, verdict, args.origin.is_some());
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
            kept_up: max_slip.map(|_| verdict.kept_up()),
            figures: Figures::new(&tally, time, args.origin.is_some()),
            steps: if courses.len() > 1 { steps } else { Vec::new() },
            seconds: closed.seconds,
            server: closed.server,
            generator: closed.generator,
            machine: closed.machine,
        };
        Ok(Outcome { report, verdict, outputs: closed.outputs })
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
    fn add(&mut self, course: &Course, tally: Tally, verdict: Verdict, cache_aside: bool) {
        let time = tally.last.saturating_sub(course.warm_up);
        self.steps.push(Step {
            requests_per_second: match course.pace {
                Pace::Open { rate, .. } => Some(rate),
                Pace::Traced { .. } | Pace::Closed { .. } => None,
            },
            ending: verdict.ending(),
            kept_up: course.pace.is_open().then(|| verdict.kept_up()),
            held: None,
            figures: Figures::new(&tally, time, cache_aside),
        });
        self.tally.merge(tally);
        self.time += time;
        if verdict.severity() > self.verdict.severity() {
            self.verdict = verdict;
        }
    }
}

//! A synthetic workload: builds the parts in the order they depend on each other, fills the
//! cache if asked to, waits for the end or for Ctrl-C, and sums up what the parts saw.
//!
//! `plan → pace → lane → outlets`, and tallies the other way. Every thread has a runtime,
//! connections, operations and a tally of its own; threads share the brake alone.

mod lanes; // the division among threads
mod plan; // when requests are sent
mod workload; // what they are
mod preset; // workloads by name
mod alarm; // waking up in time
mod pace; // sending at the planned instants, or whenever a slot is free
mod lane; // the way of one request
mod target; // what answers it
mod tally; // what became of it
mod worker; // the thread around all that
mod control; // stopping all threads
mod live; // what can be seen meanwhile
mod progress; // and its display
mod report; // what it adds up to
mod outcome; // how it ended

use std::{
    future::Future,
    pin::pin,
    process,
    sync::Arc,
    time::{Duration, Instant},
};

use tiny_cache_client::ErrorKind;
use tokio::runtime;

use self::{
    control::Control,
    live::Live,
    pace::Course,
    progress::{Goal, Progress},
    target::{Outlet, Way},
    worker::{Order, Worker},
};
pub use self::{
    control::Stopped,
    lanes::LaneId,
    outcome::{RunError, RunOutcome, RunVerdict},
    plan::{Arrivals, Plan, Rate},
    preset::{Preset, list as preset_list},
    report::{RunReport, RunSettings},
    tally::{Tally, Times},
    target::Answer,
    workload::{Call, Groups, KeyDistribution, Mix, Operation, Sizes, Spec, Ttls, Workload, Write},
};
use crate::{
    cli::{Length, Pace, RunArgs},
    interrupt::Interrupt,
    report::{JsonFile, ServerStats},
};

/// From the word to start to the first instant: enough for all threads to hear it.
const LEAD: Duration = Duration::from_millis(20);

/// Makes the run that `args` describe, to its end or to Ctrl-C.
///
/// # Errors
///
/// The run could not begin: options do not go together, or the server is not what it should
/// be.
#[expect(clippy::needless_pass_by_value, reason = "the settings of a run end with it")]
pub fn run(args: Box<RunArgs>) -> Result<RunOutcome, RunError> {
    let (pace, spec) = (args.pace()?, args.spec()?);
    let way = Way::find(&args.target, &args.server)?;
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut interrupt = Interrupt::listen();
        let stage = tokio::select! {
            stage = Stage::set(&args, pace, &spec, &way) => stage?,
            () = interrupt.received() => return Err(RunError::Interrupted),
        };
        stage.play(&args, pace, &spec, &mut interrupt).await
    })
}

/// Everything that stands ready before the first request.
struct Stage {
    /// Not used for the run: it asks for the server's figures.
    figures: Outlet,
    before: Option<ServerStats>,
    version: Option<String>,
    live: Live,
    control: Arc<Control>,
    workers: Vec<Worker>,
    json: Option<JsonFile>,
}

impl Stage {
    async fn set(args: &RunArgs, pace: Pace, spec: &Spec, way: &Way) -> Result<Self, RunError> {
        let figures = way.open().await?;
        let before = match figures.link() {
            None => None,
            Some(link) => match link.stats().await {
                Ok(stats) => Some(stats.into()),
                // A server without this RPC can be driven all the same.
                Err(failure) if failure.kind() == ErrorKind::Unimplemented => None,
                Err(failure) => {
                    return Err(RunError::Unfit { target: args.target.clone(), failure });
                }
            },
        };
        let version = figures.version().await;
        let json = args.json.as_deref().map(JsonFile::open).transpose()?;

        let control = Arc::new(Control::default());
        let mut live = Live::default();
        let of = args.threads(pace);
        let mut workers = (0..of)
            .map(|index| {
                let id = LaneId { index, of };
                let warm_up = args.warm_up.unwrap_or_default();
                Worker::spawn(Order {
                    course: Course { id, pace, warm_up, length: args.length(), seed: args.seed },
                    spec: spec.clone(),
                    prefill: args.prefill,
                    origin: args.origin,
                    connections: id.share(args.connections(pace)),
                    way: way.clone(),
                    control: Arc::clone(&control),
                    counters: live.add(),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let ready = async {
            for worker in &mut workers {
                worker.ready().await?;
            }
            Ok::<(), RunError>(())
        };
        if args.prefill {
            let progress = Progress::new("prefill", Goal::Requests(spec.keys), live.seen());
            showing(ready, &live, progress).await?;
        } else {
            ready.await?;
        }
        Ok(Self { figures, before, version, live, control, workers, json })
    }

    async fn play(
        self,
        args: &RunArgs,
        pace: Pace,
        spec: &Spec,
        interrupt: &mut Interrupt,
    ) -> Result<RunOutcome, RunError> {
        let Self { figures, before, version, live, control, mut workers, json } = self;
        let goal = match args.length() {
            Length::Time(time) => Goal::Time(args.warm_up.unwrap_or_default() + time),
            Length::Requests(requests) => Goal::Requests(requests.get()),
        };
        let progress = Progress::new("run", goal, live.seen());
        let start = Instant::now() + LEAD;
        for worker in &mut workers {
            worker.start(start);
        }
        let end = async {
            let mut tally = Tally::default();
            for worker in workers {
                tally.merge(worker.finished().await);
            }
            tally
        };
        let stopping = async {
            interrupt.received().await;
            control.stop(Stopped::Interrupted);
            progress::say(
                "interrupted: waiting for the requests under way; Ctrl-C again leaves at once",
            );
            interrupt.received().await;
            process::exit(RunVerdict::Stopped(Stopped::Interrupted).exit_code().into())
        };
        let tally = tokio::select! {
            tally = showing(end, &live, progress) => tally,
            () = stopping => unreachable!("it ends the process"),
        };
        let after = match figures.link() {
            Some(link) => link.stats().await.ok().map(ServerStats::from),
            None => None,
        };
        let verdict = RunVerdict::of(control.stopped(), pace, &tally);
        let settings = RunSettings::new(args, pace, spec);
        let report = RunReport::new(settings, &verdict, &tally)
            .with_server(before, after)
            .with_server_version(version);
        Ok(RunOutcome { report, verdict, json })
    }
}

/// Shows progress until the end.
async fn showing<T>(end: impl Future<Output = T>, live: &Live, mut progress: Progress) -> T {
    let mut end = pin!(end);
    let mut ticks = tokio::time::interval(progress.period());
    // The first tick comes at once, when there is nothing to show.
    ticks.tick().await;
    loop {
        tokio::select! {
            end = &mut end => {
                progress.clear();
                return end;
            }
            _ = ticks.tick() => progress.show(live.seen()),
        }
    }
}

//! What every kind of run has around its courses: the server's own figures before and after,
//! the crew, progress, Ctrl-C and the seconds that were seen.

use std::{
    cell::RefCell,
    future::Future,
    ops::ControlFlow,
    pin::pin,
    process,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tiny_cache_client::ErrorKind;

use crate::{
    cli::{LoadArgs, ServerArgs, Target},
    engine::{Control, Course, Crew, Parts, Played, Stopped},
    error::Error,
    interrupt::Interrupt,
    machine::Machine,
    outcome::INTERRUPTED,
    outputs::Outputs,
    report::{Generator, SecondReport, Seconds, Server, ServerStats},
    target::Outlet,
    usage::{Usage, UsageError, UsageReport, UsageSource, own_cpu},
    watch::{self, Goal, Phase, Watchers},
    workload::Spec,
};

/// Who takes part.
pub(crate) struct Cast<'a> {
    pub(crate) target: &'a Target,
    pub(crate) server: &'a ServerArgs,
    pub(crate) parts: &'a Parts,
    /// How many keys are written first; none without a prefill.
    pub(crate) prefill: Option<u64>,
}

impl<'a> Cast<'a> {
    /// Those of a made-up workload.
    pub(crate) fn of(load: &'a LoadArgs, parts: &'a Parts, spec: &Spec) -> Self {
        Self {
            target: &load.target,
            server: &load.server,
            parts,
            prefill: load.prefill.then_some(spec.keys * spec.spaces as u64),
        }
    }
}

/// A run between its first connection and its report.
pub(crate) struct Session {
    target: Target,
    /// Not used for the run: it asks for the server's figures.
    figures: Outlet,
    before: Option<ServerStats>,
    version: Option<String>,
    gauges: Gauges,
    machine: Machine,
    crew: Crew,
    interrupt: Interrupt,
    seconds: Seconds,
    steps: usize,
    pub(crate) started: SystemTime,
    pub(crate) outputs: Outputs,
}

impl Session {
    /// Connects, and fills the cache if asked to.
    pub(crate) async fn open(cast: Cast<'_>, mut outputs: Outputs) -> Result<Self, Error> {
        let Cast { target, server, parts, prefill } = cast;
        let mut interrupt = Interrupt::listen();
        let machine = Machine::look();
        let opening = async {
            let figures = parts.way.open().await?;
            let before = stats(&figures, target).await?;
            let version = figures.version().await;
            let mut crew = Crew::assemble(parts)?;
            match prefill {
                None => crew.ready().await?,
                Some(keys) => {
                    let (name, goal) = ("prefill".to_owned(), Goal::Requests(keys));
                    let phase = Phase { name, goal, course: None };
                    outputs.watchers.begin(&target.to_string(), phase, crew.live());
                    watched(crew.ready(), &RefCell::new(&mut outputs.watchers)).await?;
                }
            }
            let gauges = Gauges::read(target, server).await;
            Ok::<_, Error>((figures, before, version, crew, gauges))
        };
        let (figures, before, version, crew, gauges) = tokio::select! {
            opened = opening => opened?,
            () = interrupt.received() => return Err(Error::Interrupted),
        };
        let (seconds, started) = (Seconds::default(), SystemTime::now());
        Ok(Self {
            target: target.clone(),
            figures,
            before,
            version,
            gauges,
            machine,
            crew,
            interrupt,
            seconds,
            steps: 0,
            started,
            outputs,
        })
    }

    /// Plays one course. The first Ctrl-C stops it; a second one does not wait for its end.
    pub(crate) async fn play(&mut self, course: Course, phase: &str, goal: Goal) -> Played {
        let control = Arc::new(Control::default());
        let phase = Phase { name: phase.to_owned(), goal, course: Some(course) };
        self.outputs.watchers.begin(&self.target.to_string(), phase, self.crew.live());
        let watchers = RefCell::new(&mut self.outputs.watchers);
        let (step, seconds) = (self.steps, &mut self.seconds);
        self.steps += 1;
        let playing = self.crew.play(course, &control, |index, second| {
            seconds.push(step, index, second);
            watchers.borrow_mut().second(step, index, second);
        });
        let stopping = async {
            self.interrupt.received().await;
            control.stop(Stopped::Interrupted);
            watchers.borrow_mut().say(
                "interrupted: waiting for the requests under way; Ctrl-C again leaves at once",
            );
            self.interrupt.received().await;
            watch::give_back();
            process::exit(INTERRUPTED.into())
        };
        tokio::select! {
            played = watched(playing, &watchers) => played,
            () = stopping => unreachable!("it ends the process"),
        }
    }

    /// Tells something while it goes on.
    pub(crate) fn say(&mut self, line: &str) {
        self.outputs.watchers.say(line);
    }

    /// Lets some time pass between two courses; Ctrl-C breaks off.
    pub(crate) async fn pause(&mut self, time: Duration) -> ControlFlow<()> {
        tokio::select! {
            () = tokio::time::sleep(time) => ControlFlow::Continue(()),
            () = self.interrupt.received() => ControlFlow::Break(()),
        }
    }

    /// Asks the server for its figures once more, and gives everything back. `requests` are all
    /// that were made.
    pub(crate) async fn close(mut self, requests: u64) -> Closed {
        let (usage, generator) = self.gauges.read_again().await;
        let after = match self.figures.link() {
            Some(link) => link.stats().await.ok().map(ServerStats::from),
            None => None,
        };
        // A pipe that nobody reads is not waited for when somebody wants to leave.
        self.outputs.watched = self.outputs.watchers.close(self.interrupt.received()).await;
        let per_core = usage.as_ref().ok().and_then(|usage| {
            usage.as_ref().and_then(|usage| usage.operations_per_core_second(requests))
        });
        let (usage, usage_unknown) = match usage {
            Ok(usage) => (usage, None),
            Err(why) => (None, Some(why)),
        };
        Closed {
            server: Server {
                version: self.version,
                before: self.before,
                after,
                usage,
                usage_unknown,
                operations_per_core_second: per_core,
            },
            generator,
            machine: self.machine,
            seconds: self.seconds.finish(),
            started: humantime::format_rfc3339_seconds(self.started).to_string(),
            outputs: self.outputs,
        }
    }
}

/// What server and generator had used when the first course began.
struct Gauges {
    /// None where there is no server.
    server: Result<Option<(UsageSource, Usage)>, UsageError>,
    own_cpu: Option<Duration>,
    at: Instant,
}

impl Gauges {
    async fn read(target: &Target, server: &ServerArgs) -> Self {
        let look = async {
            let Some(place) = target.place() else { return Ok(None) };
            let source = UsageSource::find(&place, server.server_metrics.as_ref()).await?;
            let usage = source.sample().await?;
            Ok(Some((source, usage)))
        };
        Self { server: look.await, own_cpu: own_cpu(), at: Instant::now() }
    }

    /// What they used since, or why that is not known.
    async fn read_again(self) -> (Result<Option<UsageReport>, String>, Generator) {
        let seconds = self.at.elapsed().as_secs_f64();
        let cpu = match (self.own_cpu, own_cpu()) {
            (Some(before), Some(after)) => Some(after.saturating_sub(before).as_secs_f64()),
            _ => None,
        };
        let generator = Generator { cpu_seconds: cpu, cores: cpu.map(|cpu| cpu / seconds) };
        let usage = async {
            let Some((source, before)) = self.server? else { return Ok(None) };
            let after = source.sample().await?;
            UsageReport::between(&source, &before, &after).map(Some)
        };
        (usage.await.map_err(|error: UsageError| error.to_string()), generator)
    }
}

/// What is left of a session.
pub(crate) struct Closed {
    pub(crate) server: Server,
    pub(crate) generator: Generator,
    pub(crate) machine: Machine,
    pub(crate) seconds: Vec<SecondReport>,
    pub(crate) started: String,
    pub(crate) outputs: Outputs,
}

/// The server's own figures; none where it has none to give.
async fn stats(figures: &Outlet, target: &Target) -> Result<Option<ServerStats>, Error> {
    let Some(link) = figures.link() else { return Ok(None) };
    match link.stats().await {
        Ok(stats) => Ok(Some(stats.into())),
        // A server without this RPC can be driven all the same.
        Err(failure) if failure.kind() == ErrorKind::Unimplemented => Ok(None),
        Err(failure) => Err(Error::Unfit { target: target.clone(), failure }),
    }
}

/// Has somebody look at the counters now and then, until the end.
async fn watched<T>(end: impl Future<Output = T>, watchers: &RefCell<&mut Watchers>) -> T {
    let mut end = pin!(end);
    let mut ticks = tokio::time::interval(watch::PERIOD);
    // The first tick comes at once, when there is nothing to see.
    ticks.tick().await;
    loop {
        tokio::select! {
            end = &mut end => return end,
            _ = ticks.tick() => watchers.borrow_mut().tick(),
        }
    }
}

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
use tokio::time::timeout;

use crate::{
    cli::{LoadArgs, ServerArgs, Target},
    descriptors,
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

/// What each step of the end may take after a second Ctrl-C.
const HURRY: Duration = Duration::from_secs(2);

/// Who takes part.
pub(crate) struct Cast<'a> {
    pub(crate) target: &'a Target,
    pub(crate) server: &'a ServerArgs,
    pub(crate) parts: &'a Parts,
    /// How many keys are written first; none without a prefill.
    pub(crate) prefill: Option<u64>,
    /// The namespace that is left empty; none where somebody named it.
    pub(crate) own_namespace: Option<String>,
}

impl<'a> Cast<'a> {
    /// Those of a made-up workload.
    pub(crate) fn of(load: &'a LoadArgs, parts: &'a Parts, spec: &Spec) -> Self {
        Self {
            target: &load.target,
            server: &load.server,
            parts,
            prefill: load.prefill.then_some(spec.keys * spec.spaces as u64),
            own_namespace: load.own_namespace.then(|| load.server.spaces().join(", ")),
        }
    }
}

/// A run between its first connection and its report.
pub(crate) struct Session {
    target: Target,
    /// Not used for the run: it asks for the server's figures.
    figures: Outlet,
    before: Option<ServerStats>,
    prefilled: Option<ServerStats>,
    version: Option<String>,
    gauges: Gauges,
    machine: Machine,
    crew: Crew,
    /// The namespace that is left empty, and whether it is known what to remove.
    own_namespace: Option<(String, bool)>,
    /// Whether requests were given up that may still write.
    is_abandoned: bool,
    interrupt: Interrupt,
    seconds: Seconds,
    steps: usize,
    pub(crate) started: SystemTime,
    pub(crate) outputs: Outputs,
}

impl Session {
    /// Connects, and fills the cache if asked to.
    pub(crate) async fn open(cast: Cast<'_>, mut outputs: Outputs) -> Result<Self, Error> {
        let Cast { target, server, parts, prefill, own_namespace } = cast;
        descriptors::raise(parts.connections, parts.threads)?;
        let mut interrupt = Interrupt::listen();
        let machine = Machine::look();
        let opening = async {
            let figures = parts.way.open().await?;
            let before = stats(&figures, target).await?;
            let version = figures.version().await;
            let mut crew = Crew::assemble(parts)?;
            crew.ready().await?;
            Ok::<_, Error>((figures, before, version, crew))
        };
        let (figures, before, version, mut crew) = tokio::select! {
            opened = opening => opened?,
            () = interrupt.received() => return Err(Error::Interrupted),
        };
        let mut prefilled = None;
        if let Some(keys) = prefill {
            let phase = Phase { name: "prefill".into(), goal: Goal::Requests(keys), course: None };
            outputs.watchers.begin(&target.to_string(), phase, crew.live());
            let watchers = RefCell::new(&mut outputs.watchers);
            if let Err(error) = fill(&mut crew, &mut interrupt, &watchers).await {
                if parts.written.is_some()
                    && let Err(why) = empty(&mut crew, &mut interrupt).await
                {
                    outputs.watchers.say(&left_behind(&own_namespace.unwrap_or_default(), &why));
                }
                return Err(error);
            }
            prefilled = stats(&figures, target).await.unwrap_or_default();
        }
        let gauges = Gauges::read(target, server).await;
        let mut session = Self {
            target: target.clone(),
            figures,
            before,
            prefilled,
            version,
            gauges,
            machine,
            crew,
            own_namespace: own_namespace.map(|name| (name, parts.written.is_some())),
            is_abandoned: false,
            interrupt,
            seconds: Seconds::default(),
            steps: 0,
            started: SystemTime::now(),
            outputs,
        };
        if let Some(note) = session.server().eviction_note() {
            session.say(&format!("prefill: {note}"));
        }
        Ok(session)
    }

    /// Plays one course. The first Ctrl-C stops it, a second one does not wait for the replies
    /// to come, and a third one ends the process as it is.
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
            watchers
                .borrow_mut()
                .say("interrupted: waiting for the requests under way; Ctrl-C again leaves them");
            self.interrupt.received().await;
            control.abandon(Stopped::Interrupted);
            self.interrupt.received().await;
            watch::give_back();
            process::exit(INTERRUPTED.into())
        };
        let played = tokio::select! {
            played = watched(playing, &watchers) => played,
            () = stopping => unreachable!("it ends the process"),
        };
        self.is_abandoned |= control.is_abandoned();
        played
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
            Some(link) => {
                let patience = if self.is_abandoned { HURRY } else { Duration::MAX };
                let stats = timeout(patience, link.stats()).await;
                stats.ok().and_then(Result::ok).map(ServerStats::from)
            }
            None => None,
        };
        let warning = self.leave().await;
        // A pipe that nobody reads is not waited for when somebody wants to leave.
        self.outputs.watched = self.outputs.watchers.close(self.interrupt.received()).await;
        let per_core = usage.as_ref().ok().and_then(|usage| {
            usage.as_ref().and_then(|usage| usage.operations_per_core_second(requests))
        });
        let (usage, usage_unknown) = match usage {
            Ok(usage) => (usage, None),
            Err(why) => (None, Some(why)),
        };
        let server = Server {
            after,
            usage,
            usage_unknown,
            operations_per_core_second: per_core,
            ..self.server()
        };
        Closed {
            server,
            warning,
            generator,
            machine: self.machine,
            seconds: self.seconds.finish(),
            started: humantime::format_rfc3339_seconds(self.started).to_string(),
            outputs: self.outputs,
        }
    }
}

impl Session {
    /// What is known of the server so far.
    fn server(&self) -> Server {
        Server {
            version: self.version.clone(),
            before: self.before.clone(),
            prefilled: self.prefilled.clone(),
            ..Server::default()
        }
    }

    /// Removes what the run wrote, where it made up its own namespace; says why not.
    async fn leave(&mut self) -> Option<String> {
        let (namespace, is_known) = self.own_namespace.as_ref()?;
        let why = match is_known {
            false => Err("too many keys to keep account of".to_owned()),
            true => {
                let emptying = empty(&mut self.crew, &mut self.interrupt);
                if self.is_abandoned { in_a_hurry(emptying).await } else { emptying.await }
            }
        };
        why.err().map(|why| left_behind(namespace, &why))
    }
}

/// Writes every key once.
async fn fill(
    crew: &mut Crew,
    interrupt: &mut Interrupt,
    watchers: &RefCell<&mut Watchers>,
) -> Result<(), Error> {
    let control = Arc::new(Control::default());
    let filling = crew.fill(&control);
    let mut filling = pin!(watched(filling, watchers));
    tokio::select! {
        filled = &mut filling => return Ok(filled?),
        () = interrupt.received() => control.stop(Stopped::Interrupted),
    }
    // The writes under way are waited for, so that none comes after its removal.
    tokio::select! {
        _ = &mut filling => return Err(Error::Interrupted),
        () = interrupt.received() => {}
    }
    let _ = timeout(HURRY, filling).await;
    Err(Error::Interrupted)
}

/// Gives up what takes too long for somebody who has pressed Ctrl-C twice.
async fn in_a_hurry(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let late = || Err(format!("the server took more than {HURRY:?}"));
    timeout(HURRY, work).await.unwrap_or_else(|_elapsed| late())
}

/// Removes what was written; Ctrl-C breaks that off.
async fn empty(crew: &mut Crew, interrupt: &mut Interrupt) -> Result<(), String> {
    let control = Arc::new(Control::default());
    tokio::select! {
        emptied = crew.empty(&control) => emptied.map_err(|error| error.to_string()),
        () = interrupt.received() => Err("interrupted".to_owned()),
    }
}

fn left_behind(namespace: &str, why: &str) -> String {
    format!(
        "the namespace {namespace} was not emptied: {why}; what is left there goes when its ttl \
         is over"
    )
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
    async fn read_again(&self) -> (Result<Option<UsageReport>, String>, Generator) {
        let seconds = self.at.elapsed().as_secs_f64();
        let cpu = match (self.own_cpu, own_cpu()) {
            (Some(before), Some(after)) => Some(after.saturating_sub(before).as_secs_f64()),
            _ => None,
        };
        let generator = Generator { cpu_seconds: cpu, cores: cpu.map(|cpu| cpu / seconds) };
        let usage = async {
            let Some((source, before)) = self.server.as_ref().map_err(ToString::to_string)? else {
                return Ok(None);
            };
            let after = source.sample().await.map_err(|error| error.to_string())?;
            let report = UsageReport::between(source, before, &after);
            report.map(Some).map_err(|error| error.to_string())
        };
        (usage.await, generator)
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
    /// What was left behind, and why.
    pub(crate) warning: Option<String>,
}

/// The server's own figures; none where it has none to give.
async fn stats(figures: &Outlet, target: &Target) -> Result<Option<ServerStats>, Error> {
    let Some(link) = figures.link() else { return Ok(None) };
    match link.stats().await {
        Ok(stats) => Ok(Some(stats.into())),
        // A server without this RPC can be driven all the same.
        Err(failure) if failure.kind() == ErrorKind::Unimplemented => Ok(None),
        Err(failure) => Err(Error::Unfit { target: target.to_string(), failure }),
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

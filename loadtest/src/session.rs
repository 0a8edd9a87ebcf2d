//! What every kind of run has around its courses: the server's own figures before and after,
//! the crew, progress, Ctrl-C and the seconds that were seen.

mod gauges; // what server and generator used
mod servers; // and each of several servers

use std::{
    cell::RefCell,
    future::Future,
    ops::ControlFlow,
    pin::pin,
    process,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tiny_cache_client::ErrorKind;
use tokio::{runtime, time::timeout};

use crate::{
    descriptors,
    engine::{Control, Course, Crew, CrewParts, Played, Stopped, Supply, Written},
    error::Error,
    interrupt::{INTERRUPTED, Interrupt},
    machine::Machine,
    outcome::{Outcome, Verdict},
    outputs::Outputs,
    peers::{Backend, BackendConnection, CallError},
    report::{Figures, Report, Seconds, Server, ServerStats, Settings, Step, Tool},
    spec::{Drive, Load},
    watch::{self, Goal, Phase, Watchers},
};

use self::{gauges::Gauges, servers::Looked};

/// What each step of the end may take after a second Ctrl-C.
const HURRY: Duration = Duration::from_secs(2);

/// What a session is made of.
pub(crate) struct SessionParts<'a> {
    drive: &'a Drive,
    crew: CrewParts,
    /// How many keys are written first; none without a prefill.
    prefill: Option<u64>,
}

impl<'a> SessionParts<'a> {
    /// Those of a supply of operations. Reads the files of TLS.
    pub(crate) fn new(drive: &'a Drive, supply: Supply) -> Result<Self, Error> {
        let crew = CrewParts {
            threads: drive.threads,
            connections: drive.connections,
            backend: Backend::new(&drive.route)?,
            supply,
            written: None,
            origin: drive.origin.unwrap_or_default(),
            verify: None,
        };
        Ok(Self { drive, crew, prefill: None })
    }

    /// Those of a made-up workload.
    pub(crate) fn of_load(load: &'a Load) -> Result<Self, Error> {
        let Load { drive, workload, prefill, verify, .. } = load;
        let mut parts = Self::new(drive, Supply::Made(Box::new(workload.clone())))?;
        if drive.own_namespace {
            parts.crew.written = Written::new(workload.keys, workload.spaces).map(Arc::new);
        }
        parts.crew.verify = verify.then(|| drive.route.spaces());
        parts.prefill = prefill.then_some(workload.keys * workload.spaces as u64);
        Ok(parts)
    }
}

/// Runs a session on a runtime of this thread.
pub(crate) fn block_on<T>(session: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(session)
}

/// What a command makes of its courses.
pub(crate) struct Summary {
    pub(crate) command: &'static str,
    pub(crate) settings: Settings,
    pub(crate) verdict: Verdict,
    pub(crate) figures: Figures,
}

/// A run between its first connection and its report.
pub(crate) struct Session {
    target: String,
    /// Asks for the server's figures, and carries no request of the run.
    figures: BackendConnection,
    /// What is known of the server so far.
    server: Server,
    /// The same of each, if there are several.
    looked: Looked,
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
    started: SystemTime,
    outputs: Outputs,
}

impl Session {
    /// Connects, and fills the cache if asked to.
    pub(crate) async fn open(parts: SessionParts<'_>, outputs: Outputs) -> Result<Self, Error> {
        let SessionParts { drive, crew: parts, prefill } = parts;
        descriptors::raise(parts.connections, parts.threads)?;
        let mut interrupt = Interrupt::listen();
        let machine = Machine::look();
        let target = drive.route.target.to_string();
        let own_namespace =
            drive.own_namespace.then(|| (drive.route.spaces().join(", "), parts.written.is_some()));
        let opening = async {
            // Apart from the run's own: its connections must not end at this thread.
            let figures = Backend::new(&drive.route)?.open().await?;
            let looked = servers::look(&figures).await;
            let before = if looked.is_empty() {
                stats(&figures, &target).await?
            } else {
                servers::total(&looked)
            };
            let version = figures.version().await;
            let mut crew = Crew::assemble(parts)?;
            crew.ready().await?;
            Ok::<_, Error>((figures, looked, before, version, crew))
        };
        let (figures, looked, before, version, crew) = tokio::select! {
            opened = opening => opened?,
            () = interrupt.received() => return Err(Error::Interrupted),
        };
        let mut session = Self {
            target,
            figures,
            server: Server { version, before, ..Server::default() },
            looked,
            gauges: Gauges::default(),
            machine,
            crew,
            own_namespace,
            is_abandoned: false,
            interrupt,
            seconds: Seconds::default(),
            steps: 0,
            started: SystemTime::now(),
            outputs,
        };
        if let Some(keys) = prefill {
            session.prefill(keys).await?;
        }
        session.gauges = Gauges::read(session.places(drive), &drive.server_metrics).await;
        session.crew.reset_server_counts();
        session.started = SystemTime::now();
        Ok(session)
    }

    /// Where the servers listen.
    fn places(&self, drive: &Drive) -> Vec<gauges::Place> {
        if let Some(address) = drive.route.target.host_port() {
            return vec![(String::new(), address)];
        }
        let places = self.looked.iter().map(|(name, address, _)| (name.clone(), address.clone()));
        places.collect()
    }

    /// Writes every key; removes what was written if that fails.
    async fn prefill(&mut self, keys: u64) -> Result<(), Error> {
        let phase = Phase { name: "prefill".into(), goal: Goal::Requests(keys), course: None };
        self.outputs.watchers.begin(&self.target, phase, self.crew.live());
        let watchers = RefCell::new(&mut self.outputs.watchers);
        if let Err(error) = fill(&mut self.crew, &mut self.interrupt, &watchers).await {
            if let Some((namespace, true)) = &self.own_namespace
                && let Err(why) = empty(&mut self.crew, &mut self.interrupt).await
            {
                self.outputs.watchers.say(&left_behind(namespace, &why));
            }
            return Err(error);
        }
        self.server.prefilled = if self.looked.is_empty() {
            stats(&self.figures, &self.target).await.unwrap_or_default()
        } else {
            servers::total(&servers::look(&self.figures).await)
        };
        if let Some(note) = self.server.eviction_note() {
            self.say(&format!("prefill: {note}"));
        }
        Ok(())
    }

    /// Plays one course. The first Ctrl-C stops it, a second one does not wait for the replies
    /// to come, and a third one ends the process as it is.
    pub(crate) async fn play(&mut self, course: Course, phase: &str, goal: Goal) -> Played {
        let control = Arc::new(Control::default());
        let phase = Phase { name: phase.to_owned(), goal, course: Some(course) };
        self.outputs.watchers.begin(&self.target, phase, self.crew.live());
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

    /// Says a line beside what is shown.
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

    /// Asks the server for its figures once more, gives everything back and sums up. `requests`
    /// are all that were made. The report lacks what only a trace, a search or several rates
    /// have.
    pub(crate) async fn close(mut self, requests: u64, summary: Summary) -> Outcome {
        let Summary { command, settings, verdict, figures } = summary;
        let (used, generator) = self.gauges.read_again().await;
        let mut parts = Vec::new();
        if let Some(counts) = self.crew.server_counts() {
            let looking = servers::look(&self.figures);
            let patience = if self.is_abandoned { HURRY } else { Duration::MAX };
            let after = timeout(patience, looking).await.unwrap_or_default();
            self.server.after = servers::total(&after);
            parts = servers::parts(&counts, self.looked.split_off(0), after, used.clone());
        } else if let Some(connection) = self.figures.tiny_cache() {
            let patience = if self.is_abandoned { HURRY } else { Duration::MAX };
            let stats = timeout(patience, connection.stats()).await;
            self.server.after = stats.ok().and_then(Result::ok).map(ServerStats::from);
        }
        let warning = self.leave().await;
        // A pipe that nobody reads is not waited for after another Ctrl-C.
        self.outputs.watched = self.outputs.watchers.close(self.interrupt.received()).await;
        let mut server = self.server;
        match gauges::sum(&used) {
            Ok(usage) => server.usage = usage,
            Err(why) => server.usage_unknown = Some(why),
        }
        server.operations_per_core_second =
            server.usage.as_ref().and_then(|usage| usage.operations_per_core_second(requests));
        let report = Report {
            tool: Tool::this(),
            command: command.to_owned(),
            started: humantime::format_rfc3339_seconds(self.started).to_string(),
            kept_up: settings.max_slip_seconds.map(|_| verdict.kept_up()),
            settings,
            ending: verdict.ending(),
            trace_error: None,
            trace: None,
            figures,
            search: None,
            steps: Vec::new(),
            seconds: self.seconds.finish(),
            server,
            servers: parts,
            generator,
            machine: self.machine,
        };
        Outcome { report, verdict, outputs: self.outputs, warning }
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

/// Limits a step of the end after a second Ctrl-C.
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

impl Played {
    /// What the report has of it where there are several.
    pub(crate) fn step(&self, verdict: &Verdict, cache_aside: bool) -> Step {
        let pace = self.course.pace;
        Step {
            requests_per_second: pace.rate(),
            ending: verdict.ending(),
            kept_up: pace.is_open().then(|| verdict.kept_up()),
            held: None,
            why_not: None,
            figures: Figures::new(&self.tally, self.measured(), cache_aside),
        }
    }
}

/// The server's own figures, if it has the RPC.
async fn stats(figures: &BackendConnection, target: &str) -> Result<Option<ServerStats>, Error> {
    let Some(connection) = figures.tiny_cache() else { return Ok(None) };
    match connection.stats().await {
        Ok(stats) => Ok(Some(stats.into())),
        // A server without this RPC can be driven all the same.
        Err(CallError::Failed(failure)) if failure.kind() == ErrorKind::Unimplemented => Ok(None),
        Err(failure) => Err(Error::Unfit { target: target.to_owned(), failure }),
    }
}

/// Polls the live counters every [`watch::PERIOD`] until `end` resolves.
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

//! One thread of a crew: a current-thread runtime with its connections. It connects, then does
//! what it is ordered: fill the cache, play a course, remove what was written. It reports the
//! end of each.

use std::{
    cell::RefCell,
    io,
    rc::Rc,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::{
    runtime::{self, LocalOptions},
    sync::mpsc,
    task,
};

use super::{
    control::{Control, Stopped},
    course::{Course, Length},
    fill,
    lane::{Bench, Clock, Lane},
    live::Counters,
    parts::CrewParts,
    second::Second,
    source::{Source, Supply},
    tally::Tally,
};
use crate::{
    lanes::LaneId,
    peers::{Unreachable, Verifier},
    values::Values,
    verify::Ledger,
};

/// One thread of a crew.
pub(super) struct Worker {
    pub id: LaneId,
    pub parts: Arc<CrewParts>,
    pub verify: Option<Verify>,
    pub counters: Arc<Counters>,
    pub events: mpsc::UnboundedSender<(usize, Event)>,
}

/// What all threads have to verify by.
#[derive(Clone)]
pub(super) struct Verify {
    pub ledger: Arc<Ledger>,
    pub epoch: Instant,
    pub spaces: Arc<[String]>,
}

/// What a thread is to do.
pub(super) enum Task {
    /// Write its part of the keys.
    Fill(Arc<Control>),
    /// Play a course.
    Play(Begin),
    /// Remove its part of the keys that were written.
    Empty(Arc<Control>),
}

/// The start of a course.
pub(super) struct Begin {
    pub course: Course,
    pub start: Instant,
    pub control: Arc<Control>,
}

/// What a thread reports.
pub(super) enum Event {
    /// It is connected, or has filled or emptied its part; or it could not.
    Ready(Result<(), StartError>),
    /// What a second of the course brought, counted from the end of the warm-up.
    Second(u64, Second),
    /// The course is over.
    Done(Box<Tally>),
}

/// Why a thread cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// No connection could be made.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// A write of the prefill failed.
    #[error("the prefill failed: {0}")]
    Prefill(String),
    /// What was written could not be removed.
    #[error("{0}")]
    Emptying(String),
    /// The system gives no thread or no event queue.
    #[error("cannot start a thread: {0}")]
    Runtime(#[from] io::Error),
}

/// Starts a thread.
///
/// # Errors
///
/// The system gives none.
pub(super) fn spawn(worker: Worker) -> io::Result<mpsc::UnboundedSender<Task>> {
    let (tasks, received) = mpsc::unbounded_channel();
    let run = move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => runtime.block_on(worker.work(received)),
            Err(error) => worker.say(Event::Ready(Err(error.into()))),
        }
    };
    thread::Builder::new().name("loadtest".to_owned()).spawn(run)?;
    Ok(tasks)
}

impl Worker {
    async fn work(self, mut tasks: mpsc::UnboundedReceiver<Task>) {
        let bench = match self.connect().await {
            Ok(bench) => bench,
            Err(error) => return self.say(Event::Ready(Err(error))),
        };
        let source = Rc::new(Source::new(&self.parts.supply, self.id));
        self.say(Event::Ready(Ok(())));
        while let Some(task) = tasks.recv().await {
            let event = match task {
                Task::Play(begin) => Event::Done(Box::new(self.run(&bench, &source, begin).await)),
                Task::Fill(control) => {
                    let filled = self.fill(&bench, &control).await;
                    Self::ended(&control, filled.map_err(StartError::Prefill))
                }
                Task::Empty(control) => {
                    let emptied = self.empty(&bench, &control).await;
                    Self::ended(&control, emptied.map_err(StartError::Emptying))
                }
            };
            self.say(event);
        }
    }

    /// Reports a part that was filled or emptied. After a failure the other threads stop.
    fn ended(control: &Control, result: Result<(), StartError>) -> Event {
        if result.is_err() {
            control.stop(Stopped::Interrupted);
        }
        Event::Ready(result)
    }

    async fn fill(&self, bench: &Bench, control: &Control) -> Result<(), String> {
        match &self.parts.supply {
            Supply::Made(spec) => fill::fill(bench, spec, self.id, control).await,
            Supply::Traced(_) => Ok(()),
        }
    }

    async fn empty(&self, bench: &Bench, control: &Control) -> Result<(), String> {
        match (&self.parts.supply, &self.parts.written) {
            (Supply::Made(spec), Some(written)) => {
                fill::empty(bench, spec, written.part(self.id), control).await
            }
            _ => Ok(()),
        }
    }

    /// Connects.
    async fn connect(&self) -> Result<Rc<Bench>, StartError> {
        let mut connections = Vec::new();
        for _ in 0..self.id.share(self.parts.connections) {
            connections.push(self.parts.backend.open().await?);
        }
        let verifier = self
            .verify
            .clone()
            .map(|Verify { ledger, epoch, spaces }| Verifier::new(ledger, epoch, spaces));
        Ok(Rc::new(Bench {
            connections,
            values: Values::new(),
            counters: Arc::clone(&self.counters),
            verifier,
            parts: Arc::clone(&self.parts),
        }))
    }

    /// Runs a course to its end.
    async fn run(&self, bench: &Rc<Bench>, source: &Rc<Source>, begin: Begin) -> Tally {
        let Begin { course, start, control } = begin;
        let (thread, events) = (self.id.index, self.events.clone());
        let clock = Clock {
            warm_up: course.warm_up,
            last: match course.length {
                Length::Time(time) => {
                    Some(time.as_nanos().saturating_sub(1) as u64 / 1_000_000_000)
                }
                Length::Requests(_) | Length::Whole => None,
            },
            hand_over: Box::new(move |index, second| {
                // Nobody listens where another thread could not start.
                let _ = events.send((thread, Event::Second(index, second)));
            }),
            current: RefCell::new((0, Second::default())),
        };
        let most = self.id.share(course.pace.in_flight());
        // Those of the prefill, or of the course before.
        bench.take_resent();
        let lane = Rc::new(Lane::new(Rc::clone(bench), control, start, most, clock));
        let ticking = task::spawn_local(tick(Rc::clone(&lane), start + course.warm_up));
        course.run(&lane, Rc::clone(source), self.id).await;
        ticking.abort();
        lane.hand_over_last();
        let mut tally = lane.tally.take();
        tally.abandoned = lane.abandoned();
        tally.resent = bench.take_resent();
        tally.findings = bench.verifier.as_ref().map(Verifier::findings);
        tally
    }

    fn say(&self, event: Event) {
        let _ = self.events.send((self.id.index, event));
    }
}

/// Hands every second over when it has passed, whether something was done in it or not.
async fn tick(lane: Rc<Lane>, from: Instant) {
    let second = Duration::from_secs(1);
    let mut ticks = tokio::time::interval_at((from + second).into(), second);
    loop {
        ticks.tick().await;
        lane.tick();
    }
}

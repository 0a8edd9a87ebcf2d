//! One thread of a crew: a current-thread runtime with its connections. It connects, fills
//! the cache if asked to, and then runs one course after the other; each step is told.

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
    control::Control,
    course::{Course, Length},
    lane::{Bench, Clock, Lane, Unfilled},
    live::Counters,
    pace,
    second::Second,
    source::{Source, Supply},
    tally::Tally,
};
use crate::{
    lanes::LaneId,
    target::{Verifier, Way},
    transport::Unreachable,
    values::Values,
    verify::Ledger,
};

/// What a thread is made with.
pub(super) struct Order {
    pub id: LaneId,
    pub supply: Supply,
    pub prefill: bool,
    pub origin: Duration,
    pub connections: usize,
    pub way: Way,
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

/// A word to a thread.
pub(super) struct Begin {
    pub course: Course,
    pub start: Instant,
    pub control: Arc<Control>,
}

/// What a thread says.
pub(super) enum Event {
    /// It is connected and has filled its part.
    Ready,
    /// It cannot start.
    Failed(StartError),
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
    /// The system gives no thread or no event queue.
    #[error("cannot start a thread: {0}")]
    Runtime(#[from] io::Error),
}

/// Starts a thread.
///
/// # Errors
///
/// The system gives none.
pub(super) fn spawn(order: Order) -> io::Result<mpsc::UnboundedSender<Begin>> {
    let (word, words) = mpsc::unbounded_channel();
    let run = move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => runtime.block_on(order.follow(words)),
            Err(error) => order.say(Event::Failed(error.into())),
        }
    };
    thread::Builder::new().name("loadtest".to_owned()).spawn(run)?;
    Ok(word)
}

impl Order {
    async fn follow(self, mut words: mpsc::UnboundedReceiver<Begin>) {
        let bench = match self.prepare().await {
            Ok(bench) => bench,
            Err(error) => return self.say(Event::Failed(error)),
        };
        let source = Rc::new(Source::new(&self.supply, self.id));
        self.say(Event::Ready);
        while let Some(begin) = words.recv().await {
            let tally = self.run(&bench, &source, begin).await;
            self.say(Event::Done(Box::new(tally)));
        }
    }

    /// Connects and fills.
    async fn prepare(&self) -> Result<Rc<Bench>, StartError> {
        let mut outlets = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            outlets.push(self.way.open().await?);
        }
        let counters = Arc::clone(&self.counters);
        let verifier = self
            .verify
            .clone()
            .map(|Verify { ledger, epoch, spaces }| Verifier::new(ledger, epoch, spaces));
        let (values, origin) = (Values::new(), self.origin);
        let bench = Rc::new(Bench { outlets, values, origin, counters, verifier });
        if let (true, Supply::Made(spec)) = (self.prefill, &self.supply) {
            pace::prefill(&bench, spec, self.id)
                .await
                .map_err(|Unfilled(why)| StartError::Prefill(why))?;
        }
        Ok(bench)
    }

    /// Runs a course to its end.
    async fn run(&self, bench: &Rc<Bench>, source: &Rc<Source>, begin: Begin) -> Tally {
        let Begin { course, start, control } = begin;
        let (place, events) = (self.id.index, self.events.clone());
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
                let _ = events.send((place, Event::Second(index, second)));
            }),
            current: RefCell::new((0, Second::default())),
        };
        let most = self.id.share(course.pace.in_flight());
        let lane = Rc::new(Lane::new(Rc::clone(bench), control, start, most, clock));
        let ticking = task::spawn_local(tick(Rc::clone(&lane), start + course.warm_up));
        course.run(&lane, Rc::clone(source), self.id).await;
        ticking.abort();
        lane.hand_over_last();
        let mut tally = lane.tally.take();
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

//! All threads of a run: starts them, lets them play courses, and puts together what they say.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::mpsc;

use super::{
    control::{Control, Stopped},
    course::{Course, Length},
    live::Live,
    parts::CrewParts,
    second::{Second, Seconds},
    tally::Tally,
    worker::{self, Begin, Event, StartError, Task, Verify, Worker},
};
use crate::{lanes::LaneId, peers::ServerCounts, verify::Ledger};

/// From the start order to the first instant: enough for all threads to receive it.
pub(crate) const LEAD: Duration = Duration::from_millis(20);

/// The threads of a run.
pub(crate) struct Crew {
    threads: Vec<mpsc::UnboundedSender<Task>>,
    events: mpsc::UnboundedReceiver<(usize, Event)>,
    /// Tasks of threads whose end was not heard of.
    pending: usize,
    live: Arc<Live>,
}

/// A course that is over.
pub(crate) struct Played {
    /// What was played.
    pub course: Course,
    /// What became of its requests.
    pub tally: Tally,
    /// Why it was stopped, if it was.
    pub stopped: Option<Stopped>,
}

impl Crew {
    /// Starts the threads, which connect.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub(crate) fn assemble(parts: CrewParts) -> io::Result<Self> {
        let (say, events) = mpsc::unbounded_channel();
        let mut live = Live::new(parts.backend.server_counts().cloned());
        // The run's number tells its values from those of an earlier run with the same seed.
        let run = RandomState::new().hash_one(SystemTime::now());
        let verify = parts.verify.as_ref().map(|spaces| Verify {
            ledger: Arc::new(Ledger::new(run)),
            epoch: Instant::now(),
            spaces: spaces.as_slice().into(),
        });
        let parts = Arc::new(parts);
        let threads = (0..parts.threads)
            .map(|index| {
                worker::spawn(Worker {
                    id: LaneId { index, of: parts.threads },
                    parts: Arc::clone(&parts),
                    verify: verify.clone(),
                    counters: live.add(),
                    events: say.clone(),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { threads, events, pending: 0, live: Arc::new(live) })
    }

    /// Waits until all threads are connected.
    ///
    /// # Errors
    ///
    /// One of them could not, the first that said so.
    pub(crate) async fn ready(&mut self) -> Result<(), StartError> {
        for _ in 0..self.threads.len() {
            self.heard_ready().await?;
        }
        Ok(())
    }

    /// Writes every key once, until `control` stops that.
    ///
    /// # Errors
    ///
    /// A write failed.
    pub(crate) async fn fill(&mut self, control: &Arc<Control>) -> Result<(), StartError> {
        self.order(|| Task::Fill(Arc::clone(control)));
        self.all_done().await
    }

    /// Removes what may have been written, until `control` stops that.
    ///
    /// # Errors
    ///
    /// A call failed.
    pub(crate) async fn empty(&mut self, control: &Arc<Control>) -> Result<(), StartError> {
        self.order(|| Task::Empty(Arc::clone(control)));
        self.all_done().await
    }

    fn order(&mut self, task: impl Fn() -> Task) {
        self.pending += self.threads.len();
        for thread in &self.threads {
            thread.send(task()).expect("a thread that is ready waits for a task");
        }
    }

    /// Waits for all threads; the first failure is returned.
    async fn all_done(&mut self) -> Result<(), StartError> {
        let mut all = Ok(());
        // A task that was not waited for ends first.
        while self.pending > 0 {
            let one = self.heard_ready().await;
            self.pending -= 1;
            if self.pending < self.threads.len() {
                all = all.and(one);
            }
        }
        all
    }

    async fn heard_ready(&mut self) -> Result<(), StartError> {
        match self.hear().await.1 {
            Event::Ready(result) => result,
            Event::Second(..) | Event::Done(_) => unreachable!("no course is being played"),
        }
    }

    /// What each server got, if there are several.
    pub(crate) fn server_counts(&self) -> Option<Arc<ServerCounts>> {
        self.live.servers().cloned()
    }

    /// Forgets what each server got, such as that of a prefill.
    pub(crate) fn reset_server_counts(&self) {
        self.live.servers().into_iter().for_each(|counts| counts.reset());
    }

    /// What can be seen at any instant.
    pub(crate) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live)
    }

    /// Plays a course to its end, or until `control` stops it. `second` hears of each second
    /// once no thread adds to it any more.
    pub(crate) async fn play(
        &mut self,
        course: Course,
        control: &Arc<Control>,
        mut second: impl FnMut(u64, &Second),
    ) -> Played {
        let started = Instant::now() + LEAD;
        let begin = || Begin { course, start: started, control: Arc::clone(control) };
        self.order(|| Task::Play(begin()));
        let mut tally = Tally::default();
        let mut seconds = Seconds::new(self.threads.len());
        let mut running = self.threads.len();
        while running > 0 {
            let (thread, event) = self.hear().await;
            match event {
                Event::Second(index, of_thread) => {
                    seconds.add(thread, index, &of_thread);
                    while let Some((index, whole)) = seconds.next_whole() {
                        second(index, &whole);
                    }
                }
                Event::Done(of_thread) => {
                    seconds.finish(thread);
                    tally.merge(*of_thread);
                    self.pending -= 1;
                    running -= 1;
                }
                Event::Ready(_) => unreachable!("the threads have started"),
            }
        }
        while let Some((index, left)) = seconds.next_left() {
            second(index, &left);
        }
        Played { course, tally, stopped: control.stopped() }
    }

    async fn hear(&mut self) -> (usize, Event) {
        self.events.recv().await.expect("a thread does not panic, and says when it is done")
    }
}

impl Played {
    /// The time that was measured: until the last reply, and at least as long as planned
    /// unless the course was stopped before.
    pub(crate) fn measured(&self) -> Duration {
        let Course { pace, warm_up, length, .. } = self.course;
        let seen = self.tally.last.saturating_sub(warm_up);
        let planned = match (length, pace.rate()) {
            (Length::Time(time), _) => time,
            (Length::Requests(requests), Some(rate)) => {
                Duration::from_secs_f64(requests.get() as f64 / rate.per_second())
            }
            (Length::Requests(_) | Length::Whole, _) => Duration::ZERO,
        };
        if self.stopped.is_some() { seen } else { seen.max(planned) }
    }
}

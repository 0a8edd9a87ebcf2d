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
    course::Course,
    live::Live,
    second::{Second, Seconds},
    source::Supply,
    tally::Tally,
    worker::{self, Begin, Event, Order, StartError, Verify},
};
use crate::{lanes::LaneId, target::Way, verify::Ledger};

/// From the start order to the first instant: enough for all threads to receive it.
pub(crate) const LEAD: Duration = Duration::from_millis(20);

/// What a crew is made of.
pub(crate) struct Parts {
    /// How many threads.
    pub threads: usize,
    /// Connections, over all threads.
    pub connections: usize,
    /// Where to.
    pub way: Way,
    /// What to send.
    pub supply: Supply,
    /// Whether to write every key first.
    pub prefill: bool,
    /// How long the origin takes after a miss.
    pub origin: Duration,
    /// The keyspaces whose values are verified; none where they are not.
    pub verify: Option<Vec<String>>,
}

/// The threads of a run.
pub(crate) struct Crew {
    words: Vec<mpsc::UnboundedSender<Begin>>,
    events: mpsc::UnboundedReceiver<(usize, Event)>,
    live: Arc<Live>,
}

/// A course that is over.
pub(crate) struct Played {
    /// What became of its requests.
    pub tally: Tally,
    /// Why it was stopped, if it was.
    pub stopped: Option<Stopped>,
}

impl Crew {
    /// Starts the threads, which connect and fill.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub(crate) fn assemble(parts: &Parts) -> io::Result<Self> {
        let (say, events) = mpsc::unbounded_channel();
        let mut live = Live::default();
        let verify = parts.verify.as_ref().map(|spaces| Verify {
            // A run's values are told from those of an earlier one with the same seed.
            ledger: Arc::new(Ledger::new(RandomState::new().hash_one(SystemTime::now()))),
            epoch: Instant::now(),
            spaces: spaces.as_slice().into(),
        });
        let words = (0..parts.threads)
            .map(|index| {
                let id = LaneId { index, of: parts.threads };
                worker::spawn(Order {
                    id,
                    supply: parts.supply.clone(),
                    prefill: parts.prefill,
                    origin: parts.origin,
                    connections: id.share(parts.connections),
                    way: parts.way.clone(),
                    verify: verify.clone(),
                    counters: live.add(),
                    events: say.clone(),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { words, events, live: Arc::new(live) })
    }

    /// Waits until all threads are connected and have filled the cache.
    ///
    /// # Errors
    ///
    /// One of them could not.
    pub(crate) async fn ready(&mut self) -> Result<(), StartError> {
        for _ in 0..self.words.len() {
            match self.hear().await.1 {
                Event::Ready => {}
                Event::Failed(error) => return Err(error),
                Event::Second(..) | Event::Done(_) => unreachable!("no course has begun"),
            }
        }
        Ok(())
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
        for word in &self.words {
            let begin = Begin { course, start: started, control: Arc::clone(control) };
            word.send(begin).expect("a thread that is ready waits for a word");
        }
        let mut tally = Tally::default();
        let mut seconds = Seconds::new(self.words.len());
        let mut running = self.words.len();
        while running > 0 {
            let (place, event) = self.hear().await;
            match event {
                Event::Second(index, of_thread) => {
                    seconds.add(place, index, &of_thread);
                    while let Some((index, whole)) = seconds.next_whole() {
                        second(index, &whole);
                    }
                }
                Event::Done(of_thread) => {
                    seconds.finish(place);
                    tally.merge(*of_thread);
                    running -= 1;
                }
                Event::Ready | Event::Failed(_) => unreachable!("the threads have started"),
            }
        }
        while let Some((index, left)) = seconds.next_left() {
            second(index, &left);
        }
        Played { tally, stopped: control.stopped() }
    }

    async fn hear(&mut self) -> (usize, Event) {
        self.events.recv().await.expect("a thread does not panic, and says when it is done")
    }
}

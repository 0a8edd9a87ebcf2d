//! One thread of a run: a current-thread runtime with its connections. It connects, fills
//! the cache if asked to, waits for the start and runs its course; each step is told.

use std::{
    io,
    rc::Rc,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{self, LocalOptions},
    sync::oneshot,
};

use super::{
    RunError,
    control::Control,
    lane::{Lane, Unfilled},
    live::Counters,
    pace::{self, Course},
    tally::Tally,
    target::Way,
    workload::{Spec, Workload},
};

/// What a thread is to do.
pub(super) struct Order {
    pub course: Course,
    pub spec: Spec,
    pub prefill: bool,
    pub origin: Option<Duration>,
    pub connections: usize,
    pub way: Way,
    pub control: Arc<Control>,
    pub counters: Arc<Counters>,
}

/// A thread as its starter sees it.
pub(super) struct Worker {
    ready: oneshot::Receiver<Result<(), RunError>>,
    start: Option<oneshot::Sender<Instant>>,
    tally: oneshot::Receiver<Tally>,
}

impl Worker {
    /// Starts a thread.
    ///
    /// # Errors
    ///
    /// The system gives none.
    pub(super) fn spawn(order: Order) -> io::Result<Self> {
        let (say_ready, ready) = oneshot::channel();
        let (start, started) = oneshot::channel();
        let (hand_in, tally) = oneshot::channel();
        // A send fails when nobody listens any more: another thread failed first.
        let run = move || {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default());
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = say_ready.send(Err(error.into()));
                    return;
                }
            };
            runtime.block_on(async move {
                match order.prepare().await {
                    Ok(lane) => {
                        let _ = say_ready.send(Ok(()));
                        let Ok(start) = started.await else { return };
                        let workload = Workload::new(order.spec, order.course.id);
                        order.course.run(&lane, workload, start).await;
                        let _ = hand_in.send(lane.tally.take());
                    }
                    Err(error) => {
                        let _ = say_ready.send(Err(error));
                    }
                }
            });
        };
        thread::Builder::new().name("run".to_owned()).spawn(run)?;
        Ok(Self { ready, start: Some(start), tally })
    }

    /// Waits until the thread is connected and has filled its part.
    ///
    /// # Errors
    ///
    /// One of them did not work out.
    pub(super) async fn ready(&mut self) -> Result<(), RunError> {
        (&mut self.ready).await.expect("a thread says how its start went")
    }

    /// Says when the run starts.
    pub(super) fn start(&mut self, start: Instant) {
        if let Some(sender) = self.start.take() {
            sender.send(start).expect("a thread that is ready waits for the start");
        }
    }

    /// Waits for the end and takes what the thread has counted.
    pub(super) async fn finished(self) -> Tally {
        self.tally.await.expect("a thread does not panic")
    }
}

impl Order {
    /// Connects and fills.
    async fn prepare(&self) -> Result<Rc<Lane>, RunError> {
        let mut outlets = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            outlets.push(self.way.open().await?);
        }
        let lane = Rc::new(Lane::new(
            outlets,
            Arc::clone(&self.control),
            Arc::clone(&self.counters),
            self.origin,
        ));
        if self.prefill {
            let Course { id, seed, .. } = self.course;
            let workload = Rc::new(Workload::new(self.spec.clone(), id));
            pace::prefill(&lane, &workload, id, seed)
                .await
                .map_err(|Unfilled(why)| RunError::Prefill(why))?;
        }
        Ok(lane)
    }
}

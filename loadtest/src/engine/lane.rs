//! What the requests of one thread share during a course: its connections, its tally, and the way
//! of a single request.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Notify, task};

use super::{
    control::Control,
    live::Counters,
    parts::CrewParts,
    second::Second,
    source::Job,
    tally::{Tally, Times},
};
use crate::{
    peers::{Answer, BackendConnection, CallError, Verifier},
    values::Values,
    workload::{Call, Filling, Operation},
};

/// What a thread has for all of its courses.
pub(super) struct Bench {
    pub(super) connections: Vec<BackendConnection>,
    pub(super) values: Values,
    pub(super) counters: Arc<Counters>,
    /// Present where values are verified.
    pub(super) verifier: Option<Verifier>,
    pub(super) parts: Arc<CrewParts>,
}

/// The requests of one thread in one course; no other thread touches them but for the counters.
pub(super) struct Lane {
    pub(super) bench: Rc<Bench>,
    pub(super) control: Arc<Control>,
    pub(super) start: Instant,
    pub(super) tally: RefCell<Tally>,
    /// Most requests on the wire.
    most: usize,
    on_wire: Cell<usize>,
    /// Requests whose instant has come, and fills after a miss among them.
    under_way: Cell<usize>,
    /// Requests without a reply, fills left out.
    unanswered: Cell<u64>,
    waiting: RefCell<VecDeque<(Job, Departure)>>,
    idle: Notify,
    turn: Cell<usize>,
    clock: Clock,
}

/// The seconds of a course, as one thread counts them.
pub(super) struct Clock {
    /// When measuring begins, since the start.
    pub(super) warm_up: Duration,
    /// The last second, if it is known: what is done after it counts to it.
    pub(super) last: Option<u64>,
    pub(super) hand_over: Box<dyn Fn(u64, Second)>,
    pub(super) current: RefCell<(u64, Second)>,
}

/// When a request goes out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departure {
    /// The planned instant, as time since the start, and how late it was noticed; none in a
    /// closed loop.
    pub planned: Option<Planned>,
    /// Whether it goes into the tally.
    pub measured: bool,
}

/// An instant of the plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    /// The instant, as time since the start.
    pub intended: Duration,
    /// When the sender got to it.
    pub due: Duration,
}

/// What an application does after a miss.
pub(super) struct Fill {
    connection: usize,
    space: usize,
    line: Option<u64>,
    operation: Operation,
    measured: bool,
}

impl Lane {
    pub(super) fn new(
        bench: Rc<Bench>,
        control: Arc<Control>,
        start: Instant,
        most: usize,
        clock: Clock,
    ) -> Self {
        Self {
            bench,
            control,
            start,
            tally: RefCell::default(),
            most,
            on_wire: Cell::new(0),
            under_way: Cell::new(0),
            unanswered: Cell::new(0),
            waiting: RefCell::default(),
            idle: Notify::new(),
            turn: Cell::new(0),
            clock,
        }
    }

    /// Requests sent by [`Lane::send`] that are not done.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.get()
    }

    /// Sends a request as soon as there is room on the wire. Returns at once.
    pub(super) fn send(self: &Rc<Self>, job: Job, departure: Departure) {
        self.under_way.set(self.under_way.get() + 1);
        if self.on_wire.get() >= self.most {
            let mut waiting = self.waiting.borrow_mut();
            waiting.push_back((job, departure));
            self.bench.counters.waiting(waiting.len());
            return;
        }
        self.on_wire.set(self.on_wire.get() + 1);
        let turn = self.turn.get();
        self.turn.set((turn + 1) % self.bench.connections.len());
        let lane = Rc::clone(self);
        task::spawn_local(async move {
            let mut next = Some((job, departure));
            while let Some((job, departure)) = next {
                match lane.make(turn, job, departure).await {
                    Some(fill) => lane.fill_apart(fill),
                    None => lane.done(),
                }
                next = lane.next_waiting();
            }
            lane.on_wire.set(lane.on_wire.get() - 1);
        });
    }

    fn next_waiting(&self) -> Option<(Job, Departure)> {
        let mut waiting = self.waiting.borrow_mut();
        let next = waiting.pop_front()?;
        self.bench.counters.waiting(waiting.len());
        Some(next)
    }

    /// Waits for the requests that were sent, unless they are to be abandoned.
    pub(super) async fn drained(&self) {
        while self.under_way.get() > 0 {
            tokio::select! {
                () = self.idle.notified() => {}
                () = self.control.abandoned() => break,
            }
        }
    }

    /// Requests without a reply, if the course was abandoned.
    pub(super) fn abandoned(&self) -> u64 {
        if self.control.is_abandoned() { self.unanswered.get() } else { 0 }
    }

    /// Gives up what has not been put on the wire: it was never sent, and counts as that.
    pub(super) fn forget_waiting(&self) {
        let waiting = self.waiting.take();
        let forgotten = waiting.len();
        let intended = |(_, departure): &(Job, Departure)| departure.planned.map(|at| at.intended);
        if let Some(first) = waiting.front().and_then(intended) {
            let mut tally = self.tally.borrow_mut();
            tally.unsent += forgotten as u64;
            tally.unsent_longest = self.start.elapsed().saturating_sub(first);
        }
        self.bench.counters.waiting(0);
        self.under_way.set(self.under_way.get() - forgotten);
        if self.under_way.get() == 0 {
            self.idle.notify_one();
        }
    }

    /// Makes one request over a connection and counts it. After a cache-aside miss, what an
    /// application would do next is returned.
    pub(super) async fn make(
        &self,
        connection: usize,
        job: Job,
        departure: Departure,
    ) -> Option<Fill> {
        let Departure { planned, measured } = departure;
        let sent = self.start.elapsed();
        self.bench.counters.sent();
        self.unanswered.set(self.unanswered.get() + 1);
        let reply = self.bench.issue(connection, job.space, &job.operation).await;
        self.unanswered.set(self.unanswered.get() - 1);
        let times = Times {
            intended: planned.map(|planned| planned.intended),
            due: planned.map_or(sent, |planned| planned.due),
            sent,
            done: self.start.elapsed(),
        };
        self.bench.counters.count(&reply);
        let (missed, lease) = match &reply {
            Ok(Answer::Leased(lease)) => (true, Some(*lease)),
            Ok(answer) => (answer.reads()[1] > 0, None),
            Err(_) => (false, None),
        };
        if measured {
            self.count(times, &reply);
            self.tally.borrow_mut().record(job.operation.call(), job.line, times, reply);
        } else {
            self.tally.borrow_mut().warm_up += 1;
        }
        match job.operation {
            Operation::Fetch(write) if missed => {
                let operation = Operation::Fill(Filling { write, lease });
                let Job { space, line, .. } = job;
                Some(Fill { connection, space, line, operation, measured })
            }
            _ => None,
        }
    }

    /// Waits for the origin and writes what it gave.
    pub(super) async fn fill(&self, fill: Fill) {
        let Fill { connection, space, line, operation, measured } = fill;
        let origin = self.bench.parts.origin;
        if !origin.is_zero() {
            tokio::time::sleep(origin).await;
        }
        let sent = self.start.elapsed();
        let reply = self.bench.issue(connection, space, &operation).await;
        let done = self.start.elapsed();
        if measured {
            let times = Times { intended: None, due: sent, sent, done };
            self.tally.borrow_mut().record(Call::Fill, line, times, reply);
        }
    }

    /// Fills in a task of its own, so that its place on the wire is free for the next request:
    /// the origin takes its time elsewhere.
    fn fill_apart(self: &Rc<Self>, fill: Fill) {
        let lane = Rc::clone(self);
        task::spawn_local(async move {
            lane.fill(fill).await;
            lane.done();
        });
    }

    fn done(&self) {
        self.under_way.set(self.under_way.get() - 1);
        if self.under_way.get() == 0 {
            self.idle.notify_one();
        }
    }
}

/// The seconds.
impl Lane {
    fn count(&self, times: Times, reply: &Result<Answer, CallError>) {
        self.reach(self.second_at(times.done));
        self.clock.current.borrow_mut().1.record(times, reply);
    }

    /// Hands the current second over if it has passed.
    pub(super) fn tick(&self) {
        self.reach(self.second_at(self.start.elapsed()));
    }

    /// Hands the current second over, passed or not.
    pub(super) fn hand_over_last(&self) {
        let (index, second) = self.clock.current.take();
        (self.clock.hand_over)(index, second);
    }

    fn reach(&self, index: u64) {
        let current = self.clock.current.borrow().0;
        if index > current {
            let (passed, second) = self.clock.current.replace((index, Second::default()));
            (self.clock.hand_over)(passed, second);
        }
    }

    fn second_at(&self, at: Duration) -> u64 {
        let second = at.saturating_sub(self.clock.warm_up).as_secs();
        self.clock.last.map_or(second, |last| second.min(last))
    }
}

impl Bench {
    /// Calls that were sent again since this was last called.
    pub(super) fn take_resent(&self) -> u64 {
        self.connections.iter().map(BackendConnection::take_resent).sum()
    }

    /// Makes the call of an operation, once.
    async fn issue(
        &self,
        connection: usize,
        space: usize,
        operation: &Operation,
    ) -> Result<Answer, CallError> {
        if let Some(written) = &self.parts.written {
            written.note(space, operation);
        }
        let connection = &self.connections[connection];
        connection.issue(space, operation, &self.values, self.verifier.as_ref()).await
    }

    /// Makes one write of a prefill.
    pub(super) async fn prefill(
        &self,
        connection: usize,
        space: usize,
        operation: &Operation,
    ) -> Result<(), String> {
        self.counters.sent();
        let reply = self.issue(connection, space, operation).await;
        self.counters.count(&reply);
        reply.map(|_done| ()).map_err(|error| error.named())
    }

    /// Removes keys of one keyspace.
    pub(super) async fn remove(
        &self,
        connection: usize,
        space: usize,
        keys: &[String],
    ) -> Result<(), String> {
        let connection = &self.connections[connection];
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        connection.remove(space, &keys).await.map_err(|error| error.named())
    }
}

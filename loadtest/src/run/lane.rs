//! What the requests of one thread share: its outlets, its tally, and the way a single
//! request goes.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Notify, task};

use super::{
    control::Control,
    live::Counters,
    tally::{Tally, Times},
    target::{Answer, Outlet},
    workload::Operation,
};
use crate::values::Values;

/// The requests of one thread; no other thread touches them but for the counters.
pub(super) struct Lane {
    pub(super) outlets: Vec<Outlet>,
    pub(super) control: Arc<Control>,
    pub(super) tally: RefCell<Tally>,
    counters: Arc<Counters>,
    /// How long the origin takes; none without one.
    origin: Option<Duration>,
    values: Values,
    under_way: Cell<usize>,
    idle: Notify,
    turn: Cell<usize>,
}

/// When a request goes out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departure {
    /// The run's first instant, from which all times count.
    pub start: Instant,
    /// The planned instant, as time since the start; none in a closed loop.
    pub intended: Option<Duration>,
    /// Whether it goes into the tally.
    pub measured: bool,
}

impl Lane {
    pub(super) fn new(
        outlets: Vec<Outlet>,
        control: Arc<Control>,
        counters: Arc<Counters>,
        origin: Option<Duration>,
    ) -> Self {
        Self {
            outlets,
            control,
            tally: RefCell::default(),
            counters,
            origin,
            values: Values::new(),
            under_way: Cell::new(0),
            idle: Notify::new(),
            turn: Cell::new(0),
        }
    }

    /// Requests under way that were sent by [`Lane::send`].
    pub(super) fn under_way(&self) -> usize {
        self.under_way.get()
    }

    /// Sends a request in a task of its own: whoever calls goes on at once.
    pub(super) fn send(self: &Rc<Self>, operation: Operation, departure: Departure) {
        let lane = Rc::clone(self);
        lane.under_way.set(lane.under_way.get() + 1);
        let turn = lane.turn.get();
        lane.turn.set((turn + 1) % lane.outlets.len());
        task::spawn_local(async move {
            lane.make(turn, &operation, departure).await;
            lane.under_way.set(lane.under_way.get() - 1);
            if lane.under_way.get() == 0 {
                lane.idle.notify_one();
            }
        });
    }

    /// Waits for the requests that were sent.
    pub(super) async fn drained(&self) {
        while self.under_way.get() > 0 {
            self.idle.notified().await;
        }
    }

    /// Makes one request over an outlet and counts it; after a cache-aside miss, the fetch
    /// and the set as well.
    pub(super) async fn make(&self, outlet: usize, operation: &Operation, departure: Departure) {
        let Departure { start, intended, measured } = departure;
        let sent = start.elapsed();
        let reply = self.outlets[outlet].issue(operation, &self.values).await;
        let times = Times { intended: intended.unwrap_or(sent), sent, done: start.elapsed() };
        self.counters.count(reply.is_err());
        let missed = matches!(reply, Ok(Answer::Read { misses: 1.., .. }));
        if measured {
            self.tally.borrow_mut().record(operation.call(), times, reply);
        } else {
            self.tally.borrow_mut().warm_up += 1;
        }
        if let (true, Operation::Fetch(write), Some(time)) = (missed, operation, self.origin) {
            tokio::time::sleep(time).await;
            let sent = start.elapsed();
            let fill = Operation::Set(write.clone());
            let reply = self.outlets[outlet].issue(&fill, &self.values).await;
            if measured {
                self.tally.borrow_mut().fetched(sent, start.elapsed(), reply);
            }
        }
    }
}

/// A prefill's write failed, with what was said.
#[derive(Debug)]
pub(super) struct Unfilled(pub(super) String);

impl Lane {
    /// Makes one write of a prefill.
    pub(super) async fn fill(&self, outlet: usize, operation: &Operation) -> Result<(), Unfilled> {
        let reply = self.outlets[outlet].issue(operation, &self.values).await;
        self.counters.count(reply.is_err());
        reply.map(|_done| ()).map_err(|error| Unfilled(format!("{}: {error}", error.name())))
    }
}

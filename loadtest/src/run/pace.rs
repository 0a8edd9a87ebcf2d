//! Decides when a thread sends: at its planned instants, or whenever a slot is free. Knows
//! nothing of what is sent.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::task;

use super::{
    alarm::Alarm,
    control::Stopped,
    lane::{Departure, Lane, Unfilled},
    lanes::LaneId,
    plan::Plan,
    workload::Workload,
};
use crate::cli::{Length, Pace};

/// Requests sent in a row by a thread that is late, before those that were answered
/// meanwhile get their turn.
const ROW: usize = 16;

/// How late a thread may be before the run is broken off: catching up would only measure
/// the queue in this process.
const HOPELESS: Duration = Duration::from_secs(5);

/// Writes under way on each connection during a prefill.
const FILLING: usize = 16;

/// One thread's part of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub id: LaneId,
    pub pace: Pace,
    pub warm_up: Duration,
    pub length: Length,
    pub seed: u64,
}

impl Course {
    /// Runs it to its end.
    pub(super) async fn run(self, lane: &Rc<Lane>, workload: Workload, start: Instant) {
        match self.pace {
            Pace::Open { rate, arrivals, max_in_flight, .. } => {
                let plan = Plan::new(arrivals, rate, self.id, self.seed)
                    .map(|intended| (intended, start + intended));
                let most = self.id.share(max_in_flight);
                if self.open(lane, workload, plan, most).await.is_err() {
                    lane.control.stop(Stopped::FarBehind);
                }
                lane.drained().await;
            }
            Pace::Closed { in_flight } => {
                self.closed(lane, workload, start, self.id.share(in_flight)).await;
            }
        }
    }

    /// Open loop. What is drawn is drawn before its instant.
    async fn open(
        self,
        lane: &Rc<Lane>,
        mut workload: Workload,
        plan: impl Iterator<Item = (Duration, Instant)>,
        most: usize,
    ) -> std::io::Result<()> {
        let alarm = Alarm::new()?;
        let mut left = self.budget();
        let mut row = 0;
        for (intended, instant) in plan {
            let measured = intended >= self.warm_up;
            if left.is_over(intended, measured) {
                break;
            }
            let operation = workload.next_operation();
            if instant > Instant::now() {
                row = 0;
                tokio::select! {
                    woken = alarm.until(instant) => woken?,
                    () = lane.control.stopping() => break,
                }
            } else {
                row += 1;
                if row % ROW == 0 {
                    task::yield_now().await;
                }
            }
            if lane.control.is_stopping() {
                break;
            }
            if lane.under_way() >= most {
                lane.control.stop(Stopped::TooManyInFlight);
                break;
            }
            if instant.elapsed() > HOPELESS {
                lane.control.stop(Stopped::FarBehind);
                break;
            }
            lane.send(
                operation,
                Departure { start: instant - intended, intended: Some(intended), measured },
            );
        }
        Ok(())
    }

    /// Closed loop: every slot makes one request after the other.
    async fn closed(self, lane: &Rc<Lane>, workload: Workload, start: Instant, slots: usize) {
        tokio::select! {
            () = tokio::time::sleep_until(start.into()) => {}
            () = lane.control.stopping() => {}
        }
        let workload = Rc::new(RefCell::new(workload));
        let left = Rc::new(RefCell::new(self.budget()));
        let slot = |outlet: usize| {
            let (lane, workload, left) = (Rc::clone(lane), Rc::clone(&workload), Rc::clone(&left));
            async move {
                while !lane.control.is_stopping() {
                    let now = start.elapsed();
                    let measured = now >= self.warm_up;
                    if left.borrow_mut().is_over(now, measured) {
                        break;
                    }
                    let operation = workload.borrow_mut().next_operation();
                    let departure = Departure { start, intended: None, measured };
                    lane.make(outlet, &operation, departure).await;
                    // The null target never waits, and signals have to get in.
                    task::consume_budget().await;
                }
            }
        };
        let running: Vec<_> =
            (0..slots).map(|index| task::spawn_local(slot(index % lane.outlets.len()))).collect();
        for slot in running {
            slot.await.expect("a slot does not panic");
        }
    }

    fn budget(&self) -> Budget {
        match self.length {
            Length::Time(time) => Budget::Until(self.warm_up + time),
            Length::Requests(requests) => Budget::Left(self.id.quota(requests)),
        }
    }
}

/// What a thread may still send.
enum Budget {
    /// Anything up to a time.
    Until(Duration),
    /// So many measured requests.
    Left(u64),
}

impl Budget {
    /// Takes a request at this time off the budget, unless that is used up.
    fn is_over(&mut self, at: Duration, measured: bool) -> bool {
        match self {
            Self::Until(end) => at >= *end,
            Self::Left(_) if !measured => false,
            Self::Left(0) => true,
            Self::Left(left) => {
                *left -= 1;
                false
            }
        }
    }
}

/// Writes a thread's part of the keys, each once.
pub(super) async fn prefill(
    lane: &Rc<Lane>,
    workload: &Rc<Workload>,
    id: LaneId,
    seed: u64,
) -> Result<(), Unfilled> {
    let next = Rc::new(Cell::new(id.index as u64));
    let failed = Rc::new(RefCell::new(None));
    let rng = Rc::new(RefCell::new(id.rng(seed.rotate_left(32))));
    let writer = |outlet: usize| {
        let (lane, workload) = (Rc::clone(lane), Rc::clone(workload));
        let (next, failed, rng) = (Rc::clone(&next), Rc::clone(&failed), Rc::clone(&rng));
        async move {
            while failed.borrow().is_none() && !lane.control.is_stopping() {
                let number = next.get();
                if number >= workload.keys() {
                    break;
                }
                next.set(number + id.of as u64);
                let write = workload.fill(number, &mut rng.borrow_mut());
                if let Err(why) = lane.fill(outlet, &write).await {
                    failed.borrow_mut().get_or_insert(why);
                }
                task::consume_budget().await;
            }
        }
    };
    let outlets = lane.outlets.len();
    let running: Vec<_> =
        (0..outlets * FILLING).map(|index| task::spawn_local(writer(index % outlets))).collect();
    for writer in running {
        writer.await.expect("a writer does not panic");
    }
    failed.take().map_or(Ok(()), Err)
}

//! Decides when a thread sends: at its planned instants, or whenever a slot is free. Knows
//! nothing of what is sent.

use std::{
    cell::RefCell,
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::task;

use super::{
    alarm::Alarm,
    arrivals::Arrivals,
    control::{Control, Stopped},
    course::{Course, Length, Pace},
    lane::{Departure, Lane, Planned},
    source::{Job, Source},
};
use crate::lanes::LaneId;

/// Requests sent in a row by a thread that is late, before those that were answered
/// meanwhile get their turn.
const ROW: usize = 16;

/// How late a thread may be before the course is broken off: catching up would only measure
/// the queue in this process.
const HOPELESS: Duration = Duration::from_secs(5);

/// Where the next instant comes from.
enum Instants {
    Planned(Arrivals),
    /// The trace's own, at a multiple of its speed.
    Traced(f64),
}

/// What an open loop goes by.
struct Sending {
    instants: Instants,
    left: Budget,
    /// Most requests under way.
    most: usize,
}

impl Course {
    /// Runs it to its end.
    pub(super) async fn run(self, lane: &Rc<Lane>, source: Rc<Source>, id: LaneId) {
        let (instants, most) = match self.pace {
            Pace::Closed { in_flight } => {
                return self.closed(lane, source, id, id.share(in_flight)).await;
            }
            Pace::Open { rate, arrivals, max_in_flight, .. } => {
                (Instants::Planned(Arrivals::new(arrivals, rate, id, self.seed)), max_in_flight)
            }
            Pace::Traced { speed, max_in_flight, .. } => (Instants::Traced(speed), max_in_flight),
        };
        let (left, most) = (Budget::of(&self, id), id.share(most));
        if self.open(lane, &source, Sending { instants, left, most }).await.is_err() {
            // Without a timer there is no plan to be kept.
            lane.control.stop(Stopped::FarBehind);
        }
        if lane.control.is_stopping() {
            lane.forget_waiting();
        }
        lane.drained().await;
    }

    /// Open loop. What is drawn is drawn before its instant.
    async fn open(self, lane: &Rc<Lane>, source: &Source, sending: Sending) -> io::Result<()> {
        let Sending { mut instants, mut left, most } = sending;
        let alarm = Alarm::new()?;
        let mut row = 0;
        loop {
            let planned = match &mut instants {
                Instants::Planned(arrivals) => arrivals.next(),
                Instants::Traced(_) => None,
            };
            if planned.is_some_and(|at| left.is_over(at, at >= self.warm_up)) {
                break;
            }
            let Some(job) = next_unless_stopped(source, &lane.control).await else { break };
            let intended = match instants {
                Instants::Planned(_) => planned.expect("a plan has no end"),
                Instants::Traced(speed) => job.at.unwrap_or_default().div_f64(speed),
            };
            let instant = lane.start + intended;
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
            let due = lane.start.elapsed();
            if due.saturating_sub(intended) > HOPELESS {
                lane.control.stop(Stopped::FarBehind);
                break;
            }
            let planned = Some(Planned { intended, due });
            lane.send(job, Departure { planned, measured: intended >= self.warm_up });
        }
        Ok(())
    }

    /// Closed loop: every slot makes one request after the other.
    async fn closed(self, lane: &Rc<Lane>, source: Rc<Source>, id: LaneId, slots: usize) {
        tokio::select! {
            () = tokio::time::sleep_until(lane.start.into()) => {}
            () = lane.control.stopping() => {}
        }
        let left = Rc::new(RefCell::new(Budget::of(&self, id)));
        let slot = |connection: usize| {
            let (lane, source, left) = (Rc::clone(lane), Rc::clone(&source), Rc::clone(&left));
            async move {
                while !lane.control.is_stopping() {
                    let now = lane.start.elapsed();
                    let measured = now >= self.warm_up;
                    if left.borrow_mut().is_over(now, measured) {
                        break;
                    }
                    let Some(job) = next_unless_stopped(&source, &lane.control).await else {
                        break;
                    };
                    let departure = Departure { planned: None, measured };
                    if let Some(fill) = lane.make(connection, job, departure).await {
                        lane.fill(fill).await;
                    }
                    // The null target never waits, and signals have to get in.
                    task::consume_budget().await;
                }
            }
        };
        let connections = lane.bench.connections.len();
        let running: Vec<_> =
            (0..slots).map(|index| task::spawn_local(slot(index % connections))).collect();
        for mut slot in running {
            tokio::select! {
                ended = &mut slot => ended.expect("a slot does not panic"),
                () = lane.control.abandoned() => slot.abort(),
            }
        }
    }
}

/// The next operation, unless the course stops first: a trace may come through a silent pipe.
async fn next_unless_stopped(source: &Source, control: &Control) -> Option<Job> {
    match source {
        Source::Made(_) => source.next().await,
        Source::Traced(_) => tokio::select! {
            biased;
            job = source.next() => job,
            () = control.stopping() => None,
        },
    }
}

/// What a thread may still send.
enum Budget {
    /// Anything.
    Endless,
    /// Anything up to a time.
    Until(Duration),
    /// So many measured requests.
    Left(u64),
}

impl Budget {
    fn of(course: &Course, id: LaneId) -> Self {
        match course.length {
            Length::Time(time) => Self::Until(course.warm_up + time),
            Length::Requests(requests) => Self::Left(id.quota(requests)),
            Length::Whole => Self::Endless,
        }
    }

    /// Takes a request at this time off the budget, unless that is used up.
    fn is_over(&mut self, at: Duration, measured: bool) -> bool {
        match self {
            Self::Endless => false,
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

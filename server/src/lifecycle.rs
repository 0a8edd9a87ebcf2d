//! The phase that the server is in: which parts it waits for, whether it serves, why it drains.
//!
//! [`Phase::Serving`] is what readiness and gRPC health report. It begins when the last part has
//! reported ready, and ends with the first part that is lost or with a stop, or while a second tier
//! is away that is required. A lost part begins the same drain as a stop does.

mod part;
mod streams;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::error;

pub use self::part::{Lost, Part};
pub(crate) use self::streams::EndsAtDrain;

/// The phases, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Bound; these parts are not ready yet.
    Starting(Vec<Part>),
    /// Every part is ready.
    Serving,
    /// As [`Self::Serving`], but for the second tier, which is away and is required.
    WithoutTier,
    /// Answers what it has and takes nothing new: for a stop, or because a part was lost.
    Draining(Option<Lost>),
}

/// The server's phase, and what turns it. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Lifecycle {
    phase: watch::Sender<Phase>,
    drain: CancellationToken,
}

impl Lifecycle {
    /// A server that serves as soon as each of `parts` is ready.
    pub(crate) fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        let (phase, _) = watch::channel(Phase::Starting(parts.into_iter().collect()));
        Self { phase, drain: CancellationToken::new() }
    }

    pub(crate) fn phases(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Cancelled when the drain begins, just after the phase has turned.
    pub(crate) fn draining(&self) -> CancellationToken {
        self.drain.clone()
    }

    /// Records that `part` is ready.
    pub(crate) fn ready(&self, part: Part) {
        self.phase.send_if_modified(|phase| {
            let Phase::Starting(waiting) = phase else { return false };
            waiting.retain(|other| *other != part);
            let is_last = waiting.is_empty();
            if is_last {
                *phase = Phase::Serving;
            }
            is_last
        });
    }

    /// The second tier, which is required, has come or gone.
    pub(crate) fn set_tier(&self, is_there: bool) {
        self.phase.send_if_modified(|phase| match (&*phase, is_there) {
            (Phase::Serving, false) => {
                *phase = Phase::WithoutTier;
                true
            }
            (Phase::WithoutTier, true) => {
                *phase = Phase::Serving;
                true
            }
            _ => false,
        });
    }

    /// Begins the drain, unless it has begun.
    pub(crate) fn drain(&self) {
        self.begin_drain(None);
    }

    /// Begins the drain because `part` has ended. Once the drain has begun, parts end as they
    /// should, and nothing is reported.
    pub(crate) fn lose(&self, part: Part, reason: String) {
        let lost = Lost { part, reason };
        if !self.begin_drain(Some(lost.clone())) {
            return;
        }
        if part == Part::Log {
            lost.print();
        }
        error!(
            %part,
            reason = lost.reason,
            remedy = Lost::REMEDY,
            "a part of the server has ended early; the server drains and ends"
        );
    }

    /// Waits until every part is ready.
    ///
    /// # Errors
    /// [`Lost`] when a part ends first. Waits for ever when a stop comes first.
    pub(crate) async fn until_ready(&self) -> Result<(), Lost> {
        tokio::select! {
            biased;
            lost = self.until_lost() => Err(lost),
            () = self.until(|phase| (*phase == Phase::Serving).then_some(())) => Ok(()),
        }
    }

    /// Waits until a part is lost: for ever, if none is.
    pub(crate) async fn until_lost(&self) -> Lost {
        self.until(|phase| match phase {
            Phase::Draining(lost) => lost.clone(),
            Phase::Starting(_) | Phase::Serving | Phase::WithoutTier => None,
        })
        .await
    }

    async fn until<T>(&self, mut reached: impl FnMut(&Phase) -> Option<T>) -> T {
        let mut phases = self.phases();
        loop {
            if let Some(reached) = reached(&phases.borrow_and_update()) {
                return reached;
            }
            phases.changed().await.expect("this is a sender");
        }
    }

    /// Returns whether the drain begins with this call.
    fn begin_drain(&self, lost: Option<Lost>) -> bool {
        let begins = self.phase.send_if_modified(|phase| {
            let begins = !matches!(phase, Phase::Draining(_));
            if begins {
                *phase = Phase::Draining(lost);
            }
            begins
        });
        self.drain.cancel();
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    const PARTS: [Part; 3] = [Part::Worker(0), Part::Worker(1), Part::Http];

    fn phase(of: &Lifecycle) -> Phase {
        of.phases().borrow().clone()
    }

    #[test]
    fn the_last_part_that_is_ready_makes_the_server_serve() {
        let lifecycle = Lifecycle::new(PARTS);
        lifecycle.ready(Part::Http);
        lifecycle.ready(Part::Http);
        lifecycle.ready(Part::Worker(0));
        assert_eq!(phase(&lifecycle), Phase::Starting(vec![Part::Worker(1)]));
        assert_eq!(lifecycle.until_ready().now_or_never(), None);
        lifecycle.ready(Part::Worker(1));
        assert_eq!(phase(&lifecycle), Phase::Serving);
        assert_eq!(lifecycle.until_ready().now_or_never(), Some(Ok(())));
        assert!(!lifecycle.draining().is_cancelled());
    }

    #[test]
    fn the_first_part_that_is_lost_begins_the_drain_and_is_the_one_named() {
        for ready in [0, PARTS.len()] {
            let lifecycle = Lifecycle::new(PARTS);
            PARTS[..ready].iter().for_each(|part| lifecycle.ready(*part));
            lifecycle.lose(Part::Worker(1), "panicked".to_owned());
            lifecycle.lose(Part::Http, "returned".to_owned());
            let lost = Lost { part: Part::Worker(1), reason: "panicked".to_owned() };
            assert_eq!(phase(&lifecycle), Phase::Draining(Some(lost.clone())));
            assert!(lifecycle.draining().is_cancelled());
            assert_eq!(lifecycle.until_lost().now_or_never(), Some(lost.clone()));
            assert_eq!(lifecycle.until_ready().now_or_never(), Some(Err(lost)));
        }
    }

    #[test]
    fn parts_that_end_in_a_drain_are_not_lost() {
        let lifecycle = Lifecycle::new(PARTS);
        lifecycle.drain();
        lifecycle.lose(Part::Http, "returned".to_owned());
        lifecycle.ready(Part::Worker(1));
        assert_eq!(phase(&lifecycle), Phase::Draining(None));
        assert_eq!(lifecycle.until_lost().now_or_never(), None);
    }
}

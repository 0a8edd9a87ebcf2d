//! What is due by when, and what is done then.

use std::time::{Duration, Instant};

use super::{
    clock::ALIVE,
    state::{Connection, Drain, Phase},
};
use crate::{
    error::{Code, ConnectionError, ErrorKind},
    frame,
    stream::Intake,
};

/// Time for the peer to answer the PING behind the first GOAWAY.
const DRAIN_TIME: Duration = Duration::from_secs(1);

impl Connection {
    /// When [`receive`](Self::receive) is to be called at the latest, whether bytes have come
    /// or not. Never for one that has ended.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if let Phase::Failed(_) = self.phase {
            return None;
        }
        let (limits, clock) = (&self.config.limits, &self.clock);
        // Before the handshake's end its own deadline is what counts, however late it is: no PING
        // could be sent.
        let silence = self.is_established().then(|| match clock.pinged {
            Some(pinged) => pinged + limits.ping_timeout,
            None => clock.heard + limits.ping_interval,
        });
        let handshake = (!self.is_established()).then(|| clock.opened + limits.handshake_time);
        let drained = match self.drain {
            Drain::Announced(since) => Some(since + DRAIN_TIME),
            Drain::None | Drain::Final(_) => None,
        };
        let stalled = [clock.reading, clock.writing].into_iter().flatten().min();
        let stalled = stalled.map(|since| since + limits.stall_time);
        [handshake, silence, clock.gather_end, drained, stalled].into_iter().flatten().min()
    }

    /// Does what is due.
    #[inline]
    pub(super) fn tick(&mut self, now: Instant) -> Result<(), ConnectionError> {
        if self.clock.ticked == Some(now) {
            return Ok(());
        }
        self.clock.ticked = Some(now);
        self.budgets.refill(now);
        self.clock.wrote(0, self.is_sending(), now);
        match self.deadline() {
            Some(deadline) if deadline <= now => self.act(now),
            _ => Ok(()),
        }
    }

    fn act(&mut self, now: Instant) -> Result<(), ConnectionError> {
        let limits = self.config.limits;
        let has_passed =
            |since: Option<Instant>, time: Duration| since.is_some_and(|since| now >= since + time);
        if !self.is_established() && has_passed(Some(self.clock.opened), limits.handshake_time) {
            let reason = "no HTTP/2 preface within the handshake timeout";
            return Err(ConnectionError {
                kind: ErrorKind::Handshake,
                code: Code::SETTINGS_TIMEOUT,
                reason,
            });
        }
        if has_passed(self.clock.pinged, limits.ping_timeout) {
            return Err(late(ErrorKind::KeepAlive, "a ping was not answered"));
        }
        if has_passed(self.clock.reading, limits.stall_time) {
            return Err(late(ErrorKind::Stalled, "a frame or header block was not completed"));
        }
        if has_passed(self.clock.writing, limits.stall_time) {
            return Err(late(ErrorKind::Stalled, "the peer took nothing of its replies"));
        }
        if self.is_established()
            && self.clock.pinged.is_none()
            && has_passed(Some(self.clock.heard), limits.ping_interval)
        {
            self.clock.pinged = Some(now);
            frame::put_ping(self.output.buffer(), 0, ALIVE);
        }
        if let Drain::Announced(since) = self.drain
            && has_passed(Some(since), DRAIN_TIME)
        {
            self.finish_drain();
        }
        if has_passed(self.clock.gather_end, Duration::ZERO) {
            self.end_gathering(now);
        }
        Ok(())
    }

    /// Hands over as streams those bodies that have taken too long.
    fn end_gathering(&mut self, now: Instant) {
        let time = self.config.limits.gather_time;
        self.clock.gather_end = None;
        for stream in self.streams.iter_mut() {
            let Intake::Gathering(gather) = &mut stream.intake else { continue };
            if gather.is_ready {
                continue;
            }
            let end = gather.since + time;
            if end <= now {
                gather.is_ready = true;
                self.ready.push_back(stream.id);
            } else {
                self.clock.gathering(end);
            }
        }
    }
}

fn late(kind: ErrorKind, reason: &'static str) -> ConnectionError {
    ConnectionError { kind, code: Code::ENHANCE_YOUR_CALM, reason }
}

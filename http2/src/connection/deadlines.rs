//! What is due by when, and what is done then.

use std::time::{Duration, Instant};

use super::{
    clock::ALIVE,
    patience::LOOK,
    state::{Connection, Drain, Phase},
};
use crate::{
    error::{Code, ConnectionError, ErrorKind},
    frame::{self, Head, Kind},
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
        let reading = clock.reading.map(|since| since + self.reading_time());
        let stalled = clock.writing.map(|writing| writing.since + self.patience.stall_time);
        // What its owner grants may change meanwhile, so a connection that waits is looked at.
        let waits = self.is_established() && self.is_sending();
        let look = waits.then(|| clock.looked.or(clock.ticked)).flatten();
        let look = look.map(|looked| looked + LOOK);
        [handshake, silence, clock.gather_end, drained, reading, stalled, look]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due.
    #[inline]
    pub(super) fn tick(&mut self, now: Instant) -> Result<(), ConnectionError> {
        if self.clock.ticked == Some(now) {
            return Ok(());
        }
        self.clock.ticked = Some(now);
        self.budgets.refill(now);
        self.clock.wrote(0, self.is_stuck(), now);
        if self.is_sending() {
            self.clock.looked.get_or_insert(now);
        } else {
            self.clock.looked = None;
        }
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
        if has_passed(self.clock.reading, self.reading_time()) {
            return Err(late(ErrorKind::Stalled, "a frame or header block was not completed"));
        }
        let writing = self.clock.writing.map(|writing| writing.since);
        if has_passed(writing, self.patience.stall_time) {
            return Err(late(ErrorKind::Stalled, "the peer took nothing of its replies"));
        }
        if has_passed(self.clock.looked, LOOK) {
            self.look_at_streams(now)?;
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

    /// Time for the rest of what has begun: a frame of DATA may come as slowly as any, and nothing
    /// else has a reason to.
    fn reading_time(&self) -> Duration {
        let head = Head::parse(&self.held);
        let is_data = head.is_some_and(|head| head.kind == Kind::Data) && self.block.is_none();
        let limits = &self.config.limits;
        if is_data { limits.stall_time } else { limits.block_time }
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

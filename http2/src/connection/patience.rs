//! How long the peer may take for its replies. What waits for it is memory of this side's, so it has
//! to take some of it within a time: on each stream whose own window holds it up, and on the
//! connection. A stream that takes too little is given up alone; its connection goes on.

use std::time::{Duration, Instant};

use super::state::Connection;
use crate::{
    error::{Code, ConnectionError},
    flood::Nuisance,
    patience::{Patience, Waiting},
    stream::Ending,
};

/// How often streams that wait are looked at.
pub(super) const LOOK: Duration = Duration::from_secs(1);

impl Connection {
    /// Grants more or less time and room to the peer from here on.
    #[inline]
    pub fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// Bytes of replies that wait for the peer and were copied for it: all of the output but what
    /// was lent to it, and small pieces that a window holds back.
    #[must_use]
    pub fn copied_bytes(&self) -> usize {
        self.output.len() - self.output.lent_bytes() + self.copied
    }

    /// Whether all that waits, waits for the peer to read, or to open the connection's window.
    pub(super) fn is_stuck(&self) -> bool {
        self.output.len() > 0 || (self.senders > 0 && self.send_window.available() == 0)
    }

    /// Looks at the streams that wait, and gives those up that have taken too little.
    pub(super) fn look_at_streams(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.clock.looked = Some(now);
        if self.senders == 0 {
            return Ok(());
        }
        let time = self.patience.stall_time;
        let mut stalled = Vec::new();
        for stream in self.streams.iter_mut() {
            let is_held_up = stream.send_window.available() == 0;
            let Some(sending) = &mut stream.sending else { continue };
            if !is_held_up || sending.bytes == 0 {
                sending.waiting = None;
                continue;
            }
            let waiting = sending.waiting.get_or_insert(Waiting::from(now));
            if now >= waiting.since + time {
                stalled.push(stream.id);
            }
        }
        for id in stalled {
            self.budgets.spend(Nuisance::Fault)?;
            crate::frame::put_reset(self.output.buffer(), id, Code::ENHANCE_YOUR_CALM);
            self.discard(id, Ending::ResetByUs);
            self.stalled.push(id);
        }
        Ok(())
    }
}

//! What is due by time: timers, the steps of a drain, and the end of a connection's own time.

use std::{io, pin::Pin, task::Context};

use tiny_cache_http2::Workspace;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::sleep_until,
};
use tokio_util::sync::WaitForCancellationFuture;

use super::{super::answers::Answers, Drain, Turn, Turns, now};
use crate::transport::{
    farewell::{Calls as CallsOpen, Farewell, PING_PAYLOAD, Step},
    lifetime::Due,
};

impl<IO, A> Turns<'_, IO, A>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    A: Answers,
{
    /// Waits for what is due by time, or does what is due already.
    pub(super) fn wait(&mut self, cx: &mut Context<'_>, work: &mut Workspace) -> io::Result<Turn> {
        while let Some(due) = self.deadline() {
            match &mut self.timer {
                // It has left the task's waker. One that is due earlier is left alone, too: most
                // deadlines move on with each turn.
                Some(timer) if timer.deadline() <= due && !timer.is_elapsed() => {
                    return Ok(Turn::Idle);
                }
                Some(timer) => timer.as_mut().reset(due),
                none => *none = Some(Box::pin(sleep_until(due))),
            }
            let timer = self.timer.as_mut().expect("it was just set where it was not");
            if timer.as_mut().poll(cx).is_pending() {
                return Ok(Turn::Idle);
            }
            self.handle(cx, &[], now(), work)?;
            if self.is_over() {
                return Ok(Turn::Ended);
            }
            if self.lifetime.as_ref().is_some_and(|lifetime| lifetime.is_due(now())) {
                return Ok(Turn::More);
            }
        }
        Ok(Turn::Idle)
    }

    fn deadline(&self) -> Option<tokio::time::Instant> {
        let lifetime = self.lifetime.as_ref().and_then(|lifetime| lifetime.deadline());
        let connection = self.link.connection.borrow().deadline();
        lifetime.into_iter().chain(connection).min().map(Into::into)
    }

    /// The calls that are open.
    fn calls_open(&self) -> CallsOpen {
        let connection = self.link.connection.borrow();
        CallsOpen { none_open: connection.open_streams() == 0, last: connection.last_stream() }
    }

    /// Whether the connection is to end by itself. Cuts it off where it is to be closed.
    fn has_served(&mut self) -> bool {
        let calls = self.calls_open();
        let Some(lifetime) = &mut self.lifetime else { return false };
        match lifetime.due(calls, now()) {
            Due::Nothing => false,
            Due::Retire => true,
            Due::Cut => {
                self.is_cut = true;
                false
            }
        }
    }

    /// Takes the next step of the drain, if it has begun.
    pub(super) fn say_goodbye(
        &mut self,
        cx: &mut Context<'_>,
        draining: Pin<&mut WaitForCancellationFuture<'_>>,
        work: &mut Workspace,
    ) -> io::Result<()> {
        let has_served = self.lifetime.is_some() && self.has_served();
        if matches!(self.drain, Drain::None) && (has_served || draining.poll(cx).is_ready()) {
            let quiet = self.engine.limits.quiet_timeout;
            self.drain = Drain::Waits(Farewell::within(quiet));
        }
        let calls = self.calls_open();
        let Drain::Waits(farewell) = &mut self.drain else { return Ok(()) };
        let now = now();
        let mut connection = self.link.connection.borrow_mut();
        match farewell.step(cx, calls, self.pongs) {
            Step::Wait => return Ok(()),
            Step::Ping => connection.ping(PING_PAYLOAD),
            Step::Go => {
                connection.drain(now);
                self.drain = Drain::Said;
            }
        }
        drop(connection);
        self.handle(cx, &[], now, work)
    }

    /// Whether nothing more is to be done: after an agreed end, after an error, and at a drain's
    /// end for a peer that has asked nothing.
    pub(super) fn is_over(&self) -> bool {
        let connection = self.link.connection.borrow();
        let silent = matches!(self.drain, Drain::Said) && !connection.is_established();
        silent || self.is_cut || self.error.is_some() || connection.is_finished()
    }
}

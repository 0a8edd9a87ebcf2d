//! Frames that carry neither fields nor data (RFC 9113, 6.3 to 6.9), and the resetting of
//! streams.

use super::state::Connection;
use crate::{
    error::{Code, ConnectionError},
    event::{Found, Workspace},
    flood::{Nuisance, settings_cost},
    flow::MAX_WINDOW,
    frame::{self, ACK, Head, MAX_PAYLOAD_BYTES, setting},
    hpack::decoder::TABLE_BYTES,
    stream::{Ending, Intake},
};

/// The largest payload that SETTINGS can allow.
const MAX_PAYLOAD_SETTING: u32 = (1 << 24) - 1;

type Handled<'i> = Result<Option<Found<'i>>, ConnectionError>;

fn wrong_size(reason: &'static str) -> ConnectionError {
    ConnectionError::coded(Code::FRAME_SIZE_ERROR, reason)
}

fn check_connection(head: Head) -> Result<(), ConnectionError> {
    if head.stream != 0 {
        return Err(ConnectionError::protocol("a frame of the connection on a stream"));
    }
    Ok(())
}

fn check_stream(head: Head) -> Result<(), ConnectionError> {
    if head.stream == 0 {
        return Err(ConnectionError::protocol("a frame of a stream on the connection"));
    }
    Ok(())
}

impl Connection {
    pub(super) fn on_settings(
        &mut self,
        head: Head,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        check_connection(head)?;
        self.budgets.spend_many(Nuisance::Settings, settings_cost(payload.len()))?;
        if head.has(ACK) {
            if !payload.is_empty() {
                return Err(wrong_size("an acknowledgement of SETTINGS with parameters"));
            }
            self.on_acknowledged();
            return Ok(());
        }
        let Some(parameters) = frame::settings(payload) else {
            return Err(wrong_size("SETTINGS with half a parameter"));
        };
        for (parameter, value) in parameters {
            self.set(parameter, value)?;
        }
        frame::put_settings_ack(self.output.buffer());
        Ok(())
    }

    /// The peer goes by our SETTINGS from here on.
    fn on_acknowledged(&mut self) {
        let before = self.stream_window();
        self.acknowledged = true;
        // Windows have 31 bits.
        let difference = self.stream_window() as i32 - before as i32;
        for stream in self.streams.iter_mut() {
            stream.receive_window.shift(difference);
        }
    }

    fn set(&mut self, parameter: u16, value: u32) -> Result<(), ConnectionError> {
        match parameter {
            setting::HEADER_TABLE_SIZE => {
                self.peer.owes_table_size |= (value as usize) < TABLE_BYTES;
            }
            setting::ENABLE_PUSH if value > 1 => {
                return Err(ConnectionError::protocol("ENABLE_PUSH is neither 0 nor 1"));
            }
            setting::INITIAL_WINDOW_SIZE => self.set_initial_window(value)?,
            setting::MAX_FRAME_SIZE => {
                if !(MAX_PAYLOAD_BYTES as u32..=MAX_PAYLOAD_SETTING).contains(&value) {
                    return Err(ConnectionError::protocol("MAX_FRAME_SIZE is out of its range"));
                }
                self.peer.max_payload = value as usize;
            }
            _ => {}
        }
        Ok(())
    }

    fn set_initial_window(&mut self, value: u32) -> Result<(), ConnectionError> {
        let overflow =
            ConnectionError::coded(Code::FLOW_CONTROL_ERROR, "a window beyond its limit");
        if value > MAX_WINDOW {
            return Err(overflow);
        }
        let difference = i64::from(value) - i64::from(self.peer.initial_window);
        self.peer.initial_window = value;
        for stream in self.streams.iter_mut() {
            stream.send_window.shift(difference).map_err(|_| overflow)?;
        }
        Ok(())
    }

    pub(super) fn on_window_update<'i>(&mut self, head: Head, payload: &[u8]) -> Handled<'i> {
        let (4, Some(increment)) = (payload.len(), frame::integer(payload)) else {
            return Err(wrong_size("WINDOW_UPDATE has 4 bytes"));
        };
        self.budgets.spend(Nuisance::WindowUpdate)?;
        let increment = increment & MAX_WINDOW;
        let (id, grown) = (head.stream, i64::from(increment));
        if id == 0 {
            if increment == 0 {
                return Err(ConnectionError::protocol("WINDOW_UPDATE by nothing"));
            }
            return self.send_window.shift(grown).map(|()| None).map_err(|_| {
                ConnectionError::coded(Code::FLOW_CONTROL_ERROR, "a window beyond its limit")
            });
        }
        if self.streams.is_idle(id) {
            return Err(ConnectionError::protocol(
                "WINDOW_UPDATE on a stream that was never opened",
            ));
        }
        let Some(stream) = self.streams.find(id) else { return Ok(None) };
        if increment == 0 {
            return self.stream_error(id, Code::PROTOCOL_ERROR, "WINDOW_UPDATE by nothing");
        }
        if stream.send_window.shift(grown).is_err() {
            return self.stream_error(id, Code::FLOW_CONTROL_ERROR, "a window beyond its limit");
        }
        Ok(None)
    }

    pub(super) fn on_reset<'i>(
        &mut self,
        head: Head,
        payload: &[u8],
        work: &mut Workspace,
    ) -> Handled<'i> {
        check_stream(head)?;
        let (4, Some(code)) = (payload.len(), frame::integer(payload)) else {
            return Err(wrong_size("RST_STREAM has 4 bytes"));
        };
        if self.streams.is_idle(head.stream) {
            return Err(ConnectionError::protocol("RST_STREAM on a stream that was never opened"));
        }
        self.budgets.spend(Nuisance::Reset)?;
        let (stream, code) = (head.stream, Code(code));
        let Some(given_up) = self.streams.find(stream) else { return Ok(None) };
        let unheard = match &mut given_up.intake {
            Intake::Gathering(gather) if !gather.is_known => {
                std::mem::swap(&mut work.head, &mut gather.head);
                Some(gather.since)
            }
            _ => None,
        };
        self.discard(stream, Ending::ResetByPeer);
        Ok(Some(match unheard {
            Some(came) => Found::GivenUp { stream, came, code },
            None => Found::Reset { stream, code, refused: None },
        }))
    }

    pub(super) fn on_ping<'i>(&mut self, head: Head, payload: &[u8]) -> Handled<'i> {
        check_connection(head)?;
        let Ok(payload) = <[u8; 8]>::try_from(payload) else {
            return Err(wrong_size("PING has 8 bytes"));
        };
        self.budgets.spend(Nuisance::Ping)?;
        if head.has(ACK) {
            return Ok(self.on_pong(payload).then_some(Found::Pong(payload)));
        }
        frame::put_ping(self.output.buffer(), ACK, payload);
        Ok(None)
    }

    pub(super) fn on_goaway<'i>(&mut self, head: Head, payload: &[u8]) -> Handled<'i> {
        check_connection(head)?;
        self.budgets.spend(Nuisance::Ignored)?;
        let code = payload.get(4..).and_then(frame::integer);
        let code = code.ok_or(wrong_size("GOAWAY has 8 bytes at least"))?;
        Ok(Some(Found::GoAway(Code(code))))
    }

    /// Priorities are deprecated (RFC 9113, 5.3), and have no effect here.
    pub(super) fn on_priority<'i>(&mut self, head: Head, payload: &[u8]) -> Handled<'i> {
        check_stream(head)?;
        self.budgets.spend(Nuisance::Ignored)?;
        let id = head.stream;
        let error = if payload.len() != 5 {
            (Code::FRAME_SIZE_ERROR, "PRIORITY has 5 bytes")
        } else if frame::dependency(payload) == Some(id) {
            (Code::PROTOCOL_ERROR, "a stream depends on itself")
        } else {
            return Ok(None);
        };
        // RST_STREAM must not be sent for a stream that is idle (RFC 9113, 5.1).
        if self.streams.is_idle(id) {
            return Err(ConnectionError::coded(error.0, error.1));
        }
        self.stream_error(id, error.0, error.1)
    }

    pub(super) fn on_unknown<'i>(&mut self) -> Handled<'i> {
        self.budgets.spend(Nuisance::Ignored)?;
        Ok(None)
    }

    /// Resets a stream for something that the peer did.
    pub(super) fn stream_error<'i>(
        &mut self,
        id: u32,
        code: Code,
        reason: &'static str,
    ) -> Handled<'i> {
        // To be refused for want of room is nobody's fault.
        let kind = if code == Code::REFUSED_STREAM { Nuisance::Reset } else { Nuisance::Fault };
        self.budgets.spend(kind)?;
        self.reset_now(id, code);
        Ok(Some(Found::Reset { stream: id, code, refused: Some(reason) }))
    }

    pub(super) fn reset_now(&mut self, id: u32, code: Code) {
        frame::put_reset(self.output.buffer(), id, code);
        if self.streams.place(id).is_some() {
            self.discard(id, Ending::ResetByUs);
        } else {
            self.streams.remember(id, Ending::ResetByUs);
        }
    }

    /// Drops a stream with all that it holds.
    pub(super) fn discard(&mut self, id: u32, ending: Ending) {
        let Some(place) = self.streams.place(id) else { return };
        let stream = self.streams.close(place, ending);
        if let Some(sending) = &stream.sending {
            self.senders -= 1;
            self.queued -= sending.bytes;
            self.copied -= sending.copied;
        }
        self.release_connection(stream.held);
    }
}

//! DATA, and the windows in which it may come (RFC 9113, 5.2 and 6.1).

use super::{block::WRONG_LENGTH, state::Connection};
use crate::{
    error::{Code, ConnectionError},
    event::{Found, Place, StreamId},
    flood::Nuisance,
    flow::DEFAULT_WINDOW,
    frame::{self, END_STREAM, Head, PADDED},
    stream::{Ending, Intake},
};

impl Connection {
    /// The owner has taken `bytes` of a body that it was given as [`Event::Data`], and the peer
    /// may send as many again. What is not released when the stream ends is released then.
    ///
    /// [`Event::Data`]: crate::Event::Data
    pub fn release(&mut self, stream: StreamId, bytes: usize) {
        let size = self.stream_window();
        let Some(place) = self.streams.place(stream.0) else { return };
        let stream = self.streams.at(place);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(stream.held);
        stream.held -= bytes;
        if let Intake::Streaming = stream.intake
            && let Some(increment) = stream.receive_window.release(bytes, size)
        {
            frame::put_window_update(self.output.buffer(), stream.id, increment);
        }
        self.release_connection(bytes);
    }

    pub(super) fn on_data<'i>(
        &mut self,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<Found<'i>>, ConnectionError> {
        if head.stream == 0 {
            return Err(ConnectionError::protocol("DATA on the connection itself"));
        }
        let data = frame::unpadded(head, payload)
            .map_err(|code| ConnectionError::coded(code, "DATA with too much padding"))?;
        let (id, end) = (head.stream, head.has(END_STREAM));
        self.receive_connection(payload.len())?;
        self.budgets.spend_data(data.len(), end)?;
        let Some(place) = self.streams.place(id) else {
            self.release_connection(payload.len() as u32);
            return self.data_on_closed(id);
        };
        let stream = self.streams.at(place);
        stream.held += payload.len() as u32;
        let error = if stream.intake.has_ended() {
            Some((Code::STREAM_CLOSED, "DATA after the end of a request"))
        } else if stream.receive_window.receive(payload.len()).is_err() {
            Some((Code::FLOW_CONTROL_ERROR, "DATA beyond a stream's window"))
        } else if !stream.expected.take(data.len(), end) {
            Some((Code::PROTOCOL_ERROR, WRONG_LENGTH))
        } else {
            None
        };
        if let Some((code, reason)) = error {
            return self.stream_error(id, code, reason);
        }
        // Padding has no owner who could release it.
        if payload.len() > data.len() {
            self.release(StreamId(id), payload.len() - data.len());
        }
        // Where padding stands, its length stands in front.
        let start = usize::from(head.has(PADDED));
        Ok(self.take_data(place, data, end).then(|| Found::Data {
            stream: id,
            bytes: Place::Payload(start..start + data.len()),
            end,
        }))
    }

    /// Gives data to the stream at `place`. Returns whether its owner is to have it.
    fn take_data(&mut self, place: usize, data: &[u8], end: bool) -> bool {
        let most = self.config.limits.gather_bytes;
        let window = self.stream_window();
        let stream = self.streams.at(place);
        match &mut stream.intake {
            Intake::Gathering(gather) => {
                gather.body.extend_from_slice(data);
                gather.ended = end;
                // Nothing is released while it is gathered, and the peer must not wait for that.
                let is_large = gather.body.len() > most || stream.receive_window.is_low(window);
                if (end || is_large) && !gather.is_ready {
                    gather.is_ready = true;
                    self.ready.push_back(stream.id);
                }
                false
            }
            Intake::Streaming => {
                if end {
                    stream.intake = Intake::Ended;
                }
                end || !data.is_empty()
            }
            Intake::Unwanted => {
                if end {
                    stream.intake = Intake::Ended;
                }
                // The connection's window is for all streams, and this stream's is used up.
                let held = std::mem::take(&mut stream.held);
                self.release_connection(held);
                false
            }
            Intake::Ended => false,
        }
    }

    fn data_on_closed<'i>(&mut self, id: u32) -> Result<Option<Found<'i>>, ConnectionError> {
        if self.is_beyond_end(id) {
            return Ok(None);
        }
        if self.streams.is_idle(id) {
            return Err(ConnectionError::protocol("DATA on a stream that was never opened"));
        }
        match self.streams.ending(id) {
            Some(Ending::ResetByUs) => Ok(None),
            Some(Ending::Regular) => {
                Err(ConnectionError::coded(Code::STREAM_CLOSED, "DATA on a closed stream"))
            }
            None => {
                // Most likely under way when this side reset the stream, with many others.
                self.budgets.spend(Nuisance::Reset)?;
                Ok(None)
            }
            Some(Ending::ResetByPeer) => {
                self.stream_error(id, Code::STREAM_CLOSED, "DATA on a closed stream")
            }
        }
    }

    /// The window that a stream begins with. Until the peer has acknowledged our SETTINGS it
    /// goes by the default.
    #[inline]
    pub(super) fn stream_window(&self) -> u32 {
        if self.acknowledged { self.config.limits.stream_window } else { DEFAULT_WINDOW }
    }

    #[inline]
    pub(super) fn receive_connection(&mut self, bytes: usize) -> Result<(), ConnectionError> {
        self.receive_window.receive(bytes).map_err(|_| {
            ConnectionError::coded(Code::FLOW_CONTROL_ERROR, "DATA beyond the connection's window")
        })
    }

    #[inline]
    pub(super) fn release_connection(&mut self, bytes: u32) {
        let size = self.config.limits.connection_window;
        if let Some(increment) = self.receive_window.release(bytes, size) {
            frame::put_window_update(self.output.buffer(), 0, increment);
        }
    }
}

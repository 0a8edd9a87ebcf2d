//! What a server does when a frame has come: the requests that are complete, and what it sends,
//! as far as two servers that are both right must agree on it.

use std::collections::BTreeMap;

use crate::support::{
    ACK, DATA, END_STREAM, Frame, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, frames,
};

/// A request that is complete.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Request {
    pub(crate) stream: u32,
    pub(crate) method: Vec<u8>,
    pub(crate) path: Vec<u8>,
    /// The values of the fields `x-one` and `x-two`.
    pub(crate) fields: [Vec<Vec<u8>>; 2],
    /// The length of the body. All of it is the same byte.
    pub(crate) body: usize,
}

/// What was sent on a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) blocks: usize,
    pub(crate) data: usize,
    pub(crate) end: bool,
    pub(crate) reset: Option<u32>,
}

/// What a frame brought about. Windows that were announced are left out: when they are is each
/// server's choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) requests: Vec<Request>,
    pub(crate) streams: BTreeMap<u32, Sent>,
    pub(crate) pongs: Vec<Vec<u8>>,
    pub(crate) settings_acks: usize,
    pub(crate) goaway: Option<u32>,
    /// Whether the connection has ended.
    pub(crate) over: bool,
}

/// Whole frames from the beginning of `bytes`, which are taken out.
pub(crate) fn take_frames(bytes: &mut Vec<u8>) -> Vec<Frame> {
    let mut whole = 0;
    while let Some(head) = bytes.get(whole..whole + 9) {
        let size = 9 + u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        if bytes.len() < whole + size {
            break;
        }
        whole += size;
    }
    let taken: Vec<u8> = bytes.drain(..whole).collect();
    frames(&taken)
}

impl Outcome {
    pub(crate) fn of(mut requests: Vec<Request>, sent: &[Frame], over: bool) -> Self {
        requests.sort();
        let mut outcome = Self { requests, over, ..Self::default() };
        for frame in sent {
            outcome.add(frame);
        }
        outcome
    }

    fn add(&mut self, frame: &Frame) {
        match frame.kind {
            PING => self.pongs.push(frame.payload.clone()),
            SETTINGS => self.settings_acks += usize::from(frame.flags & ACK),
            GOAWAY => self.goaway = Some(frame.code().0),
            HEADERS | DATA | RST_STREAM => {
                let sent = self.streams.entry(frame.stream).or_default();
                match frame.kind {
                    HEADERS => sent.blocks += 1,
                    DATA => sent.data += frame.payload.len(),
                    _ => sent.reset = sent.reset.or(Some(frame.code().0)),
                }
                sent.end |= frame.kind != RST_STREAM && frame.flags & END_STREAM != 0;
            }
            _ => {}
        }
    }

    /// Appends what came later.
    pub(crate) fn extend(&mut self, later: Self) {
        self.requests.extend(later.requests);
        self.requests.sort();
        for (stream, more) in later.streams {
            let sent = self.streams.entry(stream).or_default();
            sent.blocks += more.blocks;
            sent.data += more.data;
            sent.end |= more.end;
            sent.reset = sent.reset.or(more.reset);
        }
        self.pongs.extend(later.pongs);
        self.settings_acks += later.settings_acks;
        self.goaway = self.goaway.or(later.goaway);
        self.over |= later.over;
    }
}

/// The number at the end of a path says how long the reply is.
pub(crate) fn reply_size(path: &[u8]) -> usize {
    let digits = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number.filter(|size| *size <= 100_000).unwrap_or(0)
}

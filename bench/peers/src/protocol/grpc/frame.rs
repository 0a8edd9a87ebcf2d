//! Frames of HTTP/2 (RFC 9113, section 4): nine bytes, then the payload.

use super::Fault;

const HEADER: usize = 9;

/// Types of frames.
pub(crate) struct Kind;

impl Kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
}

pub(crate) mod flags {
    pub(crate) const ACK: u8 = 0x1;
    pub(crate) const END_STREAM: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

pub(crate) mod setting {
    pub(crate) const HEADER_TABLE_SIZE: u16 = 1;
    pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
}

/// A frame that was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: u8,
    flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame at the start of the input, if it is complete.
    pub(crate) fn first(input: &'a [u8]) -> Option<Self> {
        let (&[a, b, c, kind, flags, d, e, f, g], rest) = input.split_first_chunk::<HEADER>()?;
        let payload = rest.get(..u32::from_be_bytes([0, a, b, c]) as usize)?;
        Some(Self { kind, flags, stream: u32::from_be_bytes([d & 0x7f, e, f, g]), payload })
    }

    /// Bytes with the header.
    pub(crate) fn bytes(&self) -> usize {
        HEADER + self.payload.len()
    }

    /// Whether it has any of these flags.
    pub(crate) fn has(&self, flags: u8) -> bool {
        self.flags & flags != 0
    }

    /// The payload of a WINDOW_UPDATE.
    pub(crate) fn number(&self) -> Result<u32, Fault> {
        let bytes = self.payload.try_into();
        let bytes = bytes.map_err(|_| Fault::unexpected("four bytes", self.payload))?;
        Ok(u32::from_be_bytes(bytes) & 0x7fff_ffff)
    }

    /// The payload of SETTINGS.
    pub(crate) fn settings(&self) -> Result<impl Iterator<Item = (u16, u32)> + use<'a>, Fault> {
        let (settings, []) = self.payload.as_chunks::<6>() else {
            return Err(Fault::unexpected("six bytes for each setting", self.payload));
        };
        Ok(settings.iter().map(|&[a, b, c, d, e, f]| {
            (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]))
        }))
    }
}

/// Begins a frame, and returns the place that [`end`] wants.
pub(crate) fn begin(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32) -> usize {
    let at = out.len();
    out.extend_from_slice(&[0, 0, 0, kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    at
}

/// Fills in the length of the frame that began at `at`.
pub(crate) fn end(out: &mut [u8], at: usize) {
    let length = (out.len() - at - HEADER) as u32;
    out[at..at + 3].copy_from_slice(&length.to_be_bytes()[1..]);
}

/// Appends a frame of the connection that consists of a number.
pub(crate) fn number(out: &mut Vec<u8>, kind: u8, number: u32) {
    let at = begin(out, kind, 0, 0);
    out.extend_from_slice(&number.to_be_bytes());
    end(out, at);
}

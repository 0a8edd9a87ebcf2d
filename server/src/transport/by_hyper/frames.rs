//! HTTP/2's frame heads (RFC 9113, 4.1) in a byte stream that is cut anywhere. Knows where
//! frames begin and end, not what they mean.

/// Bytes before each frame's payload.
pub(in crate::transport) const HEAD_BYTES: usize = 9;

pub(in crate::transport) const DATA: u8 = 0;
pub(in crate::transport) const HEADERS: u8 = 1;
pub(in crate::transport) const RST_STREAM: u8 = 3;
pub(in crate::transport) const PING: u8 = 6;
pub(in crate::transport) const GOAWAY: u8 = 7;
pub(in crate::transport) const CONTINUATION: u8 = 9;

/// The flag of PING, and of SETTINGS.
pub(in crate::transport) const ACK: u8 = 0x1;

/// Flags of DATA and HEADERS.
pub(in crate::transport) const END_STREAM: u8 = 0x1;
pub(in crate::transport) const END_HEADERS: u8 = 0x4;
pub(in crate::transport) const PADDED: u8 = 0x8;
pub(in crate::transport) const PRIORITY: u8 = 0x20;

/// What stands before a frame's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport) struct Head {
    pub(in crate::transport) length: usize,
    pub(in crate::transport) kind: u8,
    pub(in crate::transport) flags: u8,
    pub(in crate::transport) stream: u32,
}

impl Head {
    /// The head at the beginning of `bytes`, or none if they are too few.
    pub(in crate::transport) fn parse(bytes: &[u8]) -> Option<Self> {
        let [high, middle, low, kind, flags, stream @ ..] = bytes.first_chunk::<HEAD_BYTES>()?;
        Some(Self {
            length: u32::from_be_bytes([0, *high, *middle, *low]) as usize,
            kind: *kind,
            flags: *flags,
            // The highest bit is reserved.
            stream: u32::from_be_bytes(*stream) & (u32::MAX >> 1),
        })
    }

    pub(in crate::transport) fn encode(self) -> [u8; HEAD_BYTES] {
        let [_, high, middle, low] = (self.length as u32).to_be_bytes();
        let [a, b, c, d] = self.stream.to_be_bytes();
        [high, middle, low, self.kind, self.flags, a, b, c, d]
    }

    pub(in crate::transport) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Bytes of a frame that are looked at: its head, and the error code of RST_STREAM.
const SEEN_BYTES: usize = HEAD_BYTES + 4;

/// Follows the frames of a stream of bytes.
#[derive(Debug, Default)]
pub(in crate::transport) struct Frames {
    /// The beginning of a frame that the last bytes have cut.
    begun: [u8; SEEN_BYTES],
    begun_len: usize,
    /// Payload that is still to come, of no interest.
    skip: usize,
}

impl Frames {
    /// Whether a frame ends here, so that another may begin.
    pub(in crate::transport) fn is_between(&self) -> bool {
        self.skip == 0 && self.begun_len == 0
    }

    /// Takes the next bytes, and reports each frame whose head is complete, with the error code
    /// where it is RST_STREAM.
    pub(in crate::transport) fn pass(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Head, u32)) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return;
            }
            let wanted = match Head::parse(&self.begun[..self.begun_len]) {
                Some(_) => SEEN_BYTES,
                None => HEAD_BYTES,
            };
            let taken = (wanted - self.begun_len).min(bytes.len());
            self.begun[self.begun_len..][..taken].copy_from_slice(&bytes[..taken]);
            self.begun_len += taken;
            bytes = &bytes[taken..];

            let begun = &self.begun[..self.begun_len];
            let Some(head) = Head::parse(begun) else { return };
            let has_code = head.kind == RST_STREAM && head.length == 4;
            if has_code && self.begun_len < SEEN_BYTES {
                continue;
            }
            let code = begun.last_chunk().map_or(0, |code| u32::from_be_bytes(*code));
            seen(head, if has_code { code } else { 0 });
            self.skip = HEAD_BYTES + head.length - self.begun_len;
            self.begun_len = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_seen_however_they_are_cut() {
        let data = Head { length: 20, kind: DATA, flags: END_STREAM, stream: 5 };
        let reset = Head { length: 4, kind: RST_STREAM, flags: 0, stream: 7 };
        let empty = Head { length: 0, kind: 4, flags: 1, stream: 0 };
        let mut bytes = Vec::new();
        for _ in 0..3 {
            bytes.extend(data.encode());
            bytes.extend([0xff; 20]);
            bytes.extend(reset.encode());
            bytes.extend(7u32.to_be_bytes());
            bytes.extend(empty.encode());
        }
        let expected = [(data, 0), (reset, 7), (empty, 0)].repeat(3);
        for size in 1..=bytes.len() {
            let mut frames = Frames::default();
            let mut seen = Vec::new();
            for part in bytes.chunks(size) {
                frames.pass(part, |head, code| seen.push((head, code)));
            }
            assert_eq!(seen, expected, "in parts of {size}");
        }
    }
}

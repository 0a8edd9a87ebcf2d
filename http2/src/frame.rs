//! Frames as they lie on the wire (RFC 9113, sections 4 and 6): heads, padding, settings, and
//! the small frames that are written whole. Knows where things are, not what they mean for a
//! connection.

use crate::error::Code;

/// Bytes before each payload.
pub(crate) const HEAD_BYTES: usize = 9;

/// The largest payload that a peer may send: RFC 9113's initial value, which is never raised.
/// A frame is held until it is complete, so this bounds what a slow peer makes us hold.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 16 << 10;

pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PADDED: u8 = 0x8;
pub(crate) const PRIORITY_FLAG: u8 = 0x20;

/// The type of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Headers,
    Priority,
    RstStream,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    /// Of an extension that was not agreed on.
    Unknown,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Data,
        Self::Headers,
        Self::Priority,
        Self::RstStream,
        Self::Settings,
        Self::PushPromise,
        Self::Ping,
        Self::GoAway,
        Self::WindowUpdate,
        Self::Continuation,
    ];

    pub(crate) fn of(byte: u8) -> Self {
        Self::ALL.get(usize::from(byte)).copied().unwrap_or(Self::Unknown)
    }
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) length: usize,
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
}

impl Head {
    /// The head at the beginning of `bytes`, or none if they are too few.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let [high, middle, low, kind, flags, stream @ ..] = bytes.first_chunk::<HEAD_BYTES>()?;
        Some(Self {
            length: u32::from_be_bytes([0, *high, *middle, *low]) as usize,
            kind: Kind::of(*kind),
            flags: *flags,
            // The highest bit is reserved, and ignored.
            stream: u32::from_be_bytes(*stream) & (u32::MAX >> 1),
        })
    }

    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// A frame that lies whole at the beginning of `bytes`, and what follows it.
pub(crate) fn whole(bytes: &[u8]) -> Option<(Head, &[u8], &[u8])> {
    let head = Head::parse(bytes)?;
    let (frame, rest) = bytes.split_at_checked(HEAD_BYTES + head.length)?;
    Some((head, &frame[HEAD_BYTES..], rest))
}

/// Takes the padding off the payload of DATA or HEADERS.
pub(crate) fn unpadded(head: Head, payload: &[u8]) -> Result<&[u8], Code> {
    if !head.has(PADDED) {
        return Ok(payload);
    }
    let (padding, rest) = payload.split_first().ok_or(Code::FRAME_SIZE_ERROR)?;
    let kept = rest.len().checked_sub(usize::from(*padding)).ok_or(Code::PROTOCOL_ERROR)?;
    Ok(&rest[..kept])
}

/// The fragment of a header block in HEADERS, and the stream that its priority depends on.
pub(crate) fn fragment(head: Head, payload: &[u8]) -> Result<(&[u8], Option<u32>), Code> {
    let payload = unpadded(head, payload)?;
    if !head.has(PRIORITY_FLAG) {
        return Ok((payload, None));
    }
    let (priority, fragment) = payload.split_at_checked(5).ok_or(Code::FRAME_SIZE_ERROR)?;
    Ok((fragment, dependency(priority)))
}

/// The stream that a priority depends on.
pub(crate) fn dependency(priority: &[u8]) -> Option<u32> {
    integer(priority).map(|stream| stream & (u32::MAX >> 1))
}

/// The 32 bits at the beginning of a payload.
pub(crate) fn integer(payload: &[u8]) -> Option<u32> {
    payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// The parameters of SETTINGS that mean something here.
pub(crate) mod setting {
    pub(crate) const HEADER_TABLE_SIZE: u16 = 1;
    pub(crate) const ENABLE_PUSH: u16 = 2;
    pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(crate) const MAX_FRAME_SIZE: u16 = 5;
    pub(crate) const MAX_HEADER_LIST_SIZE: u16 = 6;
}

/// The parameters in the payload of SETTINGS, in order; none if its length is wrong.
pub(crate) fn settings(payload: &[u8]) -> Option<impl Iterator<Item = (u16, u32)> + '_> {
    let (parameters, []) = payload.as_chunks::<6>() else { return None };
    Some(
        parameters
            .iter()
            .map(|[a, b, value @ ..]| (u16::from_be_bytes([*a, *b]), u32::from_be_bytes(*value))),
    )
}

/// Writes the head of a frame.
pub(crate) fn put_head(out: &mut Vec<u8>, length: usize, kind: Kind, flags: u8, stream: u32) {
    let [_, high, middle, low] = (length as u32).to_be_bytes();
    let [a, b, c, d] = stream.to_be_bytes();
    out.extend_from_slice(&[high, middle, low, kind as u8, flags, a, b, c, d]);
}

/// Writes SETTINGS.
pub(crate) fn put_settings(out: &mut Vec<u8>, parameters: &[(u16, u32)]) {
    put_head(out, 6 * parameters.len(), Kind::Settings, 0, 0);
    for (parameter, value) in parameters {
        out.extend_from_slice(&parameter.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Writes the acknowledgement of SETTINGS.
pub(crate) fn put_settings_ack(out: &mut Vec<u8>) {
    put_head(out, 0, Kind::Settings, ACK, 0);
}

/// Writes PING, or its answer.
pub(crate) fn put_ping(out: &mut Vec<u8>, flags: u8, payload: [u8; 8]) {
    put_head(out, 8, Kind::Ping, flags, 0);
    out.extend_from_slice(&payload);
}

/// Writes RST_STREAM.
pub(crate) fn put_reset(out: &mut Vec<u8>, stream: u32, code: Code) {
    put_head(out, 4, Kind::RstStream, 0, stream);
    out.extend_from_slice(&code.0.to_be_bytes());
}

/// Writes GOAWAY, with the reason as its debug data.
pub(crate) fn put_goaway(out: &mut Vec<u8>, last: u32, code: Code, reason: &str) {
    put_head(out, 8 + reason.len(), Kind::GoAway, 0, 0);
    out.extend_from_slice(&last.to_be_bytes());
    out.extend_from_slice(&code.0.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// Writes WINDOW_UPDATE.
pub(crate) fn put_window_update(out: &mut Vec<u8>, stream: u32, increment: u32) {
    put_head(out, 4, Kind::WindowUpdate, 0, stream);
    out.extend_from_slice(&increment.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(kind: Kind, flags: u8) -> Head {
        Head { length: 0, kind, flags, stream: 1 }
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        for (number, kind) in Kind::ALL.into_iter().enumerate() {
            let mut bytes = Vec::new();
            put_head(&mut bytes, 0x0001_0203, kind, 0x55, 0x7fff_ffff);
            assert_eq!(usize::from(bytes[3]), number);
            let expected = Head { length: 0x0001_0203, kind, flags: 0x55, stream: 0x7fff_ffff };
            assert_eq!(Head::parse(&bytes), Some(expected));
            assert_eq!(Head::parse(&bytes[..8]), None);
        }
        assert_eq!(Kind::of(10), Kind::Unknown);
        assert_eq!(Kind::of(255), Kind::Unknown);
    }

    #[test]
    fn the_reserved_bit_of_a_stream_is_ignored() {
        let head = Head::parse(&[0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(head.map(|head| head.stream), Some(0x7fff_ffff));
    }

    #[test]
    fn a_frame_is_whole_when_its_last_byte_is_there() {
        let mut bytes = Vec::new();
        put_ping(&mut bytes, 0, *b"12345678");
        bytes.push(7);
        for cut in 0..HEAD_BYTES + 8 {
            assert_eq!(whole(&bytes[..cut]), None);
        }
        let (head, payload, rest) = whole(&bytes).unwrap();
        assert_eq!((head.kind, payload, rest), (Kind::Ping, b"12345678".as_slice(), &[7][..]));
    }

    #[test]
    fn padding_may_fill_a_payload_and_not_exceed_it() {
        let padded = head(Kind::Data, PADDED);
        assert_eq!(unpadded(padded, &[2, 1, 0, 0]), Ok([1].as_slice()));
        assert_eq!(unpadded(padded, &[3, 0, 0, 0]), Ok([].as_slice()));
        assert_eq!(unpadded(padded, &[4, 0, 0, 0]), Err(Code::PROTOCOL_ERROR));
        assert_eq!(unpadded(padded, &[]), Err(Code::FRAME_SIZE_ERROR));
        assert_eq!(unpadded(head(Kind::Data, 0), &[9]), Ok([9].as_slice()));
    }

    #[test]
    fn a_priority_stands_before_the_fragment() {
        let both = head(Kind::Headers, PADDED | PRIORITY_FLAG);
        let payload = [1, 0x80, 0, 0, 3, 16, 0x82, 0];
        assert_eq!(fragment(both, &payload), Ok(([0x82].as_slice(), Some(3))));
        let short = head(Kind::Headers, PRIORITY_FLAG);
        assert_eq!(fragment(short, &[0; 4]), Err(Code::FRAME_SIZE_ERROR));
        assert_eq!(fragment(head(Kind::Headers, 0), &[0x82]), Ok(([0x82].as_slice(), None)));
    }

    #[test]
    fn settings_come_in_sixes() {
        let mut bytes = Vec::new();
        let parameters = [(setting::MAX_FRAME_SIZE, 16384), (0xffff, u32::MAX)];
        put_settings(&mut bytes, &parameters);
        let read: Vec<_> = settings(&bytes[HEAD_BYTES..]).unwrap().collect();
        assert_eq!(read, parameters);
        assert!(settings(&bytes[HEAD_BYTES..bytes.len() - 1]).is_none());
    }
}

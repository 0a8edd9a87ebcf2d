//! Unpacks compressed messages: gzip (RFC 1952), and what gRPC calls deflate, which is zlib
//! (RFC 1950). Knows whole messages and a limit; it knows no frames.
//!
//! Every byte of a message has to belong to it. grpc-core and grpc-go refuse what follows the
//! last gzip member as well, zeros included: `gzip` passes over those for the sake of tapes
//! and their blocks, but a message says its length.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status as Progress, bufread::GzDecoder};
use thiserror::Error;

/// Members of a gzip message. `bgzip` makes one for 64 KiB. Each costs a reset of the
/// inflater, some microseconds, and can be as short as 20 bytes.
const MAX_MEMBERS: usize = 10_000;

/// Bytes that are unpacked at a time.
const CHUNK: usize = 16 << 10;

/// How a call's compressed messages are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// Not at all: the call has no compressed messages.
    Identity,
    Gzip,
    Deflate,
}

/// Why a message cannot be unpacked.
#[derive(Debug, Error)]
pub(super) enum Unpackable {
    #[error("it unpacks to more than the limit")]
    TooLarge,
    #[error(transparent)]
    Corrupt(#[from] io::Error),
}

impl Coding {
    /// The value of `grpc-accept-encoding`.
    pub(super) const ACCEPTED: &str = "identity,deflate,gzip";

    /// The coding that `grpc-encoding` names.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        match name.trim_ascii() {
            b"" | b"identity" => Some(Self::Identity),
            b"gzip" => Some(Self::Gzip),
            b"deflate" => Some(Self::Deflate),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// Appends what `packed` holds to `message`, which grows to `max` bytes at most.
pub(super) fn unpack(
    coding: Coding,
    packed: &[u8],
    message: &mut Vec<u8>,
    max: usize,
) -> Result<(), Unpackable> {
    // .NET 9 flags an empty message as compressed and sends nothing at all for it.
    if packed.is_empty() {
        return Ok(());
    }
    match coding {
        Coding::Identity => append(packed, message, max),
        Coding::Gzip => unpack_gzip(packed, message, max),
        Coding::Deflate => append(Zlib::new(packed), message, max),
    }
}

fn unpack_gzip(packed: &[u8], message: &mut Vec<u8>, max: usize) -> Result<(), Unpackable> {
    // Checks each member's CRC-32 and length.
    let mut member = GzDecoder::new(packed);
    for _ in 0..MAX_MEMBERS {
        append(&mut member, message, max)?;
        let left = *member.get_ref();
        if left.is_empty() {
            return Ok(());
        }
        member.reset(left);
    }
    Err(io::Error::other(format!("it has more than {MAX_MEMBERS} members")).into())
}

/// Reads to the end. The buffer doubles as it fills, but is never larger than `max`: what
/// unpacks to more is found out within the limit's memory.
fn append(mut from: impl Read, message: &mut Vec<u8>, max: usize) -> Result<(), Unpackable> {
    let mut chunk = [0; CHUNK];
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        let needed = message.len() + read;
        if needed > max {
            return Err(Unpackable::TooLarge);
        }
        if needed > message.capacity() {
            let roomy = needed.max(2 * message.capacity()).min(max);
            message.reserve_exact(roomy - message.len());
        }
        message.extend_from_slice(&chunk[..read]);
    }
}

/// Unpacks zlib. flate2's own reader takes data that is cut short for its end.
struct Zlib<'a> {
    packed: &'a [u8],
    inflater: Decompress,
    ended: bool,
}

impl<'a> Zlib<'a> {
    fn new(packed: &'a [u8]) -> Self {
        Self { packed, inflater: Decompress::new(true), ended: false }
    }
}

impl Read for Zlib<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let (read, written) = (self.inflater.total_in(), self.inflater.total_out());
        if !self.ended {
            // Checks the Adler-32 at the end.
            let progress = self.inflater.decompress(self.packed, into, FlushDecompress::None)?;
            self.ended = progress == Progress::StreamEnd;
        }
        self.packed = &self.packed[(self.inflater.total_in() - read) as usize..];
        let written = (self.inflater.total_out() - written) as usize;
        match written {
            0 if !self.ended => Err(io::ErrorKind::UnexpectedEof.into()),
            0 if !self.packed.is_empty() => Err(io::Error::other("bytes follow its end")),
            written => Ok(written),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{
        Compression, GzBuilder,
        write::{GzEncoder, ZlibEncoder},
    };
    use proptest::prelude::*;
    use std::io::Write;

    const NO_LIMIT: usize = usize::MAX;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(data).unwrap();
        packer.finish().unwrap()
    }

    fn deflate(data: &[u8]) -> Vec<u8> {
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
        packer.write_all(data).unwrap();
        packer.finish().unwrap()
    }

    fn unpacked(coding: Coding, packed: &[u8], max: usize) -> Result<Vec<u8>, String> {
        let mut message = Vec::new();
        unpack(coding, packed, &mut message, max).map_err(|problem| problem.to_string())?;
        Ok(message)
    }

    fn is_refused(coding: Coding, packed: &[u8]) -> bool {
        unpacked(coding, packed, NO_LIMIT).is_err()
    }

    /// tonic's decoder stops behind the first member: the rest was lost, and the call was OK.
    #[test]
    fn every_member_of_a_gzip_message_is_read() {
        for members in [&["one"][..], &["one", "two"], &["", "one", "", "two", ""]] {
            let packed: Vec<u8> = members.iter().flat_map(|data| gzip(data.as_bytes())).collect();
            let message = unpacked(Coding::Gzip, &packed, NO_LIMIT);
            assert_eq!(message.unwrap(), members.concat().as_bytes());
        }
    }

    #[test]
    fn a_member_may_have_every_field_of_a_header() {
        let builder = GzBuilder::new().mtime(7).extra("extra").filename("name").comment("comment");
        let mut packer = builder.write(Vec::new(), Compression::default());
        packer.write_all(b"data").unwrap();
        let packed = packer.finish().unwrap();
        assert_eq!(unpacked(Coding::Gzip, &packed, NO_LIMIT).unwrap(), b"data");
    }

    #[test]
    fn bytes_that_belong_to_no_member_are_refused() {
        for (coding, packed) in [(Coding::Gzip, gzip(b"data")), (Coding::Deflate, deflate(b"data"))]
        {
            for surplus in [&b"\0"[..], &[0; 512], b"x", b"surplus bytes", &packed[..4]] {
                assert!(is_refused(coding, &[&packed, surplus].concat()), "{coding:?} {surplus:?}");
            }
        }
        // Only gzip has members.
        let twice = [deflate(b"data"), deflate(b"data")].concat();
        assert!(is_refused(Coding::Deflate, &twice));
    }

    #[test]
    fn checksums_and_lengths_are_compared() {
        for (coding, packed, trailer) in
            [(Coding::Gzip, gzip(b"data"), 8), (Coding::Deflate, deflate(b"data"), 4)]
        {
            for changed in packed.len() - trailer..packed.len() {
                let mut packed = packed.clone();
                packed[changed] ^= 1;
                assert!(is_refused(coding, &packed), "{coding:?}, byte {changed}");
            }
        }
        let second_is_wrong = [gzip(b"one"), {
            let mut packed = gzip(b"two");
            *packed.last_mut().unwrap() ^= 1;
            packed
        }];
        assert!(is_refused(Coding::Gzip, &second_is_wrong.concat()));
    }

    #[test]
    fn data_that_is_cut_short_is_refused() {
        let data = b"some data, and some data again".repeat(100);
        for (coding, packed) in [(Coding::Gzip, gzip(&data)), (Coding::Deflate, deflate(&data))] {
            for len in 1..packed.len() {
                assert!(is_refused(coding, &packed[..len]), "{coding:?}, {len} bytes");
            }
        }
    }

    #[test]
    fn the_codings_are_not_taken_for_one_another() {
        let bare = &deflate(b"data")[2..];
        assert!(is_refused(Coding::Deflate, bare), "deflate without zlib's header");
        assert!(is_refused(Coding::Deflate, &gzip(b"data")));
        assert!(is_refused(Coding::Gzip, &deflate(b"data")));
    }

    #[test]
    fn a_message_unpacks_to_the_limit_and_no_further() {
        let data = vec![7; 100_000];
        let halves = [gzip(&data[..50_000]), gzip(&data[50_000..])].concat();
        for (coding, packed) in
            [(Coding::Gzip, gzip(&data)), (Coding::Gzip, halves), (Coding::Deflate, deflate(&data))]
        {
            assert_eq!(unpacked(coding, &packed, 100_000).unwrap(), data);
            let mut message = Vec::new();
            let result = unpack(coding, &packed, &mut message, 99_999);
            assert!(matches!(result, Err(Unpackable::TooLarge)), "{result:?}");
            assert!(message.capacity() < 100_000, "{}", message.capacity());
        }
    }

    #[test]
    fn a_message_of_members_alone_is_given_up() {
        let empty = gzip(b"");
        assert!(unpacked(Coding::Gzip, &empty.repeat(MAX_MEMBERS), NO_LIMIT).is_ok());
        assert!(is_refused(Coding::Gzip, &empty.repeat(MAX_MEMBERS + 1)));
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(data in prop::collection::vec(any::<u8>(), 0..50_000)) {
            for (coding, packed) in
                [(Coding::Gzip, gzip(&data)), (Coding::Deflate, deflate(&data))]
            {
                prop_assert_eq!(&unpacked(coding, &packed, data.len()).unwrap(), &data);
            }
        }

        #[test]
        fn noise_is_refused_or_unpacked(noise in prop::collection::vec(any::<u8>(), 1..200)) {
            for coding in [Coding::Gzip, Coding::Deflate] {
                let _ = unpacked(coding, &noise, 1 << 20);
            }
        }
    }
}

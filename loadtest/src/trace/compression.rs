//! Decompresses a trace. The first bytes decide how, not the file's name. Knows nothing of what
//! the text or the records mean.

mod gzip;
mod lz4;

use std::io::{self, BufReader, Read};

use self::{
    gzip::Gzip,
    lz4::{LEGACY as LZ4_LEGACY, Lz4},
};
use super::{
    error::Problem,
    head::{Head, skip},
};

const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const LZ4: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
const XZ: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];

/// Compressed bytes read at a time.
const BUFFER: usize = 64 * 1024;

/// Largest window of zstd, 2 GiB: what `zstd --long=31` needs. The decoder takes what a frame
/// asks for, which is 8 MiB at the levels that people use.
const ZSTD_WINDOW_LOG: u32 = if cfg!(target_pointer_width = "64") { 31 } else { 30 };

/// Largest dictionary of xz, in KiB: as much as the window of zstd, and what it needs beside.
const XZ_MEMORY_KIB: u32 = (2 << 20) + (64 << 10);

/// Compressions inside one another that are undone.
const LAYERS: usize = 3;

/// Bytes that identify every compression here.
pub(super) const HEAD: usize = 8;

/// A stream of what was compressed, and what the input is expected to be.
pub(super) type Plain = (Box<dyn Read + Send>, &'static str);

/// Undoes the compression of `input`, if there is one.
///
/// # Errors
///
/// The input cannot be read, or is compressed in a way that is not read here.
pub(super) fn undo(input: Box<dyn Read + Send>) -> Result<Plain, Problem> {
    let mut plain: Plain = (input, "plain text");
    for _ in 0..LAYERS {
        let (kind, input) = tell(plain.0, plain.1)?;
        plain = match kind {
            Kind::None => return Ok((input, plain.1)),
            Kind::Gzip => (Box::new(Gzip::new(buffered(input))), "whole gzip members"),
            Kind::Lz4 => (Box::new(Lz4::new(buffered(input))), "whole lz4 frames"),
            Kind::Xz => {
                let xz = lzma_rust2::XzReader::new_mem_limit(buffered(input), true, XZ_MEMORY_KIB);
                (Box::new(xz), "whole xz streams")
            }
            Kind::Zstd => {
                let expected = "whole zstd frames";
                let unread = |error| Problem::Unread(error, expected);
                let mut zstd = zstd::stream::read::Decoder::new(input).map_err(unread)?;
                zstd.window_log_max(ZSTD_WINDOW_LOG).map_err(unread)?;
                (Box::new(zstd), expected)
            }
        };
    }
    Ok(plain)
}

fn buffered(input: Box<dyn Read + Send>) -> BufReader<Box<dyn Read + Send>> {
    BufReader::with_capacity(BUFFER, input)
}

enum Kind {
    None,
    Gzip,
    Lz4,
    Xz,
    Zstd,
}

/// Identifies the compression by the first bytes. Skippable frames, which zstd and lz4 share and
/// parallel compressors put first, are skipped: the frame behind them decides.
fn tell(
    mut input: Box<dyn Read + Send>,
    expected: &'static str,
) -> Result<(Kind, Box<dyn Read + Send>), Problem> {
    let unread = |error| Problem::Unread(error, expected);
    let mut skipped = false;
    let head = loop {
        let head = Head::read(&mut input, HEAD, |_| false);
        let &[0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d] = &head.bytes[..] else { break head };
        skip(&mut input, [a, b, c, d]).map_err(unread)?;
        skipped = true;
    };
    let kind = match &head.bytes[..] {
        bytes if bytes.starts_with(&ZSTD) => Kind::Zstd,
        bytes if bytes.starts_with(&LZ4) || bytes.starts_with(&LZ4_LEGACY) => Kind::Lz4,
        bytes if bytes.starts_with(&XZ) => Kind::Xz,
        // Deflate is the only method there is, and three of the flags have to be 0.
        [0x1f, 0x8b, 8, flags, ..] if flags & 0xe0 == 0 => Kind::Gzip,
        [0x1f, 0x8b] | [0x1f, 0x8b, 8] => Kind::Gzip,
        bytes => {
            if let Some(name) = other(bytes) {
                return Err(Problem::Compressed(name));
            }
            if skipped && !bytes.is_empty() && head.broken.is_none() {
                return Err(unread(io::Error::other("no frame follows those to be skipped")));
            }
            Kind::None
        }
    };
    Ok((kind, head.before(input)))
}

/// Names what is not read here.
fn other(head: &[u8]) -> Option<&'static str> {
    Some(match head {
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31 | 0x17, ..] => "bzip2",
        [b'P', b'K', 3 | 5, 4 | 6, ..] => "zip",
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => "7z",
        [0x1f, 0x9d, ..] => "compress (.Z)",
        [0xff, 6, 0, 0, b's', b'N', b'a', b'P'] => "snappy",
        [b'P', b'A', b'R', b'1', ..] => "Parquet",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

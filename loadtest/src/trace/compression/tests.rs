//! What the usual programs write, whole and cut short.

use std::io::{Cursor, Write};

use flate2::{Compression, write::GzEncoder};
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use proptest::prelude::*;

use super::*;

/// `printf '1 1 0 0\n' | xz`.
const XZ_FILE: &[u8] = &[
    0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01,
    0x16, 0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0x01, 0x00, 0x07, 0x31, 0x20, 0x31, 0x20, 0x30,
    0x20, 0x30, 0x0a, 0x00, 0x9b, 0xa6, 0xf6, 0x41, 0x56, 0x4a, 0xa1, 0x7e, 0x00, 0x01, 0x20, 0x08,
    0xbb, 0x19, 0xd9, 0xbb, 0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a,
];

fn undone(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let (mut plain, _) =
        undo(Box::new(Cursor::new(bytes))).map_err(|problem| problem.to_string())?;
    let mut out = Vec::new();
    plain.read_to_end(&mut out).map_err(|error| error.to_string())?;
    Ok(out)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

fn lz4(text: &[u8], info: FrameInfo) -> Vec<u8> {
    let mut lz4 = FrameEncoder::with_frame_info(info, Vec::new());
    lz4.write_all(text).unwrap();
    lz4.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 1).unwrap()
}

/// Text of several blocks that does not shrink to nothing.
fn text(lines: u64) -> Vec<u8> {
    (0..lines).flat_map(|n| format!("{} 1 0 {n}\n", n * n % 7919).into_bytes()).collect()
}

fn every() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let text = text(30_000);
    let checked = FrameInfo::new().content_checksum(true).block_checksums(true);
    let linked = FrameInfo::new().block_mode(BlockMode::Linked).block_size(BlockSize::Max64KB);
    vec![
        ("zstd", zstd(&text), text.clone()),
        ("gzip", gzip(&text), text.clone()),
        ("lz4", lz4(&text, FrameInfo::new().block_size(BlockSize::Max64KB)), text.clone()),
        ("checked lz4", lz4(&text, checked), text.clone()),
        ("linked lz4", lz4(&text, linked), text.clone()),
        ("legacy lz4", lz4(&text, FrameInfo::new().legacy_frame(true)), text.clone()),
        ("xz", XZ_FILE.to_vec(), b"1 1 0 0\n".to_vec()),
    ]
}

#[test]
fn the_usual_compressions_are_told_by_their_first_bytes() {
    for (name, packed, text) in every() {
        assert!(undone(packed).unwrap() == text, "{name}");
    }
    assert_eq!(undone(b"1 1 0 0\n".to_vec()).unwrap(), b"1 1 0 0\n");
    assert_eq!(undone(Vec::new()).unwrap(), b"");
}

#[test]
fn several_members_frames_and_streams_are_one_text() {
    for (name, packed, text) in every().into_iter().filter(|(name, ..)| *name != "legacy lz4") {
        assert!(undone(packed.repeat(3)).unwrap() == text.repeat(3), "{name}");
    }
    let small = FrameInfo::new().block_size(BlockSize::Max64KB);
    let large = FrameInfo::new().block_size(BlockSize::Max4MB);
    let mixed = [lz4(b"a", large.clone()), lz4(b"b", small), lz4(b"c", large)].concat();
    assert_eq!(undone(mixed).unwrap(), b"abc", "frames of other block sizes");
}

#[test]
fn frames_to_be_skipped_are_skipped_before_zstd_and_lz4() {
    let skipped = [&[0x5a, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9][..]; 2].concat();
    for packed in [zstd(b"1 1"), lz4(b"1 1", FrameInfo::new())] {
        let whole = [&skipped[..], &packed, &skipped, &packed].concat();
        assert_eq!(undone(whole).unwrap(), b"1 11 1");
    }
}

/// Padding of tapes and of `xz`'s own streams.
#[test]
fn zeros_behind_the_last_member_are_left_out() {
    assert_eq!(undone([gzip(b"1 1"), vec![0; 5000], gzip(b"2")].concat()).unwrap(), b"1 12");
    assert_eq!(undone([XZ_FILE, &[0; 8], XZ_FILE].concat()).unwrap(), b"1 1 0 0\n1 1 0 0\n");
}

/// The decoder of lz4 takes the end of its input for the end of the frame: a copy that was cut
/// at a block read as a whole one.
#[test]
fn data_that_were_cut_short_are_an_error_and_never_an_end() {
    for (name, packed, text) in every() {
        let legacy = name == "legacy lz4";
        let cuts =
            (8..packed.len()).step_by(packed.len() / 97 + 1).chain(packed.len() - 9..packed.len());
        for cut in cuts {
            let read = undone(packed[..cut].to_vec());
            // One block, so that an end between two is the one behind it.
            assert!(read.is_err(), "{name} cut at {cut} of {}: {}", packed.len(), text.len());
        }
        assert!(!legacy || undone(packed).is_ok());
    }
    let blocks = lz4(&text(30_000), FrameInfo::new().block_size(BlockSize::Max64KB));
    let mut at = 7;
    while at + 4 <= blocks.len() {
        let size = u32::from_le_bytes(blocks[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
        assert!(undone(blocks[..at].to_vec()).is_err(), "cut between blocks, at {at}");
        at += 4 + size as usize;
    }
}

#[test]
fn windows_as_long_as_zstd_has_them_are_read() {
    let mut packed = Vec::new();
    let mut encoder = zstd::stream::write::Encoder::new(&mut packed, 1).unwrap();
    encoder.long_distance_matching(true).unwrap();
    encoder.window_log(31).unwrap();
    encoder.write_all(b"1 1 0 0\n").unwrap();
    encoder.finish().unwrap();
    assert_eq!(undone(packed).unwrap(), b"1 1 0 0\n");
}

#[test]
fn one_compression_inside_another_is_undone() {
    assert_eq!(undone(gzip(&zstd(b"1 1"))).unwrap(), b"1 1");
}

#[test]
fn what_is_not_read_is_named_with_what_is() {
    for (bytes, name) in [
        (&b"BZh91AY&SY"[..], "bzip2"),
        (b"PK\x03\x04....", "zip"),
        (b"\xff\x06\0\0sNaPpY", "snappy"),
        (b"PAR1....", "Parquet"),
    ] {
        let message = undone(bytes.to_vec()).unwrap_err();
        assert!(message.starts_with(&format!("is {name} data; expected")), "{message}");
    }
    assert_eq!(undone(b"BZh,GET,1\n".to_vec()).unwrap(), b"BZh,GET,1\n", "a key");
}

proptest! {
    #[test]
    fn any_bytes_are_undone_or_refused(bytes: Vec<u8>, kind in 0..5_usize) {
        let magic: [&[u8]; 5] = [&ZSTD, &LZ4, &LZ4_LEGACY, &XZ, &[0x1f, 0x8b, 8, 0]];
        let _ = undone([magic[kind], &bytes].concat());
        let _ = undone(bytes);
    }
}

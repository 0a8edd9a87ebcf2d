//! Opens a trace file as a stream of text, decompressed where its first bytes say
//! zstd. Counts the bytes read from the file; what the text means is not known here.

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Problem, lines::Lines};

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const XZ_MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];

/// Text buffered ahead of the parser.
const BUFFER: usize = 256 * 1024;

/// How far the reading of a file has come. Shared with whoever shows progress.
#[derive(Clone, Debug)]
pub struct Meter {
    read: Arc<AtomicU64>,
    /// Length of the file as it is on disk; 0 for a pipe.
    total: u64,
}

impl Meter {
    /// Bytes read so far, ahead of what was replayed by the buffers in between.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes of the whole file; 0 where that is not known.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}

/// Opens a file for reading line by line.
///
/// # Errors
///
/// The file cannot be opened or read, is a directory, or is compressed with
/// something else than zstd.
pub(super) fn open(path: &Path) -> Result<(Lines, Meter), Problem> {
    let file = File::open(path).map_err(Problem::Unopened)?;
    let metadata = file.metadata().map_err(Problem::Unopened)?;
    if metadata.is_dir() {
        return Err(Problem::Directory);
    }
    let meter = Meter { read: Arc::default(), total: metadata.len() };
    let file = Metered { file, read: Arc::clone(&meter.read) };
    Ok((lines(file)?, meter))
}

fn lines(mut file: impl Read + Send + 'static) -> Result<Lines, Problem> {
    const PLAIN: &str = "plain text";
    const ZSTD: &str = "whole zstd frames";
    let mut head = Vec::with_capacity(XZ_MAGIC.len());
    file.by_ref()
        .take(XZ_MAGIC.len() as u64)
        .read_to_end(&mut head)
        .map_err(|error| Problem::Unread(error, PLAIN))?;
    let zstd = is_zstd(&head);
    if head.starts_with(&GZIP_MAGIC) {
        return Err(Problem::Compressed("gzip"));
    }
    if head.starts_with(&XZ_MAGIC) {
        return Err(Problem::Compressed("xz"));
    }
    let whole = Cursor::new(head).chain(file);
    if zstd {
        let text = zstd::stream::read::Decoder::new(whole)
            .map_err(|error| Problem::Unread(error, ZSTD))?;
        Ok(Lines::new(Box::new(BufReader::with_capacity(BUFFER, text)), ZSTD))
    } else {
        Ok(Lines::new(Box::new(BufReader::with_capacity(BUFFER, whole)), PLAIN))
    }
}

/// Tells zstd by its magic number. A file of many frames, as parallel compressors
/// write it, may begin with a skippable one, whose number ends in any nibble.
fn is_zstd(head: &[u8]) -> bool {
    head.starts_with(&ZSTD_MAGIC) || matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

struct Metered {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_line(bytes: Vec<u8>) -> Result<Vec<u8>, Problem> {
        let mut lines = lines(Cursor::new(bytes))?;
        Ok(lines.next()?.unwrap_or_default().to_vec())
    }

    #[test]
    fn zstd_is_told_by_its_first_bytes() {
        let packed = zstd::encode_all(b"1 1 0 0\n".as_slice(), 1).unwrap();
        assert_eq!(first_line(packed.clone()).unwrap(), b"1 1 0 0");
        assert_eq!(first_line(b"1 1 0 0\n".to_vec()).unwrap(), b"1 1 0 0");

        let mut skippable = vec![0x5a, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9];
        skippable.extend(&packed);
        assert_eq!(first_line(skippable).unwrap(), b"1 1 0 0");
    }

    #[test]
    fn several_zstd_frames_are_one_text() {
        let mut packed = zstd::encode_all(b"1 1".as_slice(), 1).unwrap();
        packed.extend(zstd::encode_all(b" 0 0\n".as_slice(), 1).unwrap());
        assert_eq!(first_line(packed).unwrap(), b"1 1 0 0");
    }

    #[test]
    fn other_compression_is_named() {
        for (bytes, name) in [(GZIP_MAGIC.as_slice(), "gzip"), (XZ_MAGIC.as_slice(), "xz")] {
            assert!(
                matches!(first_line(bytes.to_vec()), Err(Problem::Compressed(found)) if found == name)
            );
        }
    }

    #[test]
    fn cut_zstd_data_are_an_error_and_not_an_end() {
        let mut packed = zstd::encode_all(b"1 1 0 0\n".as_slice(), 1).unwrap();
        packed.truncate(packed.len() - 3);
        assert!(matches!(first_line(packed), Err(Problem::Unread(_, "whole zstd frames"))));
    }
}

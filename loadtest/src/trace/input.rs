//! Opens a file of a trace, or standard input, as a stream of bytes without compression, and
//! looks at its beginning. Counts the bytes read; what they mean is not known here.

use std::{
    fs::{File, Metadata},
    io::{self, BufReader, IsTerminal, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    compression,
    error::{Problem, STDIN},
    head::Head,
};

/// Bytes buffered ahead of the parser.
const BUFFER: usize = 256 * 1024;

/// Bytes at the beginning from which the format is detected.
const HEAD: usize = 64 * 1024;

/// How far the reading of a trace has come, over all its files. Shared with the progress shown.
#[derive(Clone, Debug)]
pub struct Meter {
    read: Arc<AtomicU64>,
    /// Length of the files as they are on disk; 0 where one is a pipe.
    pub total: u64,
}

impl Meter {
    /// A meter of the files at these paths.
    pub(super) fn new(paths: &[impl AsRef<Path>]) -> Self {
        let lengths = paths.iter().map(|path| {
            let metadata = path.as_ref().metadata().ok();
            metadata.filter(Metadata::is_file).map(|metadata| metadata.len())
        });
        Self { read: Arc::default(), total: lengths.sum::<Option<u64>>().unwrap_or(0) }
    }

    /// Bytes read so far, ahead of what was replayed by the buffers in between.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

/// Whether a path can be opened now and once more later: not so a pipe.
pub(super) fn opens_twice(path: &Path) -> bool {
    path.as_os_str() != STDIN && path.metadata().is_ok_and(|metadata| metadata.is_file())
}

/// A stream whose beginning was looked at.
pub(super) struct Input {
    /// All of the stream, its beginning included.
    pub stream: BufReader<Box<dyn Read + Send>>,
    /// What the stream is, for the error that it cannot be read on.
    pub expected: &'static str,
    /// The beginning: of a live stream, what was there once its first line was.
    pub head: Vec<u8>,
    /// Whether the beginning is all of it.
    pub is_whole: bool,
}

impl Input {
    /// Opens what is at a path.
    ///
    /// # Errors
    ///
    /// It cannot be opened or read, is a directory, or is compressed in a way that is not read.
    pub(super) fn open(path: &Path, meter: &Meter) -> Result<Self, Problem> {
        let is_live = !opens_twice(path);
        let file: Box<dyn Read + Send> = if path.as_os_str() == STDIN {
            let stdin = io::stdin();
            if stdin.is_terminal() {
                return Err(Problem::Terminal);
            }
            Box::new(stdin)
        } else {
            let file = File::open(path).map_err(Problem::Unopened)?;
            if file.metadata().map_err(Problem::Unopened)?.is_dir() {
                return Err(Problem::Directory);
            }
            Box::new(file)
        };
        Self::new(Box::new(Metered { file, read: Arc::clone(&meter.read) }), is_live)
    }

    /// Takes a stream, compressed or not. One that is live may have to be waited for.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is compressed in a way that is not read.
    pub(super) fn new(stream: Box<dyn Read + Send>, is_live: bool) -> Result<Self, Problem> {
        let (mut plain, expected) = compression::undo(stream)?;
        let head = Head::read(&mut plain, HEAD, |head| is_live && has_line(head));
        let (bytes, is_whole) = (head.bytes.clone(), head.is_whole);
        let stream = BufReader::with_capacity(BUFFER, head.before(plain));
        Ok(Self { stream, expected, head: bytes, is_whole })
    }

    /// What cannot be read on, and why.
    pub(super) fn unread(&self, error: io::Error) -> Problem {
        Problem::Unread(error, self.expected)
    }
}

/// Whether the beginning of a stream has a line, and more bytes than the compression needed.
fn has_line(head: &[u8]) -> bool {
    head.len() > compression::HEAD && head.contains(&b'\n')
}

struct Metered {
    file: Box<dyn Read + Send>,
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

    fn input(bytes: &[u8]) -> Input {
        Input::new(Box::new(io::Cursor::new(bytes.to_vec())), false).unwrap()
    }

    #[test]
    fn the_head_is_looked_at_and_read_all_the_same() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8 + 1).collect();
        for length in [0, 1, HEAD - 1, HEAD, 200_000] {
            let mut input = input(&bytes[..length]);
            assert_eq!((input.head.len(), input.is_whole), (length.min(HEAD), length < HEAD));
            let mut read = Vec::new();
            input.stream.read_to_end(&mut read).unwrap();
            assert!(read == bytes[..length], "{length}");
        }
    }

    /// A pipe whose writer is still there was waited for until it had 64 KiB.
    #[test]
    fn a_live_stream_is_looked_at_once_its_first_line_is_there() {
        let (mut writer, reader) = io::pipe().map(|(reader, writer)| (writer, reader)).unwrap();
        io::Write::write_all(&mut writer, b"1 1 0 0\n2 1 0 0\n").unwrap();
        let input = Input::new(Box::new(reader), true).unwrap();
        assert_eq!((&input.head[..], input.is_whole), (b"1 1 0 0\n2 1 0 0\n".as_slice(), false));
    }

    /// A decoder that has failed once says on the next read that its data have ended.
    #[test]
    fn what_breaks_in_the_head_is_reported_behind_it() {
        let mut packed = zstd::encode_all(b"1 1 0 0\n".as_slice(), 1).unwrap();
        packed.truncate(packed.len() - 3);
        let mut input = input(&packed);
        assert!(!input.is_whole);
        assert!(input.stream.read_to_end(&mut Vec::new()).is_err());
    }
}

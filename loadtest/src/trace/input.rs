//! Opens a file of a trace, or standard input, as a stream of bytes without compression, and
//! looks at its beginning. Counts the bytes read; what they mean is not known here.

use std::{
    fs::{File, Metadata},
    io::{self, BufRead, BufReader, IsTerminal, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Problem, compression};

/// The path that means standard input.
pub(super) const STDIN: &str = "-";

/// Bytes buffered ahead of the parser.
const BUFFER: usize = 256 * 1024;

/// Bytes at the beginning by which the format is told.
const HEAD: usize = 64 * 1024;

/// How far the reading of a trace has come, over all its files. Shared with the progress shown.
#[derive(Clone, Debug)]
pub struct Meter {
    read: Arc<AtomicU64>,
    /// Length of the files as they are on disk; 0 where one is a pipe.
    total: u64,
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
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes of all files; 0 where that is not known.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}

/// Whether a path can be opened now and once more later: not so a pipe.
pub(super) fn opens_twice(path: &Path) -> bool {
    path.as_os_str() != STDIN && path.metadata().is_ok_and(|metadata| metadata.is_file())
}

/// A stream whose beginning can be looked at.
pub(super) struct Input {
    head: Vec<u8>,
    /// Bytes of the head that were consumed.
    consumed: usize,
    /// What came where the head could not be read on. It is reported behind the head, since
    /// not every decoder reports it once more.
    broken: Option<io::Error>,
    rest: BufReader<Box<dyn Read + Send>>,
    /// What the stream is, for the error that it cannot be read on.
    expected: &'static str,
    /// Whether more may have to be waited for, as with a pipe.
    live: bool,
}

impl Input {
    /// Opens what is at a path.
    ///
    /// # Errors
    ///
    /// It cannot be opened or read, is a directory, or is compressed in a way that is not read.
    pub(super) fn open(path: &Path, meter: &Meter) -> Result<Self, Problem> {
        let live = !opens_twice(path);
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
        Self::new(Box::new(Metered { file, read: Arc::clone(&meter.read) }), live)
    }

    /// Takes a stream, compressed or not, for the rest of which one may have to wait if it is
    /// `live`.
    pub(super) fn new(stream: Box<dyn Read + Send>, live: bool) -> Result<Self, Problem> {
        let (plain, expected) = compression::undo(stream)?;
        let rest = BufReader::with_capacity(BUFFER, plain);
        Ok(Self { head: Vec::new(), consumed: 0, broken: None, rest, expected, live })
    }

    /// What the stream is, for an error.
    pub(super) fn expected(&self) -> &'static str {
        self.expected
    }

    /// The beginning of the stream, and whether that is all of it. Nothing is consumed. Of a
    /// live stream it is what is there once the first line is.
    pub(super) fn head(&mut self) -> (&[u8], bool) {
        let mut chunk = vec![0; HEAD];
        let mut whole = false;
        while self.head.len() < HEAD && !(self.live && has_line(&self.head)) {
            match self.rest.read(&mut chunk[self.head.len()..]) {
                Ok(0) => {
                    whole = true;
                    break;
                }
                Ok(read) => {
                    let from = self.head.len();
                    self.head.extend_from_slice(&chunk[from..from + read]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.broken = Some(error);
                    break;
                }
            }
        }
        (&self.head, whole)
    }
}

/// Whether the beginning of a stream has a line, beyond the bytes that told its compression.
fn has_line(head: &[u8]) -> bool {
    head.len() > compression::HEAD as usize && head.contains(&b'\n')
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.consumed < self.head.len() {
            return Ok(&self.head[self.consumed..]);
        }
        self.broken.take().map_or_else(|| self.rest.fill_buf(), Err)
    }

    fn consume(&mut self, amount: usize) {
        if self.consumed < self.head.len() {
            self.consumed += amount;
        } else {
            self.rest.consume(amount);
        }
    }
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
            let (head, whole) = input.head();
            assert_eq!((head.len(), whole), (length.min(HEAD), length < HEAD));
            let mut read = Vec::new();
            input.read_to_end(&mut read).unwrap();
            assert!(read == bytes[..length], "{length}");
        }
    }

    /// A pipe whose writer is still there was waited for until it had 64 KiB.
    #[test]
    fn a_live_stream_is_looked_at_once_its_first_line_is_there() {
        let (mut writer, reader) = io::pipe().map(|(reader, writer)| (writer, reader)).unwrap();
        io::Write::write_all(&mut writer, b"1 1 0 0\n2 1 0 0\n").unwrap();
        let mut input = Input::new(Box::new(reader), true).unwrap();
        assert_eq!(input.head(), (b"1 1 0 0\n2 1 0 0\n".as_slice(), false));
    }

    /// A decoder that has failed once says on the next read that its data have ended.
    #[test]
    fn what_breaks_in_the_head_is_reported_behind_it() {
        let mut packed = zstd::encode_all(b"1 1 0 0\n".as_slice(), 1).unwrap();
        packed.truncate(packed.len() - 3);
        let mut input = input(&packed);
        assert!(!input.head().1);
        assert!(input.read_to_end(&mut Vec::new()).is_err());
    }
}

//! Whether a file has changed. Its identity, size and times are looked at each time, and its
//! content only when one of them has changed, or has changed so lately that a further write may
//! have left them as they are.

use std::{
    fs::{self, Metadata},
    hash::{DefaultHasher, Hash, Hasher},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Times of files are as coarse as the kernel's clock, or as a second on some file systems.
const COARSE: Duration = Duration::from_secs(2);

/// A file, and what it was found to be.
pub(super) struct Looked {
    path: PathBuf,
    /// Its content when it could be read last.
    last: Option<(Stamp, u64)>,
}

/// Bytes of a file at most: none of those that are watched comes near, and a wrong path does not
/// fill the memory.
const MOST_BYTES: u64 = 16 << 20;

/// Reads a file that may be watched.
///
/// # Errors
/// It cannot be read, is larger than 16 MiB, or is none: a pipe would block its reader for as long
/// as nobody writes to it, and with it whatever else is watched.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        let text = "it is a directory; name the file in it";
        return Err(io::Error::new(io::ErrorKind::IsADirectory, text));
    }
    if !metadata.is_file() {
        let text = "it is a pipe or a device; name a regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    if metadata.len() > MOST_BYTES {
        let bytes = metadata.len();
        let text = format!("it has {bytes} bytes, more than {MOST_BYTES}; name the right file");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    fs::read(path)
}

/// What a file holds: its hash, or why it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Hash(u64),
    Unreadable(io::ErrorKind),
}

/// What the system says of a file, at the end of its symbolic links.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    /// Set by every write, and by nobody at will.
    changed: (i64, i64),
}

impl Looked {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, last: None }
    }

    /// The path as people write it.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// What the file holds now.
    pub(super) fn content(&mut self) -> Content {
        let stamp = match fs::metadata(&self.path) {
            Ok(metadata) => Stamp::of(&metadata),
            Err(error) => return Content::Unreadable(error.kind()),
        };
        if let Some((last, content)) = self.last
            && last == stamp
            && stamp.is_settled()
        {
            return Content::Hash(content);
        }
        match read(&self.path) {
            Ok(bytes) => {
                let content = hash(&bytes);
                self.last = Some((stamp, content));
                Content::Hash(content)
            }
            Err(error) => Content::Unreadable(error.kind()),
        }
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether a further write would show in the times.
    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let changed = Duration::from_secs(self.changed.0.try_into().unwrap_or_default());
        now.saturating_sub(changed) > COARSE
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

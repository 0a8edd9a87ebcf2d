//! The bearer token that a call shows. One from a file is read again when the file changes: in
//! Kubernetes, tokens rotate under a running program.

use std::{
    fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use http::HeaderValue;
use thiserror::Error;
use tracing::warn;

/// Between two looks at a token's file.
const PERIOD: Duration = Duration::from_secs(1);

/// Bytes of a token at most: a server takes no more metadata than that.
const MAX_BYTES: usize = 12 << 10;

/// A bearer token, or the file that has it. Its debug output does not show it.
#[derive(Clone)]
pub struct Token(Arc<Source>);

enum Source {
    Fixed(HeaderValue),
    File { path: PathBuf, held: Mutex<Held> },
}

/// What a file held when it was last looked at.
struct Held {
    value: HeaderValue,
    version: Version,
    looked: Instant,
}

/// What tells one content of a file from the next, through symbolic links.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

/// A token that cannot be used. The text never has the token.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidToken {
    /// The file cannot be read.
    #[error("token file {path}: {problem}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why not.
        problem: String,
    },
    /// There is nothing but white space.
    #[error("{0} is empty; expected a token")]
    Empty(String),
    /// It has characters, or a length, that no bearer token has.
    #[error(
        "{0} has characters that no bearer token has, or more than {MAX_BYTES} of them; expected \
         letters, digits, -._~+/ and = at the end"
    )]
    Characters(String),
}

impl Token {
    /// A token. White space around it does not count.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn new(token: &str) -> Result<Self, InvalidToken> {
        let value = header("the token", token)?;
        Ok(Self(Arc::new(Source::Fixed(value))))
    }

    /// The token in a file. It is read now, and again within a second after it has changed. A file
    /// that cannot be used then is reported in the log, and the token before it stays in use.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or holds no token.
    pub fn file(path: impl Into<PathBuf>) -> Result<Self, InvalidToken> {
        let path = path.into();
        let (value, version) = read(&path)?;
        let held = Mutex::new(Held { value, version, looked: Instant::now() });
        Ok(Self(Arc::new(Source::File { path, held })))
    }

    /// The value of the metadata `authorization`, marked as sensitive.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        match &*self.0 {
            Source::Fixed(value) => value.clone(),
            Source::File { path, held } => {
                let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                if held.looked.elapsed() >= PERIOD {
                    held.look(path);
                }
                held.value.clone()
            }
        }
    }
}

impl fmt::Debug for Token {
    /// Omits the token.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Source::Fixed(_) => out.write_str("Token"),
            Source::File { path, .. } => write!(out, "Token({})", path.display()),
        }
    }
}

impl Held {
    /// Reads the file again if it is another than before.
    fn look(&mut self, path: &Path) {
        self.looked = Instant::now();
        if Version::of(path).is_ok_and(|version| version == self.version) {
            return;
        }
        match read(path) {
            Ok((value, version)) => (self.value, self.version) = (value, version),
            Err(error) => warn!(%error, "the token of before stays in use"),
        }
    }
}

impl Version {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}

fn read(path: &Path) -> Result<(HeaderValue, Version), InvalidToken> {
    let unreadable = |error: io::Error| InvalidToken::Unreadable {
        path: path.display().to_string(),
        problem: error.to_string(),
    };
    // Before the content: one that is replaced meanwhile is read again at the next look.
    let version = Version::of(path).map_err(unreadable)?;
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let value = header(&format!("token file {}", path.display()), &text)?;
    Ok((value, version))
}

fn header(what: &str, token: &str) -> Result<HeaderValue, InvalidToken> {
    let token = token.trim();
    if token.is_empty() {
        return Err(InvalidToken::Empty(what.to_owned()));
    }
    let plain = token.trim_end_matches('=');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if plain.is_empty() || !plain.bytes().all(is_plain) || token.len() > MAX_BYTES {
        return Err(InvalidToken::Characters(what.to_owned()));
    }
    // It enters HPACK's table, so that each further call sends a byte in its place. To find it by
    // the table, somebody who shares the connection would have to guess all of it at once.
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    value.map_err(|_| InvalidToken::Characters(what.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_trimmed_and_never_shown() {
        let token = Token::new(" abc.DEF-1_2~3+4/5== \n").unwrap();
        assert_eq!(token.header(), "Bearer abc.DEF-1_2~3+4/5==");
        assert_eq!(format!("{token:?}"), "Token");
        for bad in ["", " \n", "=", "a b", "a=b", "secret\u{e9}", "secret\r\nx: y"] {
            let error = Token::new(bad).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
        assert!(Token::new(&"x".repeat(MAX_BYTES + 1)).is_err());
    }

    #[test]
    fn a_file_is_read_again_when_it_changes_and_kept_when_it_is_broken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        assert!(Token::file(&path).unwrap_err().to_string().contains("token file /"));
        fs::write(&path, "one\n").unwrap();
        let token = Token::file(&path).unwrap();
        let Source::File { held, .. } = &*token.0 else { panic!("it is a file") };
        let look = || held.lock().unwrap().look(&path);
        assert_eq!(token.header(), "Bearer one");
        // As a rotation does it: another file takes the name.
        let replace = |content: &str| {
            let new = directory.path().join("new");
            fs::write(&new, content).unwrap();
            fs::rename(&new, &path).unwrap();
        };
        replace("two");
        look();
        assert_eq!(token.header(), "Bearer two");
        replace("not a token");
        look();
        assert_eq!(token.header(), "Bearer two");
        fs::remove_file(&path).unwrap();
        look();
        assert_eq!(token.header(), "Bearer two");
        replace("three");
        look();
        assert_eq!(token.header(), "Bearer three");
        assert!(!format!("{token:?}").contains("three"));
    }
}

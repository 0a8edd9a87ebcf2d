//! Looks at the beginning of a stream without taking it away.

use std::io::{self, Cursor, Read};

/// What a stream begins with.
pub(super) struct Head {
    pub bytes: Vec<u8>,
    /// Whether the stream ends there.
    pub is_whole: bool,
    /// Why it cannot be read on.
    pub broken: Option<io::Error>,
}

impl Head {
    /// Reads up to `length` bytes, or fewer where those read are `enough`.
    pub(super) fn read(
        stream: &mut impl Read,
        length: usize,
        enough: impl Fn(&[u8]) -> bool,
    ) -> Self {
        let mut bytes = vec![0; length];
        let (mut filled, mut is_whole, mut broken) = (0, false, None);
        while filled < length && !is_whole && broken.is_none() && !enough(&bytes[..filled]) {
            match stream.read(&mut bytes[filled..]) {
                Ok(0) => is_whole = true,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => broken = Some(error),
            }
        }
        bytes.truncate(filled);
        Self { bytes, is_whole, broken }
    }

    /// Puts the beginning before the rest of its stream. An error comes between them: not every
    /// decoder reports it once more.
    pub(super) fn before(self, rest: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        Box::new(Cursor::new(self.bytes).chain(Broken(self.broken)).chain(rest))
    }
}

struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Skips the content of a frame that has this length.
pub(super) fn skip(input: &mut impl Read, length: [u8; 4]) -> io::Result<()> {
    let length = u64::from(u32::from_le_bytes(length));
    let skipped = io::copy(&mut input.by_ref().take(length), &mut io::sink())?;
    if skipped < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

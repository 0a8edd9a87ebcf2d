//! Cuts a byte stream into numbered lines in one reused buffer. Knows line ends,
//! blank lines and the longest line there may be; it never looks into a line.

use std::io::{self, BufRead, Read};

use super::Problem;

/// Longest line read. The longest row there can be is a key of 256 characters and six
/// numbers; a file without line ends must not end up in memory whole.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// The lines of a trace that are not blank.
pub(super) struct Lines {
    input: Box<dyn BufRead + Send>,
    /// What the input is, for the error that says it cannot be read on.
    expected: &'static str,
    buffer: Vec<u8>,
    number: u64,
    /// The buffer holds a line that [`Lines::next`] has yet to hand out.
    peeked: bool,
}

impl Lines {
    /// Reads lines from `input`, which `expected` describes.
    #[must_use]
    pub(super) fn new(input: Box<dyn BufRead + Send>, expected: &'static str) -> Self {
        Self { input, expected, buffer: Vec::new(), number: 0, peeked: false }
    }

    /// The line handed out last, counted from 1 with the blank ones.
    #[must_use]
    pub(super) fn number(&self) -> u64 {
        self.number.max(1)
    }

    /// The next line, which stays the next one; none at the end.
    ///
    /// # Errors
    ///
    /// The line is too long, or the input cannot be read on.
    pub(super) fn peek(&mut self) -> Result<Option<&[u8]>, Problem> {
        self.peeked = self.peeked || self.advance()?;
        Ok(self.peeked.then_some(self.buffer.as_slice()))
    }

    /// The next line without its line end; none at the end.
    ///
    /// # Errors
    ///
    /// The line is too long, or the input cannot be read on.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, Problem> {
        let found = std::mem::take(&mut self.peeked) || self.advance()?;
        Ok(found.then_some(self.buffer.as_slice()))
    }

    fn advance(&mut self) -> Result<bool, Problem> {
        loop {
            self.buffer.clear();
            let read = self.read_line().map_err(|error| {
                self.number += 1;
                Problem::Unread(error, self.expected)
            })?;
            if read == 0 {
                return Ok(false);
            }
            self.number += 1;
            if self.buffer.last() == Some(&b'\n') {
                self.buffer.pop();
            } else if read > MAX_LINE {
                return Err(Problem::LongLine);
            }
            if self.buffer.last() == Some(&b'\r') {
                self.buffer.pop();
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn read_line(&mut self) -> io::Result<usize> {
        let longest = MAX_LINE as u64 + 1;
        self.input.by_ref().take(longest).read_until(b'\n', &mut self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Lines {
        Lines::new(Box::new(io::Cursor::new(bytes.to_vec())), "plain text")
    }

    #[test]
    fn blank_lines_are_skipped_but_counted() {
        let mut lines = lines(b"\n  \r\na\r\n\nb");
        assert_eq!(lines.next().unwrap(), Some(b"a".as_slice()));
        assert_eq!(lines.number(), 3);
        assert_eq!(lines.next().unwrap(), Some(b"b".as_slice()));
        assert_eq!(lines.number(), 5);
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn a_peeked_line_stays_the_next_one() {
        let mut lines = lines(b"a\nb\n");
        assert_eq!(lines.peek().unwrap(), Some(b"a".as_slice()));
        assert_eq!(lines.peek().unwrap(), Some(b"a".as_slice()));
        assert_eq!(lines.next().unwrap(), Some(b"a".as_slice()));
        assert_eq!(lines.next().unwrap(), Some(b"b".as_slice()));
        assert_eq!(lines.peek().unwrap(), None);
    }

    #[test]
    fn a_line_at_the_limit_is_read_and_one_beyond_is_refused() {
        let mut bytes = vec![b'x'; MAX_LINE];
        bytes.push(b'\n');
        assert_eq!(lines(&bytes).next().unwrap().map(<[u8]>::len), Some(MAX_LINE));
        bytes.insert(0, b'x');
        assert!(matches!(lines(&bytes).next(), Err(Problem::LongLine)));
    }
}

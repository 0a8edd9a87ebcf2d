//! Cuts a byte stream into numbered lines in one reused buffer. Knows line ends, blank lines,
//! the byte order mark and the longest line there may be; it never looks into a line.

use std::io::{self, BufRead, Read};

use super::{error::Problem, input::Input};

/// Longest line read. The longest row there can be is a key of 256 characters and six
/// numbers; a file without line ends must not end up in memory whole.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// What editors and spreadsheets put before UTF-8 text.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of a trace that are not blank.
pub(super) struct Lines {
    input: Input,
    pub(super) buffer: Vec<u8>,
    pub(super) number: u64,
    /// The line handed out last goes on beyond the longest.
    within: bool,
}

impl Lines {
    /// Reads lines from `input`.
    pub(super) fn new(input: Input) -> Self {
        Self { input, buffer: Vec::new(), number: 0, within: false }
    }

    /// Goes to the next line that is not blank; false at the end.
    ///
    /// # Errors
    ///
    /// The line is too long, after which the one behind it is the next, or the input cannot be
    /// read on.
    pub(super) fn advance(&mut self) -> Result<bool, Problem> {
        loop {
            let read = self.read_line().map_err(|error| {
                self.number += 1;
                self.input.unread(error)
            })?;
            if read == 0 {
                return Ok(false);
            }
            self.number += 1;
            if self.buffer.last() == Some(&b'\n') {
                self.buffer.pop();
            } else if read > MAX_LINE {
                self.within = true;
                return Err(Problem::LongLine(MAX_LINE));
            }
            if self.buffer.last() == Some(&b'\r') {
                self.buffer.pop();
            }
            if self.number == 1 && self.buffer.starts_with(MARK) {
                self.buffer.drain(..MARK.len());
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn read_line(&mut self) -> io::Result<usize> {
        let longest = MAX_LINE as u64 + 1;
        loop {
            self.buffer.clear();
            let read =
                self.input.stream.by_ref().take(longest).read_until(b'\n', &mut self.buffer)?;
            if !self.within {
                return Ok(read);
            }
            self.within = read as u64 == longest && self.buffer.last() != Some(&b'\n');
            if read == 0 {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Lines {
        Lines::new(Input::new(Box::new(io::Cursor::new(bytes.to_vec())), false).unwrap())
    }

    fn all(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut lines = lines(bytes);
        let mut all = Vec::new();
        while lines.advance().unwrap() {
            all.push((lines.number, lines.buffer.clone()));
        }
        all
    }

    #[test]
    fn blank_lines_are_skipped_but_counted() {
        let expected = vec![(3, b"a".to_vec()), (5, b"b".to_vec())];
        assert_eq!(all(b"\n  \r\na\r\n\nb"), expected);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        assert_eq!(all(b"\xef\xbb\xbfa\nb\n"), [(1, b"a".to_vec()), (2, b"b".to_vec())]);
        assert_eq!(all(b"\xef\xbb\xbf\r\n\xef\xbb\xbfb\n"), [(2, b"\xef\xbb\xbfb".to_vec())]);
    }

    #[test]
    fn a_line_at_the_limit_is_read_and_one_beyond_is_refused() {
        let mut bytes = vec![b'x'; MAX_LINE];
        bytes.push(b'\n');
        assert_eq!(all(&bytes)[0].1.len(), MAX_LINE);
        bytes.insert(0, b'x');
        assert!(matches!(lines(&bytes).advance(), Err(Problem::LongLine(_))));
    }

    #[test]
    fn the_line_behind_one_that_is_too_long_is_the_next() {
        for length in [MAX_LINE + 1, 2 * MAX_LINE + 2, 5 * MAX_LINE] {
            let bytes = [vec![b'x'; length], b"\nb\n".to_vec()].concat();
            let mut lines = lines(&bytes);
            assert!(matches!(lines.advance(), Err(Problem::LongLine(_))));
            assert!(lines.advance().unwrap());
            assert_eq!((lines.number, lines.buffer.as_slice()), (2, b"b".as_slice()), "{length}");
            assert!(!lines.advance().unwrap());
        }
    }
}

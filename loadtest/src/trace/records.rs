//! Cuts a byte stream into records of one length. Knows nothing of what is in them.

use std::io::{self, Read};

use super::{Problem, input::Input};

/// The records of a binary trace.
pub(super) struct Records {
    input: Input,
    buffer: Vec<u8>,
    number: u64,
}

impl Records {
    /// Reads records of `length` bytes from `input`.
    #[must_use]
    pub(super) fn new(input: Input, length: usize) -> Self {
        Self { input, buffer: vec![0; length], number: 0 }
    }

    /// The record handed out last, counted from 1; 0 before the first.
    #[must_use]
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Goes to the next record; false at the end.
    ///
    /// # Errors
    ///
    /// The input ends within the record, or cannot be read on.
    pub(super) fn advance(&mut self) -> Result<bool, Problem> {
        let mut filled = 0;
        while filled < self.buffer.len() {
            match self.input.read(&mut self.buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.number += 1;
                    return Err(Problem::Unread(error, self.input.expected()));
                }
            }
        }
        if filled == 0 {
            return Ok(false);
        }
        self.number += 1;
        if filled < self.buffer.len() {
            return Err(Problem::CutRecord { found: filled, expected: self.buffer.len() });
        }
        Ok(true)
    }

    /// The record that is the current one.
    pub(super) fn record(&self) -> &[u8] {
        &self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(bytes: &[u8]) -> Records {
        Records::new(Input::new(Box::new(io::Cursor::new(bytes.to_vec())), false).unwrap(), 4)
    }

    #[test]
    fn records_are_numbered_and_end_with_the_stream() {
        let mut records = records(b"onetwo!!");
        assert!(records.advance().unwrap());
        assert_eq!((records.number(), records.record()), (1, b"onet".as_slice()));
        assert!(records.advance().unwrap());
        assert!(!records.advance().unwrap());
    }

    #[test]
    fn a_record_that_is_cut_short_is_an_error_and_then_the_end() {
        let mut records = records(b"abcdef");
        assert!(records.advance().unwrap());
        let cut = records.advance().unwrap_err();
        assert!(matches!(cut, Problem::CutRecord { found: 2, expected: 4 }));
        assert!(!records.advance().unwrap());
    }
}

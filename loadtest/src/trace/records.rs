//! Cuts a byte stream into records of one length. Knows nothing of what is in them.

use std::io::Read;

use super::{error::Problem, input::Input};

/// The records of a binary trace.
pub(super) struct Records {
    input: Input,
    length: usize,
    pub(super) buffer: Vec<u8>,
    pub(super) number: u64,
}

impl Records {
    /// Reads records of `length` bytes from `input`.
    pub(super) fn new(input: Input, length: usize) -> Self {
        Self { input, length, buffer: Vec::with_capacity(length), number: 0 }
    }

    /// Goes to the next record; false at the end.
    ///
    /// # Errors
    ///
    /// The input ends within the record, or cannot be read on.
    pub(super) fn advance(&mut self) -> Result<bool, Problem> {
        self.buffer.clear();
        let mut record = self.input.stream.by_ref().take(self.length as u64);
        let read = record.read_to_end(&mut self.buffer);
        self.number += u64::from(!matches!(read, Ok(0)));
        match read.map_err(|error| self.input.unread(error))? {
            0 => Ok(false),
            found if found < self.length => {
                Err(Problem::CutRecord { found, expected: self.length })
            }
            _ => Ok(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(bytes: &[u8]) -> Records {
        Records::new(Input::new(Box::new(std::io::Cursor::new(bytes.to_vec())), false).unwrap(), 4)
    }

    #[test]
    fn records_are_numbered_and_end_with_the_stream() {
        let mut records = records(b"onetwo!!");
        assert!(records.advance().unwrap());
        assert_eq!((records.number, records.buffer.as_slice()), (1, b"onet".as_slice()));
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

//! What the two text protocols share: lines, and values behind them.

use super::Fault;

/// Takes pieces off the start of the input. Each method returns None where the piece is not
/// complete yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines<'a> {
    input: &'a [u8],
    at: usize,
}

/// The longest line that is waited for.
const MAX_LINE: usize = 512;

impl<'a> Lines<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0 }
    }

    /// Bytes taken so far.
    pub(crate) fn taken(&self) -> usize {
        self.at
    }

    /// The fault that the line taken last is.
    pub(crate) fn unexpected(&self, expected: &str) -> Fault {
        let taken = &self.input[..self.at];
        let line = taken.rsplit(|&byte| byte == b'\n').nth(1).unwrap_or_default();
        Fault::unexpected(expected, line)
    }

    /// A line without its end.
    pub(crate) fn line(&mut self) -> Result<Option<&'a [u8]>, Fault> {
        let rest = &self.input[self.at..];
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
            if rest.len() > MAX_LINE {
                return Err(Fault::unexpected("the end of a line", rest));
            }
            return Ok(None);
        };
        self.at += end + 1;
        let line = &rest[..end];
        let line = line.strip_suffix(b"\r");
        line.map(Some).ok_or_else(|| Fault::unexpected("a line that ends with CRLF", rest))
    }

    /// So many bytes and the end of a line.
    pub(crate) fn value(&mut self, bytes: usize) -> Result<Option<&'a [u8]>, Fault> {
        let Some(value) = self.input.get(self.at..self.at + bytes + 2) else { return Ok(None) };
        self.at += bytes + 2;
        let bare = value.strip_suffix(b"\r\n");
        bare.map(Some).ok_or_else(|| Fault::unexpected("a value of that length", value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_complete_is_not_taken() {
        let mut lines = Lines::new(b"+OK\r\nabc\r\n+O");
        assert_eq!(lines.line(), Ok(Some(b"+OK".as_slice())));
        assert_eq!(lines.value(3), Ok(Some(b"abc".as_slice())));
        assert_eq!(lines.line(), Ok(None));
        assert_eq!(lines.value(3), Ok(None));
        assert_eq!(lines.taken(), 10);
    }

    #[test]
    fn a_value_of_another_length_is_a_fault() {
        assert!(Lines::new(b"abcd\r\n").value(3).is_err());
    }

    #[test]
    fn a_line_without_end_is_a_fault() {
        assert!(Lines::new(&[b'a'; MAX_LINE + 1]).line().is_err());
    }
}

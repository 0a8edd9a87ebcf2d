//! Cuts a line into cells. Knows delimiters and quotes, not what is in a cell.

use std::borrow::Cow;

use super::error::{Excerpt, Problem};

/// How a line is cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Dialect {
    /// What stands between two cells. Several blanks in a row are one delimiter.
    pub delimiter: u8,
    /// How far quotes and blanks are taken for what they are in a CSV file.
    pub quoting: Quoting,
}

/// How cells are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Quoting {
    /// RFC 4180, and blanks around a cell are no part of it.
    Csv,
    /// As cachebench reads them: a delimiter always ends a cell. Only a cell that is quoted as
    /// a whole is taken as in a CSV file.
    Cachebench,
}

/// The delimiters that are tried if none is given, the usual ones first.
pub(super) const DELIMITERS: [u8; 5] = [b',', b'\t', b';', b'|', b' '];

/// A cell, and what is behind its delimiter.
type Cut<'line> = (Cow<'line, [u8]>, Option<&'line [u8]>);

impl Dialect {
    /// Hands out the cells of a line with their places, counted from 0, and gives their number.
    ///
    /// # Errors
    ///
    /// A quote is not closed where the quoting asks for that.
    pub(super) fn cut<'line>(
        self,
        line: &'line [u8],
        mut take: impl FnMut(usize, Cow<'line, [u8]>),
    ) -> Result<usize, Problem> {
        let blank = self.delimiter == b' ';
        let mut rest = Some(if blank { line.trim_ascii() } else { line });
        let mut count = 0;
        while let Some(from) = rest {
            let (cell, behind) = self.next(if blank { from.trim_ascii_start() } else { from })?;
            take(count, cell);
            count += 1;
            rest = behind;
        }
        Ok(count)
    }

    /// How many cells a line has.
    pub(super) fn count(self, line: &[u8]) -> usize {
        self.cut(line, |_, _| ()).unwrap_or(0)
    }

    fn next(self, from: &[u8]) -> Result<Cut<'_>, Problem> {
        let start = match self.quoting {
            // A tab may be the delimiter.
            Quoting::Csv => blanks(from, self.delimiter),
            Quoting::Cachebench => 0,
        };
        if from.get(start) == Some(&b'"') {
            match (self.quoted(&from[start + 1..]), self.quoting) {
                (Some(found), _) => return Ok(found),
                (None, Quoting::Csv) => return Err(Problem::Quote(Excerpt::of(&from[start..]))),
                (None, Quoting::Cachebench) => {}
            }
        }
        let end = from.iter().position(|&byte| byte == self.delimiter);
        let cell = &from[..end.unwrap_or(from.len())];
        let cell = if self.quoting == Quoting::Csv { cell.trim_ascii() } else { cell };
        Ok((Cow::Borrowed(cell), end.map(|end| &from[end + 1..])))
    }

    /// The cell up to its closing quote, and what is behind its delimiter; none where there is
    /// no closing quote, or something between it and the delimiter.
    fn quoted(self, from: &[u8]) -> Option<Cut<'_>> {
        let mut cell = Cow::Borrowed(&from[..0]);
        let mut rest = from;
        loop {
            let quote = rest.iter().position(|&byte| byte == b'"')?;
            let (part, behind) = (&rest[..quote], &rest[quote + 1..]);
            if cell.is_empty() {
                cell = Cow::Borrowed(part);
            } else {
                cell.to_mut().extend_from_slice(part);
            }
            if behind.first() == Some(&b'"') {
                cell.to_mut().push(b'"');
                rest = &behind[1..];
                continue;
            }
            let behind = &behind[blanks(behind, self.delimiter)..];
            return match behind.split_first() {
                None => Some((cell, None)),
                Some((&byte, behind)) if byte == self.delimiter => Some((cell, Some(behind))),
                Some(_) => None,
            };
        }
    }
}

/// Blanks at the beginning that are no delimiters.
fn blanks(text: &[u8], delimiter: u8) -> usize {
    text.iter().take_while(|&&byte| byte != delimiter && matches!(byte, b' ' | b'\t')).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(line: &[u8], delimiter: u8, quoting: Quoting) -> Result<Vec<String>, String> {
        let mut cells = Vec::new();
        Dialect { delimiter, quoting }
            .cut(line, |_, cell| cells.push(String::from_utf8_lossy(&cell).into_owned()))
            .map_err(|problem| problem.to_string())?;
        Ok(cells)
    }

    fn csv(line: &str) -> Vec<String> {
        cells(line.as_bytes(), b',', Quoting::Csv).unwrap()
    }

    #[test]
    fn quoted_cells_hold_delimiters_and_quotes() {
        assert_eq!(csv("1,\"a,b\",2"), ["1", "a,b", "2"]);
        assert_eq!(csv("1, \"a \"\"b\"\"\" ,2"), ["1", "a \"b\"", "2"]);
        assert_eq!(csv("\"\",\"\"\"\""), ["", "\""]);
        assert_eq!(csv(" a b , c"), ["a b", "c"]);
        assert_eq!(csv("a\"b,c\""), ["a\"b", "c\""], "a quote within a cell is itself");
        assert_eq!(csv(""), [""]);
        assert_eq!(csv("a,"), ["a", ""]);
    }

    #[test]
    fn a_quote_that_is_not_closed_is_refused_or_the_beginning_of_a_key() {
        for line in ["1,\"a", "1,\"a\"b,2"] {
            let message = cells(line.as_bytes(), b',', Quoting::Csv).unwrap_err();
            assert!(message.starts_with("the quote of \"\\\"a"), "{message}");
        }
        let cut = |line: &[u8]| cells(line, b',', Quoting::Cachebench).unwrap();
        assert_eq!(cut(b"\"a, b"), ["\"a", " b"]);
        assert_eq!(cut(b"\"a, b\",1"), ["a, b", "1"]);
    }

    #[test]
    fn several_blanks_are_one_delimiter() {
        let cut = |line: &[u8]| cells(line, b' ', Quoting::Csv).unwrap();
        assert_eq!(cut(b"  1   a \"b c\"  "), ["1", "a", "b c"]);
        assert_eq!(cells(b"1\t\t2", b'\t', Quoting::Csv).unwrap(), ["1", "", "2"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_cut_or_refused(line: Vec<u8>, delimiter in 0..5_usize) {
            for quoting in [Quoting::Csv, Quoting::Cachebench] {
                let _ = cells(&line, DELIMITERS[delimiter], quoting);
            }
        }

        #[test]
        fn written_cells_read_back(written in prop::collection::vec("[^\r\n]{0,20}", 1..6)) {
            let line: Vec<String> =
                written.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
            prop_assert_eq!(csv(&line.join(",")), written);
        }
    }
}

//! Cuts a line into cells. Knows delimiters and quotes, not what is in a cell.

use std::borrow::Cow;

use super::{Problem, error::Excerpt};

/// How a line is cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Dialect {
    /// What stands between two cells. Several blanks in a row are one delimiter.
    pub delimiter: u8,
    /// How far quotes and blanks are taken for what they are in a CSV file.
    pub style: Style,
}

/// How cells are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Style {
    /// RFC 4180, and blanks around a cell are no part of it.
    Csv,
    /// As cachebench reads them: a delimiter always ends a cell. Only a cell that is quoted as
    /// a whole is taken as in a CSV file.
    Cachebench,
}

/// What may stand between cells where nobody says it, the usual ones first.
pub(super) const DELIMITERS: [u8; 5] = [b',', b'\t', b';', b'|', b' '];

/// A cell, and what is behind its delimiter.
type Cut<'line> = (Cow<'line, [u8]>, Option<&'line [u8]>);

impl Dialect {
    /// Hands out the cells of a line with their places, counted from 0, and gives their number.
    ///
    /// # Errors
    ///
    /// A quote is not closed where the style asks for that.
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

    fn next<'line>(self, from: &'line [u8]) -> Result<Cut<'line>, Problem> {
        let start = match self.style {
            // A tab may be the delimiter.
            Style::Csv => blanks(from, self.delimiter),
            Style::Cachebench => 0,
        };
        if from.get(start) == Some(&b'"') {
            match (self.quoted(&from[start + 1..]), self.style) {
                (Some(found), _) => return Ok(found),
                (None, Style::Csv) => return Err(Problem::Quote(Excerpt::of(&from[start..]))),
                (None, Style::Cachebench) => {}
            }
        }
        let end = from.iter().position(|&byte| byte == self.delimiter);
        let cell = &from[..end.unwrap_or(from.len())];
        let cell = if self.style == Style::Csv { cell.trim_ascii() } else { cell };
        Ok((Cow::Borrowed(cell), end.map(|end| &from[end + 1..])))
    }

    /// The cell up to its closing quote, and what is behind its delimiter; none where there is
    /// no closing quote, or something between it and the delimiter.
    fn quoted<'line>(self, from: &'line [u8]) -> Option<Cut<'line>> {
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

    fn cells(line: &[u8], delimiter: u8, style: Style) -> Result<Vec<String>, String> {
        let mut cells = Vec::new();
        Dialect { delimiter, style }
            .cut(line, |_, cell| cells.push(String::from_utf8_lossy(&cell).into_owned()))
            .map_err(|problem| problem.to_string())?;
        Ok(cells)
    }

    fn csv(line: &str) -> Vec<String> {
        cells(line.as_bytes(), b',', Style::Csv).unwrap()
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
            let message = cells(line.as_bytes(), b',', Style::Csv).unwrap_err();
            assert!(message.starts_with("the quote of \"\\\"a"), "{message}");
        }
        let cut = |line: &[u8]| cells(line, b',', Style::Cachebench).unwrap();
        assert_eq!(cut(b"\"a, b"), ["\"a", " b"]);
        assert_eq!(cut(b"\"a, b\",1"), ["a, b", "1"]);
    }

    #[test]
    fn several_blanks_are_one_delimiter() {
        let cut = |line: &[u8]| cells(line, b' ', Style::Csv).unwrap();
        assert_eq!(cut(b"  1   a \"b c\"  "), ["1", "a", "b c"]);
        assert_eq!(cells(b"1\t\t2", b'\t', Style::Csv).unwrap(), ["1", "", "2"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_cut_or_refused(line: Vec<u8>, delimiter in 0..5_usize) {
            for style in [Style::Csv, Style::Cachebench] {
                let _ = cells(&line, DELIMITERS[delimiter], style);
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

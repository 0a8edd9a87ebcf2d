//! The format of the traces of the LIRS paper: a line is the id that is read. Lines with an
//! asterisk stand between parts of some of them and say nothing.
//!
//! The same lines are libCacheSim's `txt` where ids are numbers.

use super::{error::Problem, row};

/// The columns of a line.
pub(super) const ROW: &str = "id";

/// Reads one line: an id, or none from one that stands between two parts.
///
/// # Errors
///
/// The line is no whole number.
pub(super) fn parse(line: &[u8]) -> Result<Option<u64>, Problem> {
    match line.trim_ascii() {
        b"*" => Ok(None),
        id => row::id("id", id, ROW).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_an_id_or_stands_between_two_parts() {
        assert_eq!(parse(b"17").unwrap(), Some(17));
        assert_eq!(parse(b"  0 ").unwrap(), Some(0));
        assert_eq!(parse(b"*").unwrap(), None);
        let message = parse(b"1 2").unwrap_err().to_string();
        assert_eq!(message, "id is \"1 2\"; expected a whole number of 64 bits in \"id\"");
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_id_or_an_error(line: Vec<u8>) {
            let _ = parse(&line);
        }

        #[test]
        fn a_written_line_reads_back(id: u64) {
            prop_assert_eq!(parse(id.to_string().as_bytes()).unwrap(), Some(id));
        }
    }
}

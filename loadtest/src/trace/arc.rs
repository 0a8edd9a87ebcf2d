//! The ARC format: a line is `start count 0 n` and stands for the accesses to the
//! `count` consecutive ids from `start`. Sizes and ttls are not in it.

use super::{error::Problem, row};

/// The columns of a line.
pub(super) const ROW: &str = "start count 0 n";

/// The ids that one line stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Run {
    next: u64,
    /// Inclusive, so that a run may end at the largest id.
    last: u64,
    done: bool,
}

/// Reads one line.
///
/// # Errors
///
/// The line has not four columns of whole numbers, its count is 0, or its ids
/// exceed 64 bits.
pub(super) fn parse(line: &[u8]) -> Result<Run, Problem> {
    let [start, count, ignored, n] =
        columns(line).ok_or_else(|| Problem::columns(line, words(line).count(), ROW))?;
    let start = row::id("start", start, ROW)?;
    let ids = row::id("count", count, ROW)?;
    row::id("third column", ignored, ROW)?;
    row::id("n", n, ROW)?;
    let Some(beyond_first) = ids.checked_sub(1) else {
        return Err(Problem::column("count", count, "1 or more", ROW));
    };
    let last = start.checked_add(beyond_first).ok_or(Problem::IdsOverflow { start, count: ids })?;
    Ok(Run { next: start, last, done: false })
}

/// The four columns of a line.
pub(super) fn columns(line: &[u8]) -> Option<[&[u8]; 4]> {
    let mut words = words(line);
    let four = [words.next()?, words.next()?, words.next()?, words.next()?];
    words.next().is_none().then_some(four)
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

impl Iterator for Run {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.done {
            return None;
        }
        let id = self.next;
        match id.checked_add(1) {
            Some(next) if id < self.last => self.next = next,
            _ => self.done = true,
        }
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_stands_for_consecutive_ids() {
        assert_eq!(parse(b"7 3 0 12").unwrap().collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!(parse(b" 7\t1  0 1 ").unwrap().collect::<Vec<_>>(), [7]);
    }

    #[test]
    fn a_run_may_end_at_the_largest_id_but_not_beyond() {
        let line = format!("{} 2 0 0", u64::MAX - 1);
        assert_eq!(parse(line.as_bytes()).unwrap().collect::<Vec<_>>(), [u64::MAX - 1, u64::MAX]);
        let line = format!("{} 2 0 0", u64::MAX);
        assert!(matches!(parse(line.as_bytes()), Err(Problem::IdsOverflow { .. })));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_was_expected() {
        let message = |line: &str| parse(line.as_bytes()).unwrap_err().to_string();
        assert_eq!(message("1 2 0"), "\"1 2 0\" has 3 columns; expected \"start count 0 n\"");
        assert_eq!(
            message("1 x 0 0"),
            "count is \"x\"; expected a whole number of 64 bits in \"start count 0 n\""
        );
        assert_eq!(message("1 0 0 0"), "count is \"0\"; expected 1 or more in \"start count 0 n\"");
        assert!(message("-1 1 0 0").starts_with("start is \"-1\""));
        assert!(message("18446744073709551616 1 0 0").starts_with("start is"));
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_run_or_an_error(line: Vec<u8>) {
            let _ = parse(&line);
        }

        #[test]
        fn a_written_line_reads_back(start in 0..u64::MAX - 1000, count in 1..1000_u64, n: u64) {
            let ids: Vec<u64> = parse(format!("{start} {count} 0 {n}").as_bytes()).unwrap().collect();
            prop_assert_eq!(ids, (start..start + count).collect::<Vec<_>>());
        }
    }
}

//! The format oracleGeneral of libCacheSim, in which most public traces are distributed:
//! records of 24 bytes without a header, little-endian and unaligned (`<IQIq`): the time in
//! seconds, the object's id, its size in bytes, and the index of the next request for it,
//! or -1. A record is a read.
//!
//! The format is documented in `FAQ.md` and `oracleGeneralBin.h` of
//! <https://github.com/1a1a11a/libCacheSim>.

use super::{
    row::{Name, Row},
    time::{Time, TimeUnit},
};

/// Bytes of a record.
pub(super) const RECORD: usize = 24;

/// Records that have to look like it before a file is taken for one.
const LOOKED_AT: usize = 2000;

/// No trace has as many requests: an index beyond is none.
const MOST: i64 = 1 << 44;

/// Reads one record, which is as long as [`RECORD`] says.
pub(super) fn parse(record: &[u8], unit: TimeUnit) -> Row<'static> {
    let fields = Fields::of(record);
    Row {
        time: Some(Time::whole(u64::from(fields.time), unit)),
        value_size: Some(u64::from(fields.size)),
        ..Row::read(Name::Id(fields.id))
    }
}

/// Whether bytes look like the beginning of such a trace: the next request for an object is
/// later than this one, or there is none. Bytes that are something else pass for that once in
/// thousands of records.
pub(super) fn resembles(head: &[u8]) -> bool {
    let later = |(index, record): (usize, &[u8])| {
        let next = Fields::of(record).next;
        let none = matches!(next, -2..=0 | i64::MAX);
        none || (index as i64 + 1..MOST).contains(&next)
    };
    let mut records = head.chunks_exact(RECORD).take(LOOKED_AT).peekable();
    records.peek().is_some() && records.enumerate().all(later)
}

struct Fields {
    time: u32,
    id: u64,
    size: u32,
    next: i64,
}

impl Fields {
    fn of(record: &[u8]) -> Self {
        let word = |at: usize| -> [u8; 4] { record[at..at + 4].try_into().expect("4 bytes") };
        let long = |at: usize| -> [u8; 8] { record[at..at + 8].try_into().expect("8 bytes") };
        Self {
            time: u32::from_le_bytes(word(0)),
            id: u64::from_le_bytes(long(4)),
            size: u32::from_le_bytes(word(12)),
            next: i64::from_le_bytes(long(16)),
        }
    }
}

#[cfg(test)]
pub(super) fn written(time: u32, id: u64, size: u32, next: i64) -> Vec<u8> {
    [&time.to_le_bytes()[..], &id.to_le_bytes(), &size.to_le_bytes(), &next.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_is_a_read_with_a_time_and_a_size() {
        let record = [
            0x9a, 0x84, 0, 0, 0x29, 0x1a, 0x8f, 2, 0, 0, 0, 0, 0, 2, 0, 0, 0xff, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xff, 0xff,
        ];
        let row = parse(&record, TimeUnit::Seconds);
        assert_eq!(row.key, Name::Id(42_932_777));
        assert_eq!((row.value_size, row.time.unwrap().nanos), (Some(512), 33_946_000_000_000));
    }

    #[test]
    fn indexes_of_next_requests_tell_the_format() {
        let head = |nexts: &[i64]| -> Vec<u8> {
            nexts.iter().enumerate().flat_map(|(n, &next)| written(9, n as u64, 1, next)).collect()
        };
        assert!(resembles(&head(&[2, 7, -1, i64::MAX])));
        assert!(resembles(&[&head(&[2])[..], b"cut"].concat()));
        for other in [&[1, 1][..], &[i64::MAX, -3], &[1 << 50]] {
            assert!(!resembles(&head(other)), "{other:?}");
        }
        assert!(!resembles(b""));
    }

    proptest! {
        #[test]
        fn a_written_record_reads_back(time: u32, id: u64, size: u32, next: i64) {
            let row = parse(&written(time, id, size, next), TimeUnit::Seconds);
            prop_assert_eq!(row.key, Name::Id(id));
            prop_assert_eq!(row.value_size, Some(u64::from(size)));
            prop_assert_eq!(row.time, Some(Time::whole(u64::from(time), TimeUnit::Seconds)));
        }

        #[test]
        fn any_bytes_resemble_it_or_do_not(head: Vec<u8>) {
            let _ = resembles(&head);
        }
    }
}

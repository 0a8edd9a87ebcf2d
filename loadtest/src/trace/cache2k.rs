//! The format of the traces of cache2k's benchmarks: ids of 32 bits, big-endian, one after the
//! other. An id is a read.
//!
//! The format is documented in `Cache2kTraceReader.java` of <https://github.com/ben-manes/caffeine>;
//! the traces are those of <https://github.com/cache2k/cache2k-benchmark>.

use super::row::{Name, Row};

/// Bytes of a record.
pub(super) const RECORD: usize = 4;

/// Reads one record, which is as long as [`RECORD`] says.
pub(super) fn parse(record: &[u8]) -> Row<'static> {
    Row::read(Name::Id(u64::from(id(record))))
}

/// Whether bytes look like the beginning of such a trace: ids were given in the order in which
/// objects came, so none is beyond the one after the largest so far.
pub(super) fn resembles(head: &[u8]) -> bool {
    let mut largest = 0;
    let mut ids = head.chunks_exact(RECORD).map(id).peekable();
    ids.peek().is_some()
        && ids.all(|id| {
            let known = id <= largest + 1;
            largest = id.max(largest).min(u32::MAX - 1);
            known
        })
}

fn id(record: &[u8]) -> u32 {
    u32::from_be_bytes(record.try_into().expect("4 bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(ids: &[u32]) -> Vec<u8> {
        ids.iter().flat_map(|id| id.to_be_bytes()).collect()
    }

    #[test]
    fn ids_in_the_order_of_their_first_access_tell_the_format() {
        assert!(resembles(&written(&[0, 1, 2, 3, 1, 4, 4, 5, 0])));
        assert!(resembles(&written(&[1, 1, 2])));
        assert!(!resembles(&written(&[0, 2])));
        assert!(!resembles(&written(&[7])));
        assert!(!resembles(b""));
    }

    proptest! {
        #[test]
        fn a_written_record_reads_back(id: u32) {
            prop_assert_eq!(parse(&written(&[id])).key, Name::Id(u64::from(id)));
        }

        #[test]
        fn any_bytes_resemble_it_or_do_not(head: Vec<u8>) {
            let _ = resembles(&head);
        }
    }
}

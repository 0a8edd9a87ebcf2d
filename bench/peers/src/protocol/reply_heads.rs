//! Header blocks of replies (RFC 7541): is the status 0?
//!
//! Decoding all fields would cost this client more than some servers, so only the one field is
//! recognised, in either coding. The server's table is followed as far as that takes: an index
//! counts back from the newest entry, and so needs neither the entries' texts nor their sizes.

use std::collections::VecDeque;

use super::Fault;

const NAME: &[u8] = b"grpc-status";
/// The same in Huffman's coding.
const NAME_HUFFMAN: &[u8] = b"\x9a\xca\xc8\xb2\x12\x34\xda\x8f";
const ZERO: &[u8] = b"0";
/// The same in Huffman's coding.
const ZERO_HUFFMAN: &[u8] = b"\x07";

/// Entries of the static table, which come before the others.
const STATIC: usize = 61;
/// Entries that a table of 4,096 bytes, HPACK's default, can hold.
const MOST: usize = 128;

/// What is known of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    StatusZero,
    StatusOther,
    Other,
}

/// The state of one connection.
#[derive(Debug, Default)]
pub(crate) struct ReplyHeads {
    /// Newest first.
    table: VecDeque<Field>,
}

impl ReplyHeads {
    /// Takes a block that begins a reply.
    pub(crate) fn head(&mut self, block: &[u8]) -> Result<(), Fault> {
        self.status(block)?;
        Ok(())
    }

    /// Takes a block that ends a reply.
    pub(crate) fn trailers(&mut self, block: &[u8]) -> Result<(), Fault> {
        match self.status(block)? {
            Some(Field::StatusZero) => Ok(()),
            _ => Err(Fault::unexpected("trailers with grpc-status 0", block)),
        }
    }

    /// The last status of a block.
    fn status(&mut self, mut block: &[u8]) -> Result<Option<Field>, Fault> {
        let mut status = None;
        while let Some(&first) = block.first() {
            let field = match first {
                0x80.. => self.indexed(integer(&mut block, 7)?)?,
                0x40.. => {
                    let field = self.literal(&mut block, 6)?;
                    self.table.push_front(field);
                    self.table.truncate(MOST);
                    field
                }
                // A new size of the table.
                0x20.. => {
                    integer(&mut block, 5)?;
                    continue;
                }
                _ => self.literal(&mut block, 4)?,
            };
            if field != Field::Other {
                status = Some(field);
            }
        }
        Ok(status)
    }

    fn indexed(&self, index: usize) -> Result<Field, Fault> {
        match index.checked_sub(STATIC + 1) {
            None => Ok(Field::Other),
            Some(age) => {
                let field = self.table.get(age).copied();
                field.ok_or_else(|| Fault(format!("index {index} is beyond the table")))
            }
        }
    }

    /// A field with a value, and perhaps a name, of its own.
    fn literal(&self, block: &mut &[u8], prefix: u32) -> Result<Field, Fault> {
        let index = integer(block, prefix)?;
        let is_status = if index == 0 {
            let name = text(block)?;
            name == NAME || name == NAME_HUFFMAN
        } else {
            self.indexed(index)? != Field::Other
        };
        let value = text(block)?;
        Ok(match (is_status, value == ZERO || value == ZERO_HUFFMAN) {
            (false, _) => Field::Other,
            (true, true) => Field::StatusZero,
            (true, false) => Field::StatusOther,
        })
    }
}

/// A string, in whichever coding. The texts that are looked for differ in both.
fn text<'a>(block: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
    let length = integer(block, 7)?;
    let (text, rest) = block.split_at_checked(length).ok_or_else(cut_off)?;
    *block = rest;
    Ok(text)
}

/// An integer with a prefix of so many bits (RFC 7541, 5.1).
fn integer(block: &mut &[u8], prefix: u32) -> Result<usize, Fault> {
    let mut next = || {
        let (&first, rest) = block.split_first().ok_or_else(cut_off)?;
        *block = rest;
        Ok(usize::from(first))
    };
    let mask = (1 << prefix) - 1;
    let mut number = next()? & mask;
    if number < mask {
        return Ok(number);
    }
    for shift in [0, 7, 14] {
        let byte = next()?;
        number += (byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Fault("a number in a header block is too large".to_owned()))
}

fn cut_off() -> Fault {
    Fault("a header block is cut off".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(first: u8, name: &str, value: &str) -> Vec<u8> {
        let mut block = vec![first, name.len() as u8];
        block.extend(name.bytes());
        block.push(value.len() as u8);
        block.extend(value.bytes());
        block
    }

    #[test]
    fn the_texts_in_huffmans_coding_are_what_a_decoder_reads() {
        for (coded, plain) in [(NAME_HUFFMAN, NAME), (ZERO_HUFFMAN, ZERO)] {
            let mut block = vec![0, 0x80 | coded.len() as u8];
            block.extend(coded);
            block.push(0);
            let fields = fluke_hpack::Decoder::new().decode(&block).unwrap();
            assert_eq!(fields[0].0, plain);
        }
    }

    #[test]
    fn status_0_is_taken_as_text_and_by_its_index() {
        let mut heads = ReplyHeads::default();
        heads.head(&[0x88]).unwrap();
        heads.trailers(&literal(0x40, "grpc-status", "0")).unwrap();
        heads.trailers(&[0xbe]).unwrap();
        heads.trailers(b"\x00\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f\x81\x07").unwrap();
        // The name by its index, with a value of its own.
        heads.trailers(b"\x0f\x2f\x010").unwrap();
        assert!(heads.trailers(b"\x0f\x2f\x015").is_err());
    }

    #[test]
    fn an_index_moves_with_each_field_that_is_added() {
        let mut heads = ReplyHeads::default();
        heads.trailers(&literal(0x40, "grpc-status", "0")).unwrap();
        heads.head(&literal(0x40, "date", "today")).unwrap();
        assert!(heads.trailers(&[0xbe]).is_err(), "it is the date now");
        heads.trailers(&[0xbf]).unwrap();
        assert!(heads.trailers(&[0xc0]).is_err());
    }

    #[test]
    fn another_status_and_none_are_faults() {
        let mut heads = ReplyHeads::default();
        assert!(heads.trailers(&literal(0x00, "grpc-status", "8")).is_err());
        assert!(heads.trailers(&[0x88]).is_err());
        assert!(heads.trailers(&literal(0x00, "grpc-statut", "0")).is_err());
    }

    #[test]
    fn a_block_that_is_cut_off_is_a_fault() {
        let block = literal(0x00, "x-request-id", "1234");
        for end in 1..block.len() {
            assert!(ReplyHeads::default().head(&block[..end]).is_err(), "{end}");
        }
        ReplyHeads::default().head(&block).unwrap();
    }

    #[test]
    fn numbers_of_several_bytes_are_read() {
        // RFC 7541, C.1.2: 1337 with a prefix of 5 bits.
        let mut bytes: &[u8] = &[0x1f, 0x9a, 0x0a];
        assert_eq!(integer(&mut bytes, 5), Ok(1337));
        assert!(integer(&mut [0xff, 0xff, 0xff, 0xff].as_slice(), 7).is_err());
    }
}

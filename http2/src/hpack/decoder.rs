//! Header blocks to fields (RFC 7541, sections 3 and 6).

use super::{
    HpackError,
    credential::{self, Credential},
    huffman,
    integer::{Reader, Text},
    static_table::ENTRIES,
    table::{Classify, Table},
};

/// The size of the table that a peer may use. It is HPACK's default, so that no setting is
/// needed, and bounds what a connection keeps for its peer.
pub(crate) const TABLE_BYTES: usize = 4096;

/// Changes of the table's size that may begin a block: the smallest since the last block, and
/// the last (RFC 7541, 4.2).
const MAX_RESIZES: usize = 2;

/// A field of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field<'a, C> {
    pub(crate) class: C,
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// Takes the fields of a block, in order.
pub(crate) trait Sink<C> {
    fn field(&mut self, field: Field<'_, C>);
}

/// The decoder of one connection.
#[derive(Debug)]
pub(crate) struct Decoder<C> {
    table: Table<C>,
    /// In memory of its own, which a connection without one does not take.
    credential: Option<Box<Credential<C>>>,
}

impl<C: Copy> Decoder<C> {
    pub(crate) fn new() -> Self {
        Self { table: Table::new(TABLE_BYTES), credential: None }
    }

    /// Decodes a whole block. `scratch` is overwritten; it is the caller's so that it is
    /// allocated once for many connections.
    pub(crate) fn decode(
        &mut self,
        block: &[u8],
        names: &impl Classify<Class = C>,
        scratch: &mut Vec<u8>,
        sink: &mut impl Sink<C>,
    ) -> Result<(), HpackError> {
        let mut reader = Reader::new(block);
        self.resizes(&mut reader)?;
        while let Some(first) = reader.peek() {
            match first {
                0x80.. => {
                    let index = reader.integer(7)?;
                    sink.field(self.indexed(index, names)?);
                }
                0x40.. => sink.field(self.literal(&mut reader, 6, names, scratch)?),
                0x20.. => return Err(HpackError("a table's size changes within a block")),
                0x10.. => sink.field(self.never_indexed(&mut reader, names, scratch)?),
                _ => sink.field(self.literal(&mut reader, 4, names, scratch)?),
            }
        }
        Ok(())
    }

    fn resizes(&mut self, reader: &mut Reader<'_>) -> Result<(), HpackError> {
        for changes in 0.. {
            match reader.peek() {
                Some(0x20..0x40) if changes == MAX_RESIZES => {
                    return Err(HpackError("a table's size changes more than twice"));
                }
                Some(0x20..0x40) => {
                    let size = reader.integer(5)?;
                    if size > TABLE_BYTES {
                        return Err(HpackError("a table is larger than allowed"));
                    }
                    self.table.resize(size);
                }
                _ => break,
            }
        }
        Ok(())
    }

    /// The field at an index of both tables.
    #[inline]
    fn indexed(
        &self,
        index: usize,
        names: &impl Classify<Class = C>,
    ) -> Result<Field<'_, C>, HpackError> {
        let place = index.checked_sub(1).ok_or(HpackError("index 0 is none"))?;
        if let Some((name, value)) = ENTRIES.get(place) {
            let class = names.of_static(index);
            return Ok(Field { class, name: name.as_bytes(), value: value.as_bytes() });
        }
        let entry = self.table.get(place - ENTRIES.len());
        let (class, name, value) = entry.ok_or(HpackError("an index is beyond the table"))?;
        Ok(Field { class, name, value })
    }

    /// A field that its sender keeps out of every table, most likely a credential.
    fn never_indexed<'s>(
        &'s mut self,
        reader: &mut Reader<'_>,
        names: &impl Classify<Class = C>,
        scratch: &'s mut Vec<u8>,
    ) -> Result<Field<'s, C>, HpackError> {
        let mut ahead = *reader;
        let index = ahead.integer(4)?;
        let named = index.checked_sub(1).and_then(|place| ENTRIES.get(place));
        let Some((name, _)) = named else { return self.literal(reader, 4, names, scratch) };
        let text = ahead.text()?;
        if !text.is_huffman || text.bytes.len() > credential::LONGEST {
            return self.literal(reader, 4, names, scratch);
        }
        *reader = ahead;
        let name = name.as_bytes();
        let kept = self.credential.get_or_insert_with(|| Box::new(Credential::none()));
        let (class, value) = kept.read((index, name), text.bytes, names)?;
        Ok(Field { class, name, value })
    }

    /// A field with a value, and perhaps a name, of its own. With a prefix of 6 bits it enters
    /// the table.
    fn literal<'s>(
        &mut self,
        reader: &mut Reader<'_>,
        prefix: u32,
        names: &impl Classify<Class = C>,
        scratch: &'s mut Vec<u8>,
    ) -> Result<Field<'s, C>, HpackError> {
        scratch.clear();
        let index = reader.integer(prefix)?;
        // The name is copied, since what enters the table may push it out.
        if index == 0 {
            append(reader.text()?, scratch)?;
        } else {
            scratch.extend_from_slice(self.indexed(index, names)?.name);
        }
        let end_of_name = scratch.len();
        let value = reader.text()?;
        append(value, scratch)?;
        let (name, value) = scratch.split_at(end_of_name);
        let class = names.classify(name, value);
        if prefix == 6 {
            self.table.insert(name, value, class);
        }
        Ok(Field { class, name, value })
    }
}

#[inline]
fn append(text: Text<'_>, out: &mut Vec<u8>) -> Result<(), HpackError> {
    if text.is_huffman {
        return huffman::decode(text.bytes, out);
    }
    out.extend_from_slice(text.bytes);
    Ok(())
}

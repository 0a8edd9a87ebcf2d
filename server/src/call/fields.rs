//! Reads protobuf messages where they lie: prost copies what it reads.

use prost::encoding::{WireType, decode_key, decode_varint};

/// The content of one field. The contract has no fields of other kinds in its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    /// A field of bytes that has to be text.
    pub(crate) fn text(self) -> Option<&'a str> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            Self::Number(_) => None,
        }
    }
}

/// Hands `take` the number and the content of each field, in their order, until it returns `None`
/// or the rest is no field.
pub(crate) fn each_field<'a>(
    mut message: &'a [u8],
    mut take: impl FnMut(u32, Field<'a>) -> Option<()>,
) -> Option<()> {
    while !message.is_empty() {
        let (number, wire_type) = decode_key(&mut message).ok()?;
        let content = decode_varint(&mut message).ok()?;
        let field = match wire_type {
            WireType::Varint => Field::Number(content),
            WireType::LengthDelimited => {
                let (field, rest) = message.split_at_checked(usize::try_from(content).ok()?)?;
                message = rest;
                Field::Bytes(field)
            }
            _ => return None,
        };
        take(number, field)?;
    }
    Some(())
}

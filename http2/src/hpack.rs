//! HPACK (RFC 7541): header blocks to fields and back.
//!
//! In: [`integer`] → [`huffman`] → [`static_table`], [`table`], [`credential`] → [`decoder`]. Out:
//! [`encoder`], which keeps no state. Knows fields as two strings; what a field means is decided by
//! a [`Classify`] of the caller's, once for each entry of a table.

pub(crate) mod credential;
pub(crate) mod decoder;
pub(crate) mod encoder;
pub(crate) mod huffman;
pub(crate) mod integer;
pub(crate) mod static_table;
pub(crate) mod table;

pub(crate) use self::{
    decoder::{Decoder, Field, Sink},
    table::Classify,
};

/// A header block that is none. The tables of both ends no longer agree after it, so it ends
/// the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HpackError(pub(crate) &'static str);

#[cfg(test)]
mod tests;

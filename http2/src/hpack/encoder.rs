//! Fields to header blocks, without a dynamic table.
//!
//! Names come from the static table where it has them; values are plain and never indexed, so
//! that no proxy keeps a request's id. Nothing depends on what was sent before: a block that is
//! made once can be sent on every connection.

use super::{
    integer,
    static_table::{self, ENTRIES, STATUS},
};

/// A literal that no table may take (RFC 7541, 6.2.3).
const NEVER_INDEXED: u8 = 0x10;

/// Reports that the table has size 0, which an encoder that a peer has restricted must begin
/// its next block with.
pub(crate) const NO_TABLE: u8 = 0x20;

/// Writes a response's status.
pub(crate) fn put_status(out: &mut Vec<u8>, status: u16) {
    let [a, b, c] = [status / 100 % 10, status / 10 % 10, status % 10].map(|d| b'0' + d as u8);
    let digits = [a, b, c];
    let known = (STATUS..).zip(&ENTRIES[STATUS - 1..]).take(7);
    for (index, (_, value)) in known {
        if value.as_bytes() == digits {
            integer::put(out, 0x80, 7, index);
            return;
        }
    }
    integer::put(out, NEVER_INDEXED, 4, STATUS);
    put_text(out, &digits);
}

/// Writes a field's name, behind which its value follows. The name must be in lower case.
pub(crate) fn put_name(out: &mut Vec<u8>, name: &[u8]) {
    if let Some(index) = static_table::index_of(name) {
        integer::put(out, NEVER_INDEXED, 4, index);
    } else {
        out.push(NEVER_INDEXED);
        put_text(out, name);
    }
}

/// Writes a string without Huffman's code, which costs this side less than the bytes saved.
#[inline]
pub(crate) fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    integer::put(out, 0, 7, text.len());
    out.extend_from_slice(text);
}

//! Header blocks of requests (RFC 7541). As every gRPC client does, a connection's first request
//! sends the fields as text and has the server remember them; later ones are a byte for each. A
//! credential is never remembered (7.1.3), so it is sent as text with each request.

use super::grpc::Dialect;
use crate::{credential, work::Operation};

/// HPACK's name for a field that is new: an index of the static table, or a name.
#[derive(Clone, Copy, Debug)]
enum Name {
    Static(u8),
    Text(&'static str),
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: Name,
    value: &'static str,
}

const AUTHORITY: u8 = 1;
const PATH: u8 = 4;
const CONTENT_TYPE: u8 = 31;
const USER_AGENT: u8 = 58;

/// `:method: POST`, and `:scheme`, of the static table.
const POST: u8 = 0x83;
const HTTP: u8 = 0x86;
const HTTPS: u8 = 0x87;

/// The first index of the dynamic table: the field that was added last.
const NEWEST: usize = 62;

const COMMON: [Field; 4] = [
    Field { name: Name::Static(AUTHORITY), value: "localhost" },
    Field { name: Name::Static(CONTENT_TYPE), value: "application/grpc" },
    Field { name: Name::Text("te"), value: "trailers" },
    Field { name: Name::Static(USER_AGENT), value: "bench-peers" },
];

/// What the fields may take of the server's table (RFC 7541, 4.1): the seven of them, generously.
pub(crate) const TABLE_BYTES: u32 = 1024;

/// A field that nobody may remember (RFC 7541, 6.2.3), with an index of the static table beyond the
/// 15 that fit beside these bits: `authorization`, 23.
const NEVER_INDEXED_AUTHORIZATION: [u8; 2] = [0x1f, 23 - 15];
/// That a text is in Huffman's code, as h2 sends it.
const HUFFMAN: u8 = 0x80;

/// The blocks of one connection.
#[derive(Debug)]
pub(crate) struct RequestHeads {
    scheme: u8,
    dialect: Dialect,
    /// What the server's table holds, oldest first: values, which differ from each other.
    table: Vec<&'static str>,
    /// The block of each operation once all its fields are in the table.
    indexed: Vec<(Operation, Vec<u8>)>,
}

impl RequestHeads {
    pub(crate) fn new(tls: bool, dialect: Dialect) -> Self {
        let scheme = if tls { HTTPS } else { HTTP };
        Self { scheme, dialect, table: Vec::new(), indexed: Vec::new() }
    }

    /// Appends the block of a request.
    pub(crate) fn encode(&mut self, operation: Operation, out: &mut Vec<u8>) {
        if let Some((_, block)) = self.indexed.iter().find(|(of, _)| *of == operation) {
            out.extend_from_slice(block);
            return;
        }
        out.extend([POST, self.scheme]);
        for field in fields(self.dialect, operation) {
            self.field(field, out);
        }
        self.credential(out);
        // Each new field moves the indices of all others.
        let known: Vec<_> = self.indexed.drain(..).map(|(of, _)| of).chain([operation]).collect();
        for operation in known {
            let mut block = vec![POST, self.scheme];
            for field in fields(self.dialect, operation) {
                self.field(field, &mut block);
            }
            self.credential(&mut block);
            self.indexed.push((operation, block));
        }
    }

    fn credential(&self, out: &mut Vec<u8>) {
        if self.dialect == Dialect::Token {
            out.extend(NEVER_INDEXED_AUTHORIZATION);
            out.push(HUFFMAN | credential::HUFFMAN.len() as u8);
            out.extend(credential::HUFFMAN);
        }
    }

    fn field(&mut self, field: Field, out: &mut Vec<u8>) {
        if let Some(place) = self.table.iter().position(|value| *value == field.value) {
            out.push(0x80 | (NEWEST + self.table.len() - 1 - place) as u8);
            return;
        }
        match field.name {
            Name::Static(index) => out.push(0x40 | index),
            Name::Text(name) => {
                out.push(0x40);
                text(out, name);
            }
        }
        text(out, field.value);
        self.table.push(field.value);
    }
}

fn fields(dialect: Dialect, operation: Operation) -> impl Iterator<Item = Field> {
    let path = match operation {
        Operation::Get if dialect == Dialect::Second => "/tinycache.v1.Cache/Read",
        Operation::Get => "/cache.CacheService/Get",
        Operation::Set => "/cache.CacheService/Set",
        Operation::MultiGet => "/cache.CacheService/MultiGet",
    };
    [Field { name: Name::Static(PATH), value: path }].into_iter().chain(COMMON)
}

/// A string literal without Huffman coding; all of ours are shorter than 127 bytes.
fn text(out: &mut Vec<u8>, text: &str) {
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_comes_with_each_request() {
        let mut heads = RequestHeads::new(false, Dialect::Token);
        let mut decoder = fluke_hpack::Decoder::new();
        for _ in 0..3 {
            let mut block = Vec::new();
            heads.encode(Operation::Get, &mut block);
            let fields = decoder.decode(&block).unwrap();
            let bearer = format!("Bearer {}", credential::TOKEN).into_bytes();
            assert!(fields.contains(&(b"authorization".to_vec(), bearer)), "{fields:?}");
        }
    }

    #[test]
    fn a_decoder_reads_the_same_fields_from_text_and_from_indices() {
        let mut heads = RequestHeads::new(false, Dialect::Plain);
        let mut decoder = fluke_hpack::Decoder::new();
        let mut blocks = Vec::new();
        for operation in [Operation::Get, Operation::Set, Operation::Get, Operation::Set] {
            let mut block = Vec::new();
            heads.encode(operation, &mut block);
            let fields = decoder.decode(&block).unwrap();
            blocks.push((block.len(), fields));
        }
        assert_eq!(blocks[0].1, blocks[2].1);
        assert_eq!(blocks[1].1, blocks[3].1);
        assert_eq!([blocks[2].0, blocks[3].0], [7, 7]);
        assert!(blocks[0].1.contains(&(b":path".to_vec(), b"/cache.CacheService/Get".to_vec())));
        assert!(blocks[1].1.contains(&(b":path".to_vec(), b"/cache.CacheService/Set".to_vec())));
        assert!(blocks[1].1.contains(&(b"te".to_vec(), b"trailers".to_vec())));
    }
}

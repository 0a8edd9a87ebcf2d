//! Header blocks that are made: in each representation of HPACK, with the dynamic table in use,
//! and with every fault that a block can have.

use super::random::Random;

/// What a request is to say.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) path: String,
    pub(crate) content_length: Option<usize>,
    /// Whether one of the rules is to be broken.
    pub(crate) faulty: bool,
}

type Field = (Vec<u8>, Vec<u8>);

/// An encoder whose choices are random.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    /// What the decoder's dynamic table holds, the newest first.
    table: Vec<Field>,
}

/// Entries at which no more are added, so that none is evicted: the largest have 100 bytes.
const MOST_ENTRIES: usize = 40;

/// The first index of the dynamic table.
const DYNAMIC: usize = 62;

/// Names that have an index of their own in the static table.
const STATIC_NAMES: [(&[u8], usize); 8] = [
    (b":authority", 1),
    (b":method", 2),
    (b":path", 4),
    (b":scheme", 6),
    (b"content-length", 28),
    (b"content-type", 31),
    (b"te", 0),
    (b"user-agent", 58),
];

/// Texts with their Huffman codes, from appendix C of RFC 7541.
const CODED: [(&[u8], &[u8]); 4] = [
    (b"www.example.com", b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"),
    (b"no-cache", b"\xa8\xeb\x10\x64\x9c\xbf"),
    (b"custom-value", b"\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf"),
    (b"custom-key", b"\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f"),
];

impl Encoder {
    /// The block of a request.
    pub(crate) fn request(&mut self, wanted: &Wanted, random: &mut Random) -> Vec<u8> {
        let method: &[u8] = random.pick(&[&b"POST"[..], b"POST", b"GET", b"PUT"]);
        let mut fields: Vec<Field> = vec![
            (b":method".to_vec(), method.to_vec()),
            (b":scheme".to_vec(), b"http".to_vec()),
            (b":path".to_vec(), wanted.path.clone().into_bytes()),
        ];
        // Some servers refuse a request without one.
        let authority: &[u8] = random.pick(&[&b"www.example.com"[..], b"t"]);
        fields.push((b":authority".to_vec(), authority.to_vec()));
        if random.chance(50) {
            let (one, other) = (random.below(3), random.below(3));
            fields.swap(one, other);
        }
        if let Some(length) = wanted.content_length {
            fields.push((b"content-length".to_vec(), length.to_string().into_bytes()));
        }
        for _ in 0..random.below(5) {
            fields.push(plain(random));
        }
        if wanted.faulty {
            break_rule(&mut fields, random);
        }
        self.block(&fields, random)
    }

    /// The block of trailers.
    pub(crate) fn trailers(&mut self, faulty: bool, random: &mut Random) -> Vec<u8> {
        let mut fields: Vec<Field> = (0..random.below(3)).map(|_| plain(random)).collect();
        if faulty {
            let field: (&[u8], &[u8]) =
                random.pick(&[(b":path", b"/"), (b"X-Upper", b"1"), (b"connection", b"close")]);
            fields.push((field.0.to_vec(), field.1.to_vec()));
        }
        self.block(&fields, random)
    }

    fn block(&mut self, fields: &[Field], random: &mut Random) -> Vec<u8> {
        let mut block = Vec::new();
        if random.chance(5) {
            // The table is emptied, and grows again.
            self.table.clear();
            block.extend_from_slice(&[0x20, 0x3f, 0xe1, 0x1f]);
        }
        for field in fields {
            self.field(&mut block, field, random);
        }
        block
    }

    fn field(&mut self, block: &mut Vec<u8>, field: &Field, random: &mut Random) {
        let known = self.table.iter().position(|held| held == field);
        if let Some(place) = known.filter(|_| random.chance(80)) {
            integer(block, 0x80, 7, DYNAMIC + place);
            return;
        }
        let whole = [(&b"POST"[..], 3), (b"GET", 2), (b"http", 6)]
            .into_iter()
            .find(|(value, _)| field.0.starts_with(b":") && field.1 == *value);
        if let Some((_, index)) = whole.filter(|_| random.chance(60)) {
            integer(block, 0x80, 7, index);
            return;
        }
        let indexes = random.chance(40) && self.table.len() < MOST_ENTRIES && field.1.len() < 60;
        let (pattern, bits) =
            if indexes { (0x40, 6) } else { random.pick(&[(0x00, 4), (0x10, 4)]) };
        let known = STATIC_NAMES.iter().find(|(name, index)| field.0 == *name && *index > 0);
        match known {
            Some((_, index)) if random.chance(70) => integer(block, pattern, bits, *index),
            _ => {
                block.push(pattern);
                text(block, &field.0, random);
            }
        }
        text(block, &field.1, random);
        if indexes {
            self.table.insert(0, field.clone());
        }
    }
}

/// A field that any request may have.
fn plain(random: &mut Random) -> Field {
    let name: &[u8] = random.pick(&[
        &b"x-one"[..],
        b"x-two",
        b"x-one",
        b"te",
        b"content-type",
        b"user-agent",
        b"custom-key",
    ]);
    let value = match name {
        b"te" => b"trailers".to_vec(),
        _ if random.chance(30) => random.pick(&CODED).0.to_vec(),
        _ => {
            let length = if random.chance(3) { 2000 } else { 20 };
            (0..random.below(length)).map(|_| b'a' + random.below(26) as u8).collect()
        }
    };
    (name.to_vec(), value)
}

/// Breaks a rule of RFC 9113, section 8.
fn break_rule(fields: &mut Vec<Field>, random: &mut Random) {
    const WRONG: [(&[u8], &[u8]); 18] = [
        (b":unknown", b"1"),
        (b":path", b"/after"),
        (b":method", b"GET"),
        (b"X-Upper", b"1"),
        (b"connection", b"close"),
        (b"keep-alive", b"1"),
        (b"proxy-connection", b"1"),
        (b"upgrade", b"h2c"),
        (b"transfer-encoding", b"chunked"),
        (b"te", b"gzip"),
        (b"x-one", b"a\0b"),
        (b"x-one", b"a\nb"),
        (b"x one", b"1"),
        (b"", b"1"),
        (b"content-length", b"1x"),
        (b"content-length", b"99999"),
        (b"x-one", b"a\x7fb"),
        (b"x-\x80", b"1"),
    ];
    match random.below(5) {
        0 => drop(fields.remove(random.below(3))),
        1 => {
            let doubled = fields[random.below(3)].clone();
            fields.insert(random.below(3), doubled);
        }
        2 => {
            let path: &[u8] = random.pick(&[&b""[..], b"*", b"/a b"]);
            if let Some(field) = fields.iter_mut().find(|field| field.0 == b":path") {
                field.1 = path.to_vec();
            }
        }
        _ => {
            let (name, value) = random.pick(&WRONG);
            let place = random.below(fields.len() + 1);
            fields.insert(place, (name.to_vec(), value.to_vec()));
        }
    }
}

fn integer(block: &mut Vec<u8>, pattern: u8, bits: u8, value: usize) {
    let most = (1 << bits) - 1;
    if value < most {
        block.push(pattern | value as u8);
        return;
    }
    block.push(pattern | most as u8);
    let mut left = value - most;
    while left > 127 {
        block.push((left & 127) as u8 | 128);
        left >>= 7;
    }
    block.push(left as u8);
}

fn text(block: &mut Vec<u8>, text: &[u8], random: &mut Random) {
    let coded = CODED.iter().find(|(plain, _)| *plain == text);
    if let Some((_, code)) = coded.filter(|_| random.chance(70)) {
        integer(block, 0x80, 7, code.len());
        block.extend_from_slice(code);
        return;
    }
    integer(block, 0, 7, text.len());
    block.extend_from_slice(text);
}

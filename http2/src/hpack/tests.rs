//! Blocks as a whole: RFC 7541's appendix C, and what no peer may send.

use super::{decoder::TABLE_BYTES, encoder, *};

/// Gives every field the length of its name and value as its class.
struct Lengths;

impl Classify for Lengths {
    type Class = usize;

    fn classify(&self, name: &[u8], value: &[u8]) -> usize {
        name.len() + value.len()
    }

    fn of_static(&self, index: usize) -> usize {
        let (name, value) = static_table::ENTRIES[index - 1];
        name.len() + value.len()
    }
}

#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl Sink<usize> for Fields {
    fn field(&mut self, field: Field<'_, usize>) {
        assert_eq!(field.class, field.name.len() + field.value.len());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.0.push((text(field.name), text(field.value)));
    }
}

fn decode(decoder: &mut Decoder<usize>, block: &[u8]) -> Result<Vec<(String, String)>, HpackError> {
    let mut fields = Fields::default();
    decoder.decode(block, &Lengths, &mut Vec::new(), &mut fields).map(|()| fields.0)
}

fn fresh(block: &[u8]) -> Result<Vec<(String, String)>, HpackError> {
    decode(&mut Decoder::new(), block)
}

/// Decodes the blocks of one connection, given in hexadecimal, and compares their fields.
fn check(limit: Option<&str>, blocks: &[(&str, &[(&str, &str)])]) {
    let mut decoder = Decoder::new();
    if let Some(limit) = limit {
        decode(&mut decoder, &hex::decode(limit).unwrap()).unwrap();
    }
    for (block, expected) in blocks {
        let block = hex::decode(block.replace(' ', "")).unwrap();
        let fields = decode(&mut decoder, &block).unwrap();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(&fields, expected);
    }
}

/// RFC 7541, C.2.
#[test]
fn each_representation_of_a_field() {
    check(
        None,
        &[
            (
                "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
                &[("custom-key", "custom-header")],
            ),
            ("040c 2f73 616d 706c 652f 7061 7468", &[(":path", "/sample/path")]),
            ("1008 7061 7373 776f 7264 0673 6563 7265 74", &[("password", "secret")]),
            ("82", &[(":method", "GET")]),
            ("be", &[("custom-key", "custom-header")]),
        ],
    );
}

const FIRST: &[(&str, &str)] =
    &[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
const SECOND: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "www.example.com"),
    ("cache-control", "no-cache"),
];
const THIRD: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/index.html"),
    (":authority", "www.example.com"),
    ("custom-key", "custom-value"),
];

/// RFC 7541, C.3 and C.4.
#[test]
fn requests_one_after_another() {
    check(
        None,
        &[
            ("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", FIRST),
            ("8286 84be 5808 6e6f 2d63 6163 6865", SECOND),
            ("8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", THIRD),
        ],
    );
    check(
        None,
        &[
            ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", FIRST),
            ("8286 84be 5886 a8eb 1064 9cbf", SECOND),
            ("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", THIRD),
        ],
    );
}

const DATE: &str = "Mon, 21 Oct 2013 20:13:21 GMT";
const LATER: &str = "Mon, 21 Oct 2013 20:13:22 GMT";
const COOKIE: &str = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
const PLACE: (&str, &str) = ("location", "https://www.example.com");
const PRIVATE: (&str, &str) = ("cache-control", "private");

/// RFC 7541, C.5 and C.6: a table of 256 bytes, from which entries are evicted.
#[test]
fn responses_one_after_another() {
    let fields: [&[(&str, &str)]; 3] = [
        &[(":status", "302"), PRIVATE, ("date", DATE), PLACE],
        &[(":status", "307"), PRIVATE, ("date", DATE), PLACE],
        &[
            (":status", "200"),
            PRIVATE,
            ("date", LATER),
            PLACE,
            ("content-encoding", "gzip"),
            ("set-cookie", COOKIE),
        ],
    ];
    let plain = [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 \
         2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 \
         6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d \
         54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 \
         5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e \
         3d31",
    ];
    let coded = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 \
         2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab \
         77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f \
         9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    for blocks in [plain, coded] {
        let blocks: Vec<_> = blocks.into_iter().zip(fields).collect();
        check(Some("3fe101"), &blocks);
    }
}

#[test]
fn a_table_may_shrink_to_nothing_and_grow_again_at_the_start_of_a_block() {
    let mut decoder = Decoder::new();
    decode(&mut decoder, b"\x40\x01a\x01b").unwrap();
    assert_eq!(decode(&mut decoder, b"\xbe").unwrap().len(), 1);
    assert_eq!(decode(&mut decoder, b"\x20\x3f\xe1\x1f").unwrap(), []);
    assert_eq!(decode(&mut decoder, b"\xbe"), Err(HpackError("an index is beyond the table")));
}

#[test]
fn what_no_encoder_may_send_is_refused() {
    let mut too_large = Vec::new();
    integer::put(&mut too_large, 0x20, 5, TABLE_BYTES + 1);
    for (block, reason) in [
        (&b"\x80"[..], "index 0 is none"),
        (b"\xbe", "an index is beyond the table"),
        (b"\x7e\x01a", "an index is beyond the table"),
        (b"\xff\xff\xff\xff\x7f", "an index is beyond the table"),
        (b"\xff\xff\xff\xff\xff\x01", "an integer is too large"),
        (b"\x82\x20", "a table's size changes within a block"),
        (b"\x20\x20\x20", "a table's size changes more than twice"),
        (&too_large, "a table is larger than allowed"),
        (b"\x40", "a block is cut off"),
        (b"\x40\x01a", "a block is cut off"),
        (b"\x40\x02a", "a string is cut off"),
        (b"\x40\x01a\x81\x1c", "a string is not Huffman-coded"),
    ] {
        assert_eq!(fresh(block), Err(HpackError(reason)), "{block:x?}");
    }
}

#[test]
fn what_is_encoded_decodes_and_enters_no_table() {
    let mut block = Vec::new();
    encoder::put_status(&mut block, 200);
    encoder::put_status(&mut block, 431);
    encoder::put_name(&mut block, b"content-type");
    encoder::put_text(&mut block, b"application/grpc");
    encoder::put_name(&mut block, b"x-request-id");
    encoder::put_text(&mut block, &[b'i'; 300]);
    assert_eq!(block[0], 0x88);
    let mut decoder = Decoder::new();
    let fields = decode(&mut decoder, &block).unwrap();
    let names: Vec<_> = fields.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, [":status", ":status", "content-type", "x-request-id"]);
    assert_eq!(fields[1].1, "431");
    assert_eq!(fields[3].1.len(), 300);
    assert_eq!(decode(&mut decoder, b"\xbe"), Err(HpackError("an index is beyond the table")));
}

/// A field that is never indexed, in Huffman code, with a name of the static table.
fn never_indexed(name: u8, value: &str) -> Vec<u8> {
    let coded = huffman::tests::encode(value.as_bytes());
    let mut block = vec![0x1f, name - 15];
    integer::put(&mut block, 0x80, 7, coded.len());
    block.extend(coded);
    block
}

#[test]
fn a_credential_that_changes_between_requests_is_read_anew() {
    const AUTHORIZATION: u8 = 23;
    const COOKIE: u8 = 32;
    let mut decoder = Decoder::new();
    let long = "x".repeat(9_000);
    for (name, value) in [
        (AUTHORIZATION, "Bearer one"),
        (AUTHORIZATION, "Bearer one"),
        (AUTHORIZATION, "Bearer two"),
        (COOKIE, "Bearer two"),
        (COOKIE, ""),
        (AUTHORIZATION, &long),
        (COOKIE, ""),
        (AUTHORIZATION, "Bearer one"),
    ] {
        let fields = decode(&mut decoder, &never_indexed(name, value)).unwrap();
        let named = static_table::ENTRIES[usize::from(name) - 1].0;
        assert_eq!(fields, [(named.to_owned(), value.to_owned())]);
    }
    let mut cut = never_indexed(AUTHORIZATION, "Bearer one");
    cut.pop();
    assert!(decode(&mut decoder, &cut).is_err());
}

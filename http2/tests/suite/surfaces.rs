//! Any bytes: nothing panics, nothing hangs. A fuzzer does this better and longer.

use proptest::prelude::*;
use tiny_cache_http2::surface;

use super::support::*;

/// Frames that are likely to be legal: streams are opened in order, and used afterwards.
#[derive(Clone, Debug)]
enum Step {
    Open { block: Vec<u8>, flags: u8 },
    Data { stream: u32, flags: u8, size: usize },
    Other { stream: u32, frame: Vec<u8> },
}

fn step() -> impl Strategy<Value = Step> {
    let blocks = prop_oneof![
        Just(post("/a")),
        Just(post("/ab")),
        Just([post("/a"), vec![0x40, 1, b'x', 1, b'y']].concat()),
        Just(vec![0x83, 0x86, 0x84, 0xbe]),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    let other = prop_oneof![
        any::<u32>().prop_map(|by| window_update(0, by >> 12)),
        any::<u32>().prop_map(|by| window_update(1, by >> 12)),
        (1..7u16, any::<u32>()).prop_map(|(name, value)| settings(&[(name, value >> 14)])),
        Just(reset(1, tiny_cache_http2::Code::CANCEL)),
        Just(headers(1, END_STREAM, &fields(&[("x", "y")]))),
        (0..12u8, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..12))
            .prop_map(|(kind, flags, payload)| frame(kind, flags, 1, &payload)),
    ];
    let flags = prop_oneof![Just(0), Just(END_STREAM), 0..64u8];
    prop_oneof![
        4 => (blocks, flags.clone()).prop_map(|(block, flags)| Step::Open { block, flags }),
        4 => (0..8u32, flags, 0..90usize)
            .prop_map(|(stream, flags, size)| Step::Data { stream, flags, size }),
        2 => (0..8u32, other).prop_map(|(stream, frame)| Step::Other { stream, frame }),
    ]
}

fn encode(steps: Vec<Step>) -> Vec<u8> {
    let mut last = 1u32;
    let mut bytes = Vec::new();
    for step in steps {
        let before = last;
        let known = |back: u32| before.saturating_sub(2 * back).max(1);
        bytes.extend(match step {
            Step::Open { block, flags } => {
                last += 2;
                headers(last, flags, &block)
            }
            Step::Data { stream, flags, size } => data(known(stream), flags, &vec![0; size]),
            Step::Other { stream, mut frame } => {
                if frame[5..9] == [0, 0, 0, 1] {
                    frame[5..9].copy_from_slice(&known(stream).to_be_bytes());
                }
                frame
            }
        });
    }
    bytes
}

proptest! {
    #[test]
    fn any_header_blocks(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        surface::hpack(&bytes);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300), piece in 1..50usize) {
        surface::connection(&bytes, piece);
    }

    #[test]
    fn likely_frames(steps in proptest::collection::vec(step(), 0..40), piece in 1..200usize) {
        surface::connection(&encode(steps), piece);
    }
}

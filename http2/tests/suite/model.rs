//! Streams and windows against a model: whatever a client asks, grants, cancels and reads, each
//! reply arrives whole and in order, no frame exceeds a window, and nothing is left behind.

use std::{collections::BTreeMap, time::Instant};

use bytes::Bytes;
use proptest::prelude::*;
use tiny_cache_http2::{Body, Code, Workspace};

use super::support::*;

/// What a client does next.
#[derive(Clone, Debug)]
enum Step {
    Ask {
        reply: usize,
        lent: bool,
    },
    /// Grants to one of the streams, or to the connection.
    Grant {
        stream: usize,
        bytes: u32,
    },
    Initial(u32),
    FrameSize(u32),
    Cancel(usize),
    /// The socket takes so much of the output.
    Write(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let sizes = prop_oneof![0..50usize, 0..20_000usize, 0..200_000usize];
    let step = prop_oneof![
        4 => (sizes, any::<bool>()).prop_map(|(reply, lent)| Step::Ask { reply, lent }),
        4 => (0..10usize, 1..90_000u32).prop_map(|(stream, bytes)| Step::Grant { stream, bytes }),
        1 => (0..100_000u32).prop_map(Step::Initial),
        1 => (16_384..90_000u32).prop_map(Step::FrameSize),
        1 => (0..10usize).prop_map(Step::Cancel),
        6 => (1..60_000usize).prop_map(Step::Write),
    ];
    proptest::collection::vec(step, 0..80)
}

/// A stream as the client knows it.
#[derive(Debug)]
struct Asked {
    reply: usize,
    window: i64,
    received: usize,
    ended: bool,
    cancelled: bool,
}

struct Model {
    pair: Pair,
    streams: BTreeMap<u32, Asked>,
    window: i64,
    initial: i64,
    frame_size: usize,
    unread: Vec<u8>,
}

impl Model {
    fn new() -> Self {
        Self {
            pair: Pair::new(),
            streams: BTreeMap::new(),
            window: 65_535,
            initial: 65_535,
            frame_size: 16_384,
            unread: Vec::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Ask { reply, lent } => self.ask(reply, lent),
            Step::Grant { stream: 0, bytes } => {
                self.window += i64::from(bytes);
                self.pair.send(&window_update(0, bytes));
            }
            Step::Grant { stream, bytes } => {
                if let Some((id, stream)) = self.streams.iter_mut().nth(stream - 1) {
                    stream.window += i64::from(bytes);
                    self.pair.send(&window_update(*id, bytes));
                }
            }
            Step::Initial(window) => {
                let window = i64::from(window);
                for stream in self.streams.values_mut() {
                    stream.window += window - self.initial;
                }
                self.initial = window;
                self.pair.send(&settings(&[(4, window as u32)]));
            }
            Step::FrameSize(size) => {
                self.frame_size = self.frame_size.max(size as usize);
                self.pair.send(&settings(&[(5, size)]));
            }
            Step::Cancel(stream) => {
                if let Some((id, stream)) = self.streams.iter_mut().nth(stream) {
                    stream.cancelled = true;
                    self.pair.send(&reset(*id, Code::CANCEL));
                }
            }
            Step::Write(bytes) => self.write(bytes),
        }
        assert_eq!(self.pair.failed, None);
    }

    fn ask(&mut self, reply: usize, lent: bool) {
        let id = self.streams.keys().last().map_or(1, |last| last + 2);
        self.pair.send(&request(id, "/a", b"ask"));
        let body: Vec<u8> = (0..reply).map(|at| at as u8).collect();
        let body =
            if lent { Body::Lent([Bytes::from(body)].into()) } else { Body::Copied(&body.clone()) };
        let window = self.initial;
        self.streams
            .insert(id, Asked { reply, window, received: 0, ended: false, cancelled: false });
        assert!(self.pair.reply(id, body));
    }

    /// Writes a part of the output, wherever it is cut, and reads the frames that are whole.
    fn write(&mut self, bytes: usize) {
        let mut slices = [std::io::IoSlice::new(&[]); 3];
        let used = self.pair.connection.output(&mut slices);
        let waiting: Vec<u8> = slices[..used].iter().flat_map(|slice| slice.to_vec()).collect();
        let written = bytes.min(waiting.len());
        self.unread.extend_from_slice(&waiting[..written]);
        self.pair.connection.consumed(written, Instant::now(), &mut Workspace::default());
        self.read();
    }

    fn read(&mut self) {
        while let Some(frame) = next_frame(&mut self.unread) {
            if !matches!(frame.kind, DATA | HEADERS) {
                continue;
            }
            let stream = self.streams.get_mut(&frame.stream).unwrap();
            assert!(!stream.ended, "nothing comes after the end");
            stream.ended = frame.flags & END_STREAM != 0;
            if frame.kind == DATA {
                let size = frame.payload.len();
                assert!(size <= self.frame_size);
                // What is negative now was granted when the frame was made.
                self.window -= size as i64;
                stream.window -= size as i64;
                for (at, byte) in (stream.received..).zip(&frame.payload) {
                    assert_eq!(*byte, at as u8);
                }
                stream.received += size;
            }
            assert!(!stream.ended || stream.received == stream.reply);
        }
    }

    /// Grants everything and reads everything.
    fn finish(mut self) {
        self.step(Step::Initial(1 << 20));
        self.step(Step::Grant { stream: 0, bytes: 1 << 28 });
        let granted = self.window;
        let mut rounds = 0;
        while self.pair.connection.has_output() {
            self.write(usize::MAX);
            rounds += 1;
            assert!(rounds < 10_000, "it does not end");
        }
        assert!(self.unread.is_empty());
        assert!(self.window <= granted);
        for stream in self.streams.values() {
            assert!(stream.ended || stream.cancelled, "{stream:?}");
            assert!(stream.window >= 0);
        }
        assert_eq!(self.pair.connection.open_streams(), 0);
        assert_eq!(self.pair.connection.pinned_bytes(), 0);
    }
}

fn next_frame(bytes: &mut Vec<u8>) -> Option<Frame> {
    let [a, b, c, ..] = bytes[..] else { return None };
    let size = 9 + u32::from_be_bytes([0, a, b, c]) as usize;
    if bytes.len() < size {
        return None;
    }
    let frame: Vec<u8> = bytes.drain(..size).collect();
    frames(&frame).pop()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_reply_arrives_whole_within_the_windows(steps in steps()) {
        let mut model = Model::new();
        for step in steps {
            model.step(step);
        }
        model.finish();
    }
}

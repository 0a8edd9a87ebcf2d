//! A client that is made from a seed: which frames it sends, one after another.

use std::collections::VecDeque;

use tiny_cache_http2::Code;

use super::{
    blocks::{Encoder, Wanted},
    random::Random,
};
use crate::support::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PREFACE,
    PRIORITY, PUSH_PROMISE, SETTINGS, WITH_PRIORITY, frame, reset, settings, window_update,
};

/// Requests that a client has begun at a time.
const STREAMS: usize = 8;

/// How many the servers allow: mostly more than a client opens, whatever waits for a window.
pub(crate) fn streams_allowed(seed: u64) -> u32 {
    if is_crowded(seed) { STREAMS as u32 } else { 100 }
}

/// Whether servers allow so few that replies which wait for a window keep requests out.
pub(crate) fn is_crowded(seed: u64) -> bool {
    seed.is_multiple_of(5)
}

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// It breaks no rule.
    Legal,
    /// It breaks one now and then.
    Careless,
    /// Much of what it sends is wrong.
    Wild,
}

/// A request that the client has begun and not ended.
#[derive(Debug)]
struct Begun {
    stream: u32,
    /// What is left of the length that it has announced.
    left: Option<usize>,
    sent: usize,
}

/// The client.
#[derive(Debug)]
pub(crate) struct Client {
    random: Random,
    manners: Manners,
    encoder: Encoder,
    next: u32,
    begun: Vec<Begun>,
    /// Frames that follow at once: the rest of a header block.
    due: VecDeque<Vec<u8>>,
}

/// Bytes of a body at most, so that none waits for a window unless it is meant to.
const MOST_BODY: usize = 30_000;

impl Client {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let manners = random.pick(&[Manners::Legal, Manners::Careless, Manners::Wild]);
        let due = VecDeque::from(opening(&mut random, manners));
        Self { random, manners, encoder: Encoder::default(), next: 1, begun: Vec::new(), due }
    }

    /// The next frame.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let errs = match self.manners {
            Manners::Legal => 0,
            Manners::Careless => 3,
            Manners::Wild => 25,
        };
        if self.random.chance(errs) {
            return self.wrong();
        }
        match self.due.pop_front() {
            Some(frame) => frame,
            None => self.right(),
        }
    }

    fn right(&mut self) -> Vec<u8> {
        match self.random.below(20) {
            0..6 if self.begun.len() < STREAMS => self.open(),
            6..13 if !self.begun.is_empty() => self.body(),
            13 if !self.begun.is_empty() => self.trailers(),
            14 if !self.begun.is_empty() => {
                let place = self.random.below(self.begun.len());
                let code = Code(self.random.below(14) as u32);
                reset(self.begun.swap_remove(place).stream, code)
            }
            15 | 16 => {
                let stream = if self.random.chance(20) { 0 } else { self.used_stream() };
                window_update(stream, 1 + self.random.below(20_000) as u32)
            }
            17 => self.settings(),
            18 => {
                let (flags, payload) = (self.random.pick(&[0, 0, 0, ACK]), self.random.bytes(8));
                frame(PING, flags, 0, &payload)
            }
            19 => self.ignored(),
            _ => self.open(),
        }
    }

    /// A request, or what a client does when it has as many as it may have.
    fn open(&mut self) -> Vec<u8> {
        if self.begun.len() >= STREAMS {
            return self.body();
        }
        let stream = self.next;
        self.next += 2 * (1 + u32::from(self.random.chance(5)));
        let lane = self.random.pick(&["whole", "stream"]);
        let size = self.random.pick(&[0, 1, 100, 5_000, 40_000]);
        let size = self.random.below(size + 1);
        let ends = self.random.chance(30);
        let length =
            self.random.chance(20).then(|| if ends { 0 } else { self.random.below(3_000) });
        let faulty = self.manners != Manners::Legal && self.random.chance(15);
        let wanted = Wanted { path: format!("/{lane}/{size}"), content_length: length, faulty };
        let block = self.encoder.request(&wanted, &mut self.random);
        if !ends {
            self.begun.push(Begun { stream, left: length, sent: 0 });
        }
        self.headers(stream, if ends { END_STREAM } else { 0 }, &block)
    }

    /// A header block in one frame or several, of which the first is returned.
    fn headers(&mut self, stream: u32, mut flags: u8, block: &[u8]) -> Vec<u8> {
        let pieces = if self.random.chance(15) { 3 } else { 0 };
        let mut parts = self.random.cut(block, pieces);
        let first = parts.remove(0);
        let mut payload = Vec::new();
        let padding = self.random.below(20);
        let padded = self.random.chance(15);
        if padded {
            payload.push(padding as u8);
            flags |= PADDED;
        }
        if self.random.chance(15) {
            let parent = self.random.pick(&[0, 2, 0x8000_0003, stream + 2]);
            payload.extend_from_slice(&u32::to_be_bytes(parent));
            payload.push(16);
            flags |= WITH_PRIORITY;
        }
        payload.extend_from_slice(first);
        if padded {
            payload.resize(payload.len() + padding, 0);
        }
        let last = parts.pop();
        for part in parts {
            self.due.push_back(frame(CONTINUATION, 0, stream, part));
        }
        match last {
            Some(part) => self.due.push_back(frame(CONTINUATION, END_HEADERS, stream, part)),
            None => flags |= END_HEADERS,
        }
        frame(HEADERS, flags, stream, &payload)
    }

    /// A piece of a body.
    fn body(&mut self) -> Vec<u8> {
        let place = self.random.below(self.begun.len());
        let Begun { stream, left, sent } = &mut self.begun[place];
        let most = self.random.pick(&[10, 1_000, 16_384]);
        let room = left.unwrap_or(MOST_BODY - *sent).min(most);
        let size = self.random.below(room + 1);
        let (ends, stream) = (self.random.chance(50), *stream);
        let size = if ends { left.unwrap_or(size).min(16_384) } else { size };
        *sent += size;
        if let Some(left) = left {
            *left -= size;
        }
        let ends = ends && left.is_none_or(|left| left == 0);
        if ends {
            self.begun.swap_remove(place);
        }
        let mut flags = if ends { END_STREAM } else { 0 };
        let mut payload = vec![b'q'; size];
        if size < 10_000 && self.random.chance(15) {
            let padding = self.random.below(30);
            payload.insert(0, padding as u8);
            payload.resize(payload.len() + padding, 0);
            flags |= PADDED;
        }
        frame(DATA, flags, stream, &payload)
    }

    fn trailers(&mut self) -> Vec<u8> {
        let Some(place) = self.begun.iter().position(|begun| begun.left.unwrap_or(0) == 0) else {
            return self.body();
        };
        let stream = self.begun.swap_remove(place).stream;
        let faulty = self.manners != Manners::Legal && self.random.chance(20);
        let block = self.encoder.trailers(faulty, &mut self.random);
        self.headers(stream, END_STREAM, &block)
    }

    /// A stream that was opened.
    fn used_stream(&mut self) -> u32 {
        match self.next / 2 {
            0 => 0,
            used => self.random.below(used as usize) as u32 * 2 + 1,
        }
    }

    fn settings(&mut self) -> Vec<u8> {
        let parameter = match self.random.below(6) {
            0 => (1, self.random.pick(&[0, 100, 4096, 65_536])),
            1 => (3, self.random.below(200) as u32),
            2 => (4, self.random.pick(&[0, 1, 1_000, 65_535, 200_000])),
            3 => (5, self.random.pick(&[16_384, 20_000, 16_777_215])),
            4 => (6, 100_000),
            _ => (0x99, 7),
        };
        settings(&[parameter])
    }

    fn ignored(&mut self) -> Vec<u8> {
        let stream = self.used_stream().max(1);
        match self.random.below(3) {
            0 => frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 9]),
            1 => frame(0x77, self.random.next() as u8, stream, b"extension"),
            _ => frame(PRIORITY, 0, stream + 100, &[0x80, 0, 0, 0, 255]),
        }
    }

    /// A frame that breaks a rule, mostly.
    fn wrong(&mut self) -> Vec<u8> {
        let stream = self.random.pick(&[0, 1, 2, 3, 5, self.next, self.next + 2, self.next + 7]);
        match self.random.below(17) {
            16 => frame(SETTINGS, ACK, 0, &[]),
            0 => frame(DATA, self.random.pick(&[0, END_STREAM]), stream, b"stray"),
            1 => frame(DATA, PADDED, stream, &[200, 0, 0]),
            2 => reset(stream, Code::CANCEL),
            3 => window_update(stream, self.random.pick(&[0, 1, 0x7fff_ffff])),
            4 => {
                let (name, value) =
                    self.random.pick(&[(2, 2), (4, 0x8000_0000), (5, 0), (5, 1 << 24)]);
                settings(&[(name, value)])
            }
            5 => frame(SETTINGS, self.random.pick(&[0, ACK]), stream, &[0, 4, 0, 0, 0]),
            6 => frame(PING, 0, stream, &self.random.pick(&[vec![0; 8], vec![0; 7]])),
            7 => frame(GOAWAY, 0, stream, &[0; 8]),
            8 => frame(PUSH_PROMISE, END_HEADERS, stream, &[0, 0, 0, 2]),
            9 => frame(CONTINUATION, END_HEADERS, stream, &[]),
            10 => frame(PRIORITY, 0, stream, &[&stream.to_be_bytes()[..], &[1]].concat()),
            11 => {
                let (size, kind) =
                    (self.random.pick(&[0, 3, 5, 16_385]), self.random.below(10) as u8);
                frame(kind, 0, stream, &vec![0; size])
            }
            12 => {
                let block = self.random.bytes(20);
                frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
            }
            13 => {
                let block = self.encoder.trailers(false, &mut self.random);
                self.headers(stream, self.random.clone().pick(&[0, END_STREAM]), &block)
            }
            _ => self.mutated(),
        }
    }

    /// A frame that was right before some of its bytes changed. Its length stays true, or what
    /// follows would be lost to all.
    fn mutated(&mut self) -> Vec<u8> {
        let mut bytes = match self.due.pop_front() {
            Some(frame) => frame,
            None => self.right(),
        };
        for _ in 0..=self.random.below(2) {
            let place = 3 + self.random.below(bytes.len() - 3);
            bytes[place] ^= 1 << self.random.below(8);
        }
        bytes
    }
}

/// What a client begins with.
fn opening(random: &mut Random, manners: Manners) -> Vec<Vec<u8>> {
    let mut parameters = Vec::new();
    if random.chance(50) {
        parameters.push((4, random.pick(&[0, 100, 65_535, 1 << 20])));
    }
    if random.chance(20) {
        parameters.push((1, random.pick(&[0, 4096])));
    }
    let mut first = PREFACE.to_vec();
    if manners == Manners::Wild && random.chance(2) {
        first[random.clone().below(24)] ^= 1;
    }
    first.extend(settings(&parameters));
    // All that the streams may send is never too much for the connection: which of several is
    // served first is each server's choice.
    vec![first, frame(SETTINGS, ACK, 0, &[]), window_update(0, 1 << 30)]
}

//! The client: what it has asked, what it may send, and what it has granted.

use std::{collections::BTreeMap, time::Duration};

use tiny_cache_http2::{ConnectionError, ErrorKind};

use crate::owner::{Owner, STREAM_WINDOW, STREAMS};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const NO_ERROR: i64 = 0;
const ENHANCE_YOUR_CALM: i64 = 11;

/// A request as the client sees it.
struct Request {
    reply: usize,
    sent: usize,
    ended: bool,
    cancelled: bool,
    /// What the client may send, and what the server may.
    may_send: i64,
    may_receive: i64,
    received: usize,
    answered: bool,
}

struct Client<'d> {
    /// What is left of the input.
    script: std::slice::Iter<'d, u8>,
    owner: Owner,
    requests: BTreeMap<u32, Request>,
    next: u32,
    may_send: i64,
    may_receive: i64,
    initial: i64,
    frame_size: usize,
    /// The window that a stream begins with, once the server's SETTINGS are acknowledged.
    first_window: i64,
    /// Bytes under way to the server, and from it.
    unsent: Vec<u8>,
    unread: Vec<u8>,
    drains: bool,
}

/// Does what the input says, and then ends everything.
pub(crate) fn play(script: &[u8]) {
    let mut client = Client {
        script: script.iter(),
        owner: Owner::new(),
        requests: BTreeMap::new(),
        next: 1,
        may_send: 65_535,
        may_receive: 65_535,
        initial: 65_535,
        frame_size: 16_384,
        first_window: 65_535,
        unsent: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(),
        unread: Vec::new(),
        drains: false,
    };
    let played = client.run();
    let played = played.and_then(|()| client.finish());
    if let Err(error) = played {
        // Who is too slow, or sends much that brings nothing, may be given up.
        assert!(error.kind != ErrorKind::Protocol, "{error}");
    }
}

impl Client<'_> {
    fn byte(&mut self) -> Option<usize> {
        self.script.next().map(|byte| usize::from(*byte))
    }

    /// A number of up to three digits in base 64, most of which are small.
    fn number(&mut self) -> usize {
        let first = self.byte().unwrap_or(0);
        (0..(first / 64).min(2))
            .fold(first % 64, |number, _| number * 64 + self.byte().unwrap_or(0) % 64)
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
        let head = [&length[..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.unsent.extend(head);
        self.unsent.extend_from_slice(payload);
    }

    /// What is under way reaches the server, in pieces of `size`.
    fn deliver(&mut self, size: usize) -> Result<(), ConnectionError> {
        let bytes = std::mem::take(&mut self.unsent);
        let mut taken = 0;
        for piece in bytes.chunks(size.max(1)) {
            let left = self.owner.receive(piece)?.len();
            taken += piece.len() - left;
            if left > 0 {
                break;
            }
        }
        self.unsent = bytes[taken..].to_vec();
        Ok(())
    }

    fn run(&mut self) -> Result<(), ConnectionError> {
        while let Some(step) = self.byte() {
            match step % 16 {
                0..4 => self.open(),
                4..7 => self.body(),
                7 => self.cancel(),
                8 => self.grant(),
                9 => self.initial_window(),
                10 => {
                    self.frame_size = self.frame_size.max(16_384 + self.number());
                    let size = self.frame_size as u32;
                    self.send(4, 0, 0, &[&[0, 5][..], &size.to_be_bytes()].concat());
                }
                11 => self.send(6, 0, 0, b"a ping  "),
                12 => {
                    let time = Duration::from_millis(self.number() as u64);
                    self.owner.wait(time)?;
                }
                13 => {
                    let most = self.number();
                    self.read(most);
                }
                14 => {
                    let size = self.number();
                    self.deliver(size)?;
                }
                _ => {
                    self.deliver(usize::MAX)?;
                    self.read(usize::MAX);
                }
            }
        }
        Ok(())
    }

    fn open(&mut self) {
        let open = self.requests.values().filter(|request| !request.is_over()).count();
        if open >= STREAMS || self.drains {
            return;
        }
        let (stream, reply, lane) = (self.next, self.number(), self.byte().unwrap_or(0));
        self.next += 2;
        let path = format!("/{}/{reply}", ["w", "s"][lane % 2]);
        let mut block = vec![0x83, 0x86, [0x04, 0x44][lane / 2 % 2], path.len() as u8];
        block.extend(path.bytes());
        let ended = lane & 4 != 0;
        let flags = if ended { END_STREAM } else { 0 };
        if lane & 8 == 0 {
            self.send(HEADERS, END_HEADERS | flags, stream, &block);
        } else {
            self.send(HEADERS, flags, stream, &block[..3]);
            self.send(9, END_HEADERS, stream, &block[3..]);
        }
        let (may_send, may_receive) = (self.first_window, self.initial);
        let request = Request {
            reply,
            sent: 0,
            ended,
            cancelled: false,
            may_send,
            may_receive,
            received: 0,
            answered: false,
        };
        self.requests.insert(stream, request);
    }

    /// The number of a request that can be sent more of.
    fn unended(&mut self) -> Option<u32> {
        let place = self.number();
        let mut unended =
            self.requests.iter().filter(|(_, request)| !request.ended && !request.cancelled);
        let count = unended.clone().count().max(1);
        unended.nth(place % count).map(|(stream, _)| *stream)
    }

    fn body(&mut self) {
        let Some(stream) = self.unended() else { return };
        let (wanted, how) = (self.number() as i64, self.byte().unwrap_or(0));
        let request = self.requests.get_mut(&stream).expect("it was just found");
        let padding = if how & 2 != 0 { 3 } else { 0 };
        let room = request.may_send.min(self.may_send).min(16_384) - padding;
        if room < 0 {
            return;
        }
        let size = wanted.min(room) as usize;
        let ends = how & 1 != 0;
        request.sent += size;
        request.may_send -= size as i64 + padding;
        self.may_send -= size as i64 + padding;
        request.ended = ends;
        let mut payload = vec![b'q'; size];
        if padding > 0 {
            payload.insert(0, 2);
            payload.extend([0, 0]);
        }
        let padded = if padding > 0 { 8 } else { 0 };
        if ends && how & 4 != 0 {
            self.send(DATA, padded, stream, &payload);
            self.send(HEADERS, END_STREAM | END_HEADERS, stream, b"\0\x01x\x01y");
        } else {
            self.send(DATA, padded | u8::from(ends), stream, &payload);
        }
    }

    fn cancel(&mut self) {
        let place = self.number();
        let mut known = self.requests.iter_mut().filter(|(_, request)| !request.is_over());
        let Some((stream, request)) = known.nth(place % STREAMS) else { return };
        request.cancelled = true;
        let stream = *stream;
        self.send(3, 0, stream, &[0, 0, 0, 8]);
    }

    fn grant(&mut self) {
        let (place, bytes) = (self.number(), 1 + self.number() as i64);
        let stream = match self.requests.iter_mut().nth(place) {
            Some((stream, request)) => {
                request.may_receive += bytes;
                *stream
            }
            None => {
                self.may_receive += bytes;
                0
            }
        };
        self.send(8, 0, stream, &(bytes as u32).to_be_bytes());
    }

    fn initial_window(&mut self) {
        let window = self.number() as i64;
        self.set_initial_window(window);
    }

    fn set_initial_window(&mut self, window: i64) {
        for request in self.requests.values_mut() {
            request.may_receive += window - self.initial;
        }
        self.initial = window;
        self.send(4, 0, 0, &[&[0, 4][..], &(window as u32).to_be_bytes()].concat());
    }

    /// Reads what the server has sent.
    fn read(&mut self, most: usize) {
        self.unread.extend(self.owner.write(most));
        while let Some(head) = self.unread.first_chunk::<9>().copied() {
            let [a, b, c, kind, flags, stream @ ..] = head;
            let size = 9 + u32::from_be_bytes([0, a, b, c]) as usize;
            if self.unread.len() < size {
                break;
            }
            let payload: Vec<u8> = self.unread.drain(..size).skip(9).collect();
            self.take((kind, flags, u32::from_be_bytes(stream)), &payload);
        }
    }

    fn take(&mut self, (kind, flags, stream): (u8, u8, u32), payload: &[u8]) {
        let number =
            || i64::from(u32::from_be_bytes(*payload.first_chunk().expect("it has a number")));
        match kind {
            DATA | HEADERS => {
                let request = self.requests.get_mut(&stream).expect("it was asked");
                assert!(!request.answered, "nothing comes behind the end");
                if kind == DATA {
                    let size = payload.len() as i64;
                    assert!(payload.len() <= self.frame_size);
                    self.may_receive -= size;
                    request.may_receive -= size;
                    request.received += payload.len();
                    // What the client has sent and the server has not read may only be more.
                    assert!(self.may_receive >= 0);
                }
                request.answered = flags & END_STREAM != 0;
                assert!(!request.answered || request.received == request.reply);
            }
            3 => {
                let request = self.requests.get_mut(&stream).expect("it was asked");
                request.ended = true;
                match number() {
                    NO_ERROR => {}
                    ENHANCE_YOUR_CALM => {
                        assert!(self.owner.stalled.contains(&stream), "it was not given up");
                        assert!(!request.answered && request.received < request.reply);
                        request.cancelled = true;
                    }
                    code => panic!("it was reset for nothing, with {code}"),
                }
            }
            4 if flags & 1 == 0 => {
                for request in self.requests.values_mut() {
                    request.may_send += STREAM_WINDOW - self.first_window;
                }
                self.first_window = STREAM_WINDOW;
                self.send(4, 1, 0, &[]);
            }
            6 if flags & 1 == 0 => self.send(6, 1, 0, payload),
            8 if stream == 0 => self.may_send += number(),
            8 => self.requests.get_mut(&stream).expect("it was asked").may_send += number(),
            7 => self.drains = true,
            _ => {}
        }
    }

    /// Grants everything, ends every request and reads all of it.
    fn finish(&mut self) -> Result<(), ConnectionError> {
        self.set_initial_window(1 << 30);
        self.send(8, 0, 0, &(1u32 << 30).to_be_bytes());
        self.may_receive += 1 << 30;
        for round in 0.. {
            assert!(round < 10_000, "it does not end");
            self.end_requests();
            self.deliver(usize::MAX)?;
            self.owner.wait(Duration::from_millis(200))?;
            self.read(usize::MAX);
            if self.requests.values().all(Request::is_over) && self.unsent.is_empty() {
                break;
            }
        }
        // What is left of replies that were cancelled.
        while self.owner.has_output() {
            self.read(usize::MAX);
        }
        self.owner.check_empty();
        for (stream, request) in &self.requests {
            let body = self.owner.complete.get(stream);
            assert!(request.cancelled || body == Some(&request.sent));
        }
        self.owner.drain();
        for _ in 0..3 {
            self.read(usize::MAX);
            self.deliver(usize::MAX)?;
        }
        self.read(usize::MAX);
        assert!(self.owner.is_finished());
        Ok(())
    }

    fn end_requests(&mut self) {
        let unended: Vec<u32> = self
            .requests
            .iter()
            .filter(|(_, r)| !r.ended && !r.cancelled)
            .map(|(stream, _)| *stream)
            .collect();
        for stream in unended {
            self.requests.get_mut(&stream).expect("it is one of them").ended = true;
            self.send(DATA, END_STREAM, stream, &[]);
        }
    }
}

impl Request {
    fn is_over(&self) -> bool {
        self.cancelled || (self.ended && self.answered)
    }
}

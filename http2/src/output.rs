//! Bytes on their way out: one buffer, and large pieces that are lent instead of copied. Knows
//! their order, and how much of it was written.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes};

/// A piece that stands in the output before the byte `at` of the buffer.
#[derive(Debug)]
struct Lent {
    at: usize,
    bytes: Bytes,
}

/// What was produced and is not written.
#[derive(Debug, Default)]
pub(crate) struct Output {
    buffer: Vec<u8>,
    /// Bytes of the buffer that were written.
    written: usize,
    lent: VecDeque<Lent>,
    lent_bytes: usize,
}

/// Written bytes at which the rest is moved to the front of a buffer that does not run empty.
const COMPACT_AT: usize = 64 << 10;

impl Output {
    /// The buffer, to append to.
    #[inline]
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Appends a piece by reference.
    pub(crate) fn lend(&mut self, bytes: Bytes) {
        self.lent_bytes += bytes.len();
        self.lent.push_back(Lent { at: self.buffer.len(), bytes });
    }

    /// Bytes that wait.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.buffer.len() - self.written + self.lent_bytes
    }

    pub(crate) fn lent_bytes(&self) -> usize {
        self.lent_bytes
    }

    /// Puts what waits into `slices`, as far as they go, and returns how many were used.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let (mut from, mut used) = (self.written, 0);
        let mut put = |bytes: &'a [u8]| {
            let room = used < slices.len();
            if room && !bytes.is_empty() {
                slices[used] = IoSlice::new(bytes);
                used += 1;
            }
            room
        };
        for lent in &self.lent {
            if !put(&self.buffer[from..lent.at]) || !put(&lent.bytes) {
                return used;
            }
            from = lent.at;
        }
        put(&self.buffer[from..]);
        used
    }

    /// The first `bytes` of what waits were written.
    pub(crate) fn consume(&mut self, mut bytes: usize) {
        debug_assert!(bytes <= self.len());
        while let Some(lent) = self.lent.front_mut() {
            let before = bytes.min(lent.at - self.written);
            self.written += before;
            bytes -= before;
            if self.written < lent.at {
                break;
            }
            let part = bytes.min(lent.bytes.len());
            lent.bytes.advance(part);
            self.lent_bytes -= part;
            bytes -= part;
            if !lent.bytes.is_empty() {
                return;
            }
            self.lent.pop_front();
        }
        self.written += bytes.min(self.buffer.len() - self.written);
        if self.len() == 0 {
            self.buffer.clear();
            self.written = 0;
        } else if self.written >= COMPACT_AT {
            self.buffer.drain(..self.written);
            for lent in &mut self.lent {
                lent.at -= self.written;
            }
            self.written = 0;
        }
    }

    /// Takes a buffer of the worker's, if it has none.
    #[inline]
    pub(crate) fn borrow(&mut self, spare: &mut Vec<u8>) {
        if self.buffer.capacity() == 0 {
            std::mem::swap(&mut self.buffer, spare);
        }
    }

    /// Gives the buffer back when it is empty.
    #[inline]
    pub(crate) fn give_back(&mut self, spare: &mut Vec<u8>) {
        if self.len() > 0 {
            return;
        }
        if spare.capacity() < self.buffer.capacity() {
            std::mem::swap(&mut self.buffer, spare);
        }
        self.buffer = Vec::new();
        if self.lent.capacity() > 0 {
            self.lent = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rest(output: &Output, slices: usize) -> Vec<u8> {
        let mut held = vec![IoSlice::new(&[]); slices];
        let used = output.slices(&mut held);
        held[..used].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn few_slices_hold_the_beginning() {
        let mut output = Output::default();
        output.buffer().extend_from_slice(b"ab");
        output.lend(Bytes::from_static(b"cd"));
        output.buffer().extend_from_slice(b"ef");
        let all: Vec<_> = (0..5).map(|slices| rest(&output, slices)).collect();
        assert_eq!(all, [&b""[..], b"ab", b"abcd", b"abcdef", b"abcdef"]);
    }

    #[test]
    fn an_empty_buffer_goes_back_to_the_worker() {
        let (mut output, mut spare) = (Output::default(), Vec::with_capacity(100));
        output.borrow(&mut spare);
        output.buffer().push(1);
        output.give_back(&mut spare);
        assert_eq!(spare.capacity(), 0, "it is in use");
        output.consume(1);
        output.give_back(&mut spare);
        assert_eq!((spare.capacity(), output.buffer().capacity()), (100, 0));
    }

    proptest! {
        /// However pieces are appended and writes cut, the bytes come in order.
        #[test]
        fn short_writes_lose_nothing(
            steps in proptest::collection::vec((0..3u8, 0..60_000usize), 0..60),
        ) {
            let (mut output, mut model) = (Output::default(), Vec::new());
            for (number, (kind, size)) in steps.into_iter().enumerate() {
                let piece = vec![number as u8; size];
                match kind {
                    0 => output.buffer().extend_from_slice(&piece),
                    1 => output.lend(Bytes::from(piece.clone())),
                    _ => {
                        let written = size.min(model.len());
                        output.consume(written);
                        model.drain(..written);
                        prop_assert_eq!(output.len(), model.len());
                        continue;
                    }
                }
                model.extend_from_slice(&piece);
            }
            prop_assert!(rest(&output, 200) == model);
            output.consume(model.len());
            prop_assert_eq!((output.len(), output.lent_bytes()), (0, 0));
        }
    }
}

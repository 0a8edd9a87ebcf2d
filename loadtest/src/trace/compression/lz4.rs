//! Reads lz4 frames, one after another, and reports a frame that was cut short: the decoder ends
//! without an error there, as it does at the end of a whole frame.
//!
//! A frame ends with a mark, which the decoder reads and nothing beyond. So where the input was
//! found to be at its end, no mark was there. A legacy frame has no mark and ends with the
//! input, between two blocks.

use std::io::{self, BufRead, Read};

use lz4_flex::frame::FrameDecoder;

use crate::trace::head::skip;

/// What a legacy frame begins with.
pub(super) const LEGACY: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];

/// Bytes of a block's length.
const BLOCK_SIZE: usize = 4;

/// What the frames of an lz4 file hold, put together.
pub(super) struct Lz4<R: BufRead> {
    /// None when the last one has been read.
    frame: Option<FrameDecoder<Watched<R>>>,
}

impl<R: BufRead> Lz4<R> {
    /// Reads the frames of `input`.
    pub(super) fn new(input: R) -> Self {
        let input = Watched { input, magic: [0; 4], left: 0, begun: false, end: End::Ahead };
        Self { frame: Some(FrameDecoder::new(input)) }
    }
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(frame) = &mut self.frame {
            if !frame.get_ref().begun && !frame.get_mut().begin()? {
                self.frame = None;
                return Ok(0);
            }
            let read = frame.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let input = frame.get_ref();
            match input.end {
                End::Ahead => {}
                End::BetweenBlocks if input.magic == LEGACY => {}
                End::BetweenBlocks | End::Within => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the last lz4 frame has no end",
                    ));
                }
            }
            // A decoder of its own for each: one that is used again expects the block size of
            // the first frame.
            self.frame = self.frame.take().map(|frame| {
                let input = frame.into_inner();
                FrameDecoder::new(Watched { begun: false, ..input })
            });
        }
        Ok(0)
    }
}

/// Notes whether a frame's decoder came to the end of the input.
struct Watched<R> {
    input: R,
    /// How the frame begins.
    magic: [u8; 4],
    /// Bytes of the magic number that the decoder has yet to read.
    left: usize,
    begun: bool,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    /// Not reached.
    Ahead,
    /// Reached where a block would begin.
    BetweenBlocks,
    /// Reached anywhere else.
    Within,
}

impl<R: BufRead> Watched<R> {
    /// Comes to the next frame and looks at what it is. Frames to be skipped are skipped.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.input.fill_buf()?.is_empty() {
                return Ok(false);
            }
            self.input.read_exact(&mut self.magic)?;
            if matches!(self.magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18]) {
                let mut length = [0; 4];
                self.input.read_exact(&mut length)?;
                skip(&mut self.input, length)?;
                continue;
            }
            self.left = self.magic.len();
            self.begun = true;
            self.end = End::Ahead;
            return Ok(true);
        }
    }
}

impl<R: BufRead> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left > 0 {
            let read = (&self.magic[self.magic.len() - self.left..]).read(buffer)?;
            self.left -= read;
            return Ok(read);
        }
        let read = self.input.read(buffer)?;
        if read == 0 && !buffer.is_empty() {
            let between = buffer.len() == BLOCK_SIZE;
            self.end = if between { End::BetweenBlocks } else { End::Within };
        }
        Ok(read)
    }
}

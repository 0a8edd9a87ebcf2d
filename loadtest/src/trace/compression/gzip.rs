//! Reads gzip as `gzip -d` does: one member after another, and zeros behind the last one, with
//! which some programs fill their last block, are left out.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// What the members of a gzip file hold, put together.
pub(super) struct Gzip<R> {
    /// None when the last one has been read.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gzip<R> {
    /// Reads the members of `input`.
    pub(super) fn new(input: R) -> Self {
        Self { member: Some(GzDecoder::new(input)) }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let ended = self.member.take().map(GzDecoder::into_inner);
            self.member = ended.map(following).transpose()?.flatten().map(GzDecoder::new);
        }
        Ok(0)
    }
}

/// The input at the next member, or none at the end.
fn following<R: BufRead>(mut input: R) -> io::Result<Option<R>> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let zeros = buffer.iter().take_while(|&&byte| byte == 0).count();
        let all = zeros == buffer.len();
        input.consume(zeros);
        if !all {
            return Ok(Some(input));
        }
    }
}

//! The 24 bytes that a client sends first (RFC 9113, 3.4). Knows nothing of frames.

/// What no other protocol begins with.
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How much of the preface has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Preface {
    matched: u8,
}

/// The peer speaks something else.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotHttp2;

impl Preface {
    /// Takes what it can from the beginning of `input`. Returns whether the preface is complete.
    pub(crate) fn take(&mut self, input: &mut &[u8]) -> Result<bool, NotHttp2> {
        let wanted = &PREFACE[usize::from(self.matched)..];
        let n = wanted.len().min(input.len());
        let (taken, rest) = input.split_at(n);
        if taken != &wanted[..n] {
            return Err(NotHttp2);
        }
        *input = rest;
        self.matched += n as u8;
        Ok(usize::from(self.matched) == PREFACE.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preface_is_known_however_it_is_cut() {
        for cut in 0..=PREFACE.len() {
            let mut preface = Preface::default();
            let (mut first, mut second) = PREFACE.split_at(cut);
            assert_eq!(preface.take(&mut first), Ok(cut == PREFACE.len()));
            assert_eq!(preface.take(&mut second), Ok(true));
        }
    }

    #[test]
    fn what_follows_the_preface_is_left() {
        let bytes = [PREFACE.as_slice(), b"rest"].concat();
        let mut input = bytes.as_slice();
        assert_eq!(Preface::default().take(&mut input), Ok(true));
        assert_eq!(input, b"rest");
    }

    #[test]
    fn another_protocol_is_known_by_its_first_wrong_byte() {
        for wrong in [b"GET / HTTP/1.1\r\n".as_slice(), b"PRI * HTTP/2.1", b"\x16\x03\x01"] {
            assert_eq!(Preface::default().take(&mut &*wrong), Err(NotHttp2));
        }
    }
}

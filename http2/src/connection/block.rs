//! A header block that comes in several frames, while it does.

/// A header block whose rest is to come.
#[derive(Debug)]
pub(super) struct OpenBlock {
    pub(super) opening: Opening,
    pub(super) bytes: Vec<u8>,
    pub(super) frames: u16,
}

/// What HEADERS say beside the block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) stream: u32,
    pub(super) end: bool,
    /// Whether the stream's priority depends on itself.
    pub(super) is_own_parent: bool,
}

/// Why a request is refused, by its headers or by its body.
pub(super) const WRONG_LENGTH: &str = "a body whose length is not its content-length";

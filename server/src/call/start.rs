//! The beginning of a call.

use std::time::Instant;

use super::method::Method;

/// When a call came, and what it asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallStart {
    pub(crate) method: Method,
    pub(crate) at: Instant,
}

#[cfg(test)]
impl CallStart {
    /// A call that comes now.
    pub(crate) fn now(method: Method) -> Self {
        Self { method, at: Instant::now() }
    }
}

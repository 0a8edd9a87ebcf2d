//! What ends a connection or a stream: an error code of RFC 9113, section 7, and a reason that
//! an operator can read. Knows nothing of frames.

use std::{error::Error, fmt};

/// An error code as RST_STREAM and GOAWAY carry it. Unknown codes are kept as they came.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub u32);

impl Code {
    /// A graceful end.
    pub const NO_ERROR: Self = Self(0);
    /// The peer broke a rule that has no code of its own.
    pub const PROTOCOL_ERROR: Self = Self(1);
    /// The sender failed.
    pub const INTERNAL_ERROR: Self = Self(2);
    /// More was sent than a window allowed, or a window grew beyond its limit.
    pub const FLOW_CONTROL_ERROR: Self = Self(3);
    /// SETTINGS were not acknowledged in time.
    pub const SETTINGS_TIMEOUT: Self = Self(4);
    /// A frame came for a stream whose sender had ended it.
    pub const STREAM_CLOSED: Self = Self(5);
    /// A frame had a length that its type does not allow.
    pub const FRAME_SIZE_ERROR: Self = Self(6);
    /// The stream was not processed at all, so the request may be repeated.
    pub const REFUSED_STREAM: Self = Self(7);
    /// The stream is no longer wanted.
    pub const CANCEL: Self = Self(8);
    /// A header block could not be decoded.
    pub const COMPRESSION_ERROR: Self = Self(9);
    /// The peer makes more work than it may.
    pub const ENHANCE_YOUR_CALM: Self = Self(11);

    /// The name that RFC 9113 gives the code.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "NO_ERROR",
            1 => "PROTOCOL_ERROR",
            2 => "INTERNAL_ERROR",
            3 => "FLOW_CONTROL_ERROR",
            4 => "SETTINGS_TIMEOUT",
            5 => "STREAM_CLOSED",
            6 => "FRAME_SIZE_ERROR",
            7 => "REFUSED_STREAM",
            8 => "CANCEL",
            9 => "COMPRESSION_ERROR",
            10 => "CONNECT_ERROR",
            11 => "ENHANCE_YOUR_CALM",
            12 => "INADEQUATE_SECURITY",
            13 => "HTTP_1_1_REQUIRED",
            _ => "unknown",
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

/// Why a connection ends. The engine has put the GOAWAY that says so into its output, where the
/// peer has spoken HTTP/2 at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionError {
    /// What went wrong.
    pub kind: ErrorKind,
    /// The code of the GOAWAY.
    pub code: Code,
    /// The reason, for a log.
    pub reason: &'static str,
}

/// Kinds of failure that an owner counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The preface did not come in time, or was none.
    Handshake,
    /// The peer broke a rule of HTTP/2 or HPACK.
    Protocol,
    /// The peer exceeded a bound that this engine sets.
    Flood,
    /// The peer did not answer a ping.
    KeepAlive,
    /// The peer neither took what was sent nor finished what it began.
    Stalled,
}

impl ConnectionError {
    pub(crate) fn protocol(reason: &'static str) -> Self {
        Self { kind: ErrorKind::Protocol, code: Code::PROTOCOL_ERROR, reason }
    }

    pub(crate) fn coded(code: Code, reason: &'static str) -> Self {
        Self { kind: ErrorKind::Protocol, code, reason }
    }

    pub(crate) fn flood(reason: &'static str) -> Self {
        Self { kind: ErrorKind::Flood, code: Code::ENHANCE_YOUR_CALM, reason }
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.code.name())
    }
}

impl Error for ConnectionError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_reason_and_its_code() {
        let error = ConnectionError::flood("too many PING frames");
        assert_eq!(error.to_string(), "too many PING frames (ENHANCE_YOUR_CALM)");
        assert_eq!(format!("{:?}", Code(99)), "unknown(99)");
    }

    #[test]
    fn every_code_of_the_rfc_has_a_name() {
        let named = (0..20).filter(|code| Code(*code).name() != "unknown").count();
        assert_eq!(named, 14);
    }
}

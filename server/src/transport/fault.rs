//! What went wrong with connections, by kind. A peer that just goes away did nothing wrong,
//! however abruptly it did so.

use std::{error::Error, io, sync::Arc};

use tiny_cache_http2::{Code, ErrorKind};

use crate::sync::{AtomicU64, Ordering};

use super::error::ConnectionError;

/// A kind of what can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Fault {
    /// TLS and the HTTP/2 preface were not there in time.
    HandshakeTimeout,
    /// A certificate was refused, by either side, or what came was not TLS.
    Tls,
    /// What came was not HTTP/2, or broke its rules.
    Protocol,
    /// The peer sent more frames of a kind that costs and brings nothing than any client does.
    Flood,
    /// A ping was not answered.
    KeepAlive,
    /// The peer took nothing of its replies, or did not finish a frame that it had begun.
    Stalled,
    /// The socket failed.
    Io,
    /// Not the connection but one stream of it: HTTP/2 refused a request that no service saw.
    StreamRefused,
    /// Nor this: a stream whose peer took too little of its reply.
    StreamStalled,
}

impl Fault {
    /// Every kind, in the order of its number.
    pub(crate) const ALL: [Self; 9] = [
        Self::HandshakeTimeout,
        Self::Tls,
        Self::Protocol,
        Self::Flood,
        Self::KeepAlive,
        Self::Stalled,
        Self::Io,
        Self::StreamRefused,
        Self::StreamStalled,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HandshakeTimeout => "handshake_timeout",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Flood => "flood",
            Self::KeepAlive => "keep_alive",
            Self::Stalled => "stalled",
            Self::Io => "io",
            Self::StreamRefused => "stream_refused",
            Self::StreamStalled => "stream_stalled",
        }
    }

    /// The kind of an error, or none where the peer went away.
    pub(crate) fn of(error: &ConnectionError) -> Option<Self> {
        match error {
            ConnectionError::Handshake => Some(Self::HandshakeTimeout),
            ConnectionError::Io(error) => Self::of_socket(error),
            ConnectionError::Engine(error) => Some(match error.kind {
                ErrorKind::Handshake if error.code == Code::SETTINGS_TIMEOUT => {
                    Self::HandshakeTimeout
                }
                ErrorKind::Handshake | ErrorKind::Protocol => Self::Protocol,
                ErrorKind::Flood => Self::Flood,
                ErrorKind::KeepAlive => Self::KeepAlive,
                ErrorKind::Stalled => Self::Stalled,
            }),
            // The only timer that hyper has here is that of its pings.
            ConnectionError::Hyper(error) if error.is_timeout() => Some(Self::KeepAlive),
            ConnectionError::Hyper(error) => {
                match error.source().and_then(|source| source.downcast_ref()) {
                    Some(socket) => Self::of_socket(socket),
                    None => Some(Self::Protocol),
                }
            }
        }
    }

    fn of_socket(error: &io::Error) -> Option<Self> {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => None,
            // No socket says so: it is what rustls says of a peer. h2 keeps of it only this.
            io::ErrorKind::InvalidData => Some(Self::Tls),
            _ => Some(Self::Io),
        }
    }
}

/// How often each kind was seen, by all workers together: connections seldom fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<[AtomicU64; Fault::ALL.len()]>);

impl Faults {
    pub(crate) fn count(&self, fault: Fault) {
        self.0[fault as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_goes_away_is_no_fault() {
        for (kind, fault) in [
            (io::ErrorKind::UnexpectedEof, None),
            (io::ErrorKind::ConnectionReset, None),
            (io::ErrorKind::BrokenPipe, None),
            (io::ErrorKind::InvalidData, Some(Fault::Tls)),
            (io::ErrorKind::TimedOut, Some(Fault::Io)),
        ] {
            assert_eq!(Fault::of(&ConnectionError::Io(kind.into())), fault, "{kind}");
        }
        assert_eq!(Fault::of(&ConnectionError::Handshake), Some(Fault::HandshakeTimeout));
    }

    #[test]
    fn each_kind_is_counted_by_itself() {
        let faults = Faults::default();
        for (number, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, number);
            (0..number).for_each(|_| faults.count(fault));
        }
        assert_eq!(Fault::ALL.map(|fault| faults.of(fault)), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }
}

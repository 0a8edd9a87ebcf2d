//! How long an entry is to live, with what may follow: a span in which it is stale, and one before
//! its end in which somebody should refresh it.

use std::time::Duration;

use super::{lifetime::Lifetime, ttl::Ttl};

/// The life of an entry, as a write gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// How long it is fresh. A part of a millisecond counts as one, unless it `ends_exactly`.
    pub ttl: Ttl,
    /// Whether the end is kept to the nanosecond: an entry that is written anew and again with the
    /// end of the one before it would live a part of a millisecond longer each time.
    pub ends_exactly: bool,
    /// How long it is kept beyond that, for those that take a stale value.
    pub stale: Duration,
    /// How long before the end of its TTL somebody should refresh it.
    pub refresh_before: Duration,
}

/// What an entry keeps of its life beside the time to live: only an entry that has such spans, behind
/// its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans {
    stale_ms: u32,
    refresh_before_ms: u32,
    /// By how much its lifetime is rounded up.
    early_ns: u32,
}

/// Bytes that they take.
pub(super) const SPANS_BYTES: usize = 12;

impl From<Ttl> for Life {
    fn from(ttl: Ttl) -> Self {
        Self { ttl, ends_exactly: false, stale: Duration::ZERO, refresh_before: Duration::ZERO }
    }
}

impl Life {
    /// How long the entry is kept at all.
    pub(super) fn kept(self) -> Ttl {
        match self.ttl {
            Ttl::Forever => Ttl::Forever,
            Ttl::For(fresh) => Ttl::For(fresh.saturating_add(self.stale)),
        }
    }

    /// What the entry keeps beside that; none for most.
    pub(super) fn spans(self) -> Option<Spans> {
        let milliseconds = |span: Duration| u32::try_from(span.as_millis()).unwrap_or(u32::MAX);
        let (stale_ms, refresh_before_ms) =
            (milliseconds(self.stale), milliseconds(self.refresh_before));
        let Ttl::For(kept) = self.kept() else { return None };
        let rounded = Lifetime::of(self.kept()).span().saturating_sub(kept);
        let early_ns = if self.ends_exactly { rounded.as_nanos() as u32 } else { 0 };
        let spans = Spans { stale_ms, refresh_before_ms, early_ns };
        (spans != Spans::default()).then_some(spans)
    }
}

impl Spans {
    pub(super) fn bytes(self) -> [u8; SPANS_BYTES] {
        let mut bytes = [0; SPANS_BYTES];
        let parts = [self.stale_ms, self.refresh_before_ms, self.early_ns];
        for (place, part) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(parts) {
            *place = part.to_le_bytes();
        }
        bytes
    }

    pub(super) fn of_bytes(bytes: [u8; SPANS_BYTES]) -> Self {
        let part = |at: usize| u32::from_le_bytes(bytes.as_chunks::<4>().0[at]);
        Self { stale_ms: part(0), refresh_before_ms: part(1), early_ns: part(2) }
    }

    pub(super) fn early(self) -> Duration {
        Duration::from_nanos(self.early_ns.into())
    }

    pub(super) fn stale(self) -> Duration {
        Duration::from_millis(self.stale_ms.into())
    }

    pub(super) fn refresh_before(self) -> Duration {
        Duration::from_millis(self.refresh_before_ms.into())
    }
}

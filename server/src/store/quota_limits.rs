//! What a namespace may have and do, and the refusal of what goes beyond. Knows names, no entries.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use thiserror::Error;

/// The quotas of all namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaRules {
    /// Those of namespaces by their exact names; at most [`Self::MOST_NAMED`].
    pub named: BTreeMap<String, QuotaLimits>,
    /// Those of the shared keyspace, if they are not `others`.
    pub shared: Option<QuotaLimits>,
    /// Those of each namespace that is not named. Namespaces that have no figures of their own,
    /// because a hundred others were written to before them, have these together.
    pub others: QuotaLimits,
}

impl QuotaRules {
    /// Namespaces that can be named: each has figures of its own for good.
    pub const MOST_NAMED: usize = super::namespaces::MOST_KEPT;
}

/// The quotas of one namespace. `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaLimits {
    /// Bytes of its entries, their overhead included.
    pub max_bytes: Option<NonZeroU64>,
    /// Its entries.
    pub max_entries: Option<NonZeroU64>,
    /// How often it may be asked for something.
    pub rate: Option<RateLimit>,
}

impl QuotaLimits {
    /// Whether it limits what is held.
    pub(crate) fn bounds(&self) -> bool {
        self.max_bytes.is_some() || self.max_entries.is_some()
    }
}

/// Requests over time. A batch counts as its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests a second that may go on for ever.
    pub per_second: NonZeroU32,
    /// Requests at once after a pause.
    pub burst: NonZeroU32,
}

/// What a quota refused. Nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("quota {name}={limit} of {namespace} {what}")]
pub struct OverQuota {
    /// The key of the quota in the file.
    pub(super) name: &'static str,
    pub(super) limit: u64,
    pub(super) namespace: Named,
    pub(super) what: Excess,
}

/// How a quota was exceeded, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Excess {
    #[error("is used up; try again in {} ms or raise it in CACHE_QUOTAS_PATH", wait.as_millis() + 1)]
    Rate { wait: Duration },
    #[error(
        "is less than the {items} items of this batch; send smaller ones or raise it in \
         CACHE_QUOTAS_PATH"
    )]
    Batch { items: usize },
    #[error(
        "is less than the {bytes} bytes that this entry counts as; write a smaller value or raise \
         it in CACHE_QUOTAS_PATH"
    )]
    Entry { bytes: u64 },
}

/// Whose quota it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Named {
    #[error("the shared keyspace")]
    Shared,
    #[error("namespace {0:?}")]
    Own(Box<str>),
    #[error("namespace {0:?} and all others without figures of their own")]
    Other(Box<str>),
}

impl OverQuota {
    /// When it may be asked again, if asking again helps.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self.what {
            // A millisecond more, as what is told is cut to whole ones.
            Excess::Rate { wait } => Some(wait + Duration::from_millis(1)),
            Excess::Batch { .. } | Excess::Entry { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_quota_its_limit_its_namespace_and_the_remedy() {
        let wait = Duration::from_micros(11_500);
        for (name, limit, namespace, what, text) in [
            (
                "requests_per_second",
                500,
                Named::Own("shop".into()),
                Excess::Rate { wait },
                "quota requests_per_second=500 of namespace \"shop\" is used up; try again in 12 \
                 ms or raise it in CACHE_QUOTAS_PATH",
            ),
            (
                "burst",
                10,
                Named::Shared,
                Excess::Batch { items: 11 },
                "quota burst=10 of the shared keyspace is less than the 11 items of this batch; \
                 send smaller ones or raise it in CACHE_QUOTAS_PATH",
            ),
            (
                "max_bytes",
                1000,
                Named::Other("x".into()),
                Excess::Entry { bytes: 1480 },
                "quota max_bytes=1000 of namespace \"x\" and all others without figures of their \
                 own is less than the 1480 bytes that this entry counts as; write a smaller value \
                 or raise it in CACHE_QUOTAS_PATH",
            ),
        ] {
            assert_eq!(OverQuota { name, limit, namespace, what }.to_string(), text);
        }
    }
}

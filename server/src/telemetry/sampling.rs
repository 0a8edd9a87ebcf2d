//! Decides whether a request gets a span, before there is one.

use std::{cell::RefCell, fmt};

use ahash::RandomState;
use opentelemetry::trace::SpanContext;
use rand::Rng;
use rand_pcg::Pcg64Mcg;

use super::parent::{Carrier, Parent};

/// Which requests get a span: the samplers of OpenTelemetry's specification.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sampling {
    /// The caller's decision stands, where it sent one.
    pub(super) parent_based: bool,
    /// Whether the caller's span is taken as the parent at all.
    pub(super) follows_parent: bool,
    /// What is decided otherwise.
    pub(super) root: Root,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Root {
    Always,
    Never,
    /// This part of all traces, from 0 to 1.
    Ratio(f64),
}

thread_local! {
    static RANDOM: RefCell<Pcg64Mcg> = RefCell::new({
        // A fresh RandomState is seeded by the operating system.
        let seed = RandomState::new();
        Pcg64Mcg::new((u128::from(seed.hash_one(0)) << 64) | u128::from(seed.hash_one(1)))
    });
}

impl Sampling {
    /// The parent of the span that a request gets, which is not valid where there is none; none
    /// for a request that gets no span.
    pub(super) fn decide(&self, carrier: &impl Carrier) -> Option<SpanContext> {
        let parent = if self.follows_parent { Parent::of(carrier) } else { None };
        let sampled = match parent {
            Some(parent) if self.parent_based => parent.sampled(),
            Some(parent) => self.root.takes(|| parent.low_bits()),
            None => self.root.takes(|| RANDOM.with_borrow_mut(Rng::next_u64)),
        };
        sampled.then(|| match parent {
            Some(parent) => parent.context(carrier),
            None => SpanContext::NONE,
        })
    }
}

impl Root {
    /// Whether the trace with these bits of its id is taken. As the SDK's own sampler does it,
    /// 63 bits are compared, so that two services with the same ratio take the same traces.
    fn takes(self, bits: impl FnOnce() -> u64) -> bool {
        match self {
            Root::Always => true,
            Root::Never => false,
            Root::Ratio(ratio) => (bits() >> 1) < (ratio * (1_u64 << 63) as f64) as u64,
        }
    }
}

impl fmt::Display for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.root {
            Root::Always => write!(f, "every trace")?,
            Root::Never => write!(f, "no trace")?,
            Root::Ratio(ratio) => write!(f, "{} % of traces", ratio * 100.0)?,
        }
        if self.parent_based { write!(f, ", or as the caller has decided") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn sampling(parent_based: bool, root: Root) -> Sampling {
        Sampling { parent_based, follows_parent: true, root }
    }

    fn with_parent(trace: u128, sampled: bool) -> HeaderMap {
        let text = format!("00-{trace:032x}-00f067aa0ba902b7-0{}", u8::from(sampled));
        HeaderMap::from_iter([("traceparent".parse().unwrap(), text.parse().unwrap())])
    }

    #[test]
    fn the_callers_decision_stands_both_ways() {
        let never = sampling(true, Root::Never);
        let always = sampling(true, Root::Always);
        assert!(never.decide(&with_parent(7, true)).is_some());
        assert!(always.decide(&with_parent(7, false)).is_none());
        assert!(never.decide(&HeaderMap::new()).is_none());
        assert!(always.decide(&HeaderMap::new()).is_some());
    }

    #[test]
    fn without_parents_decision_the_traces_id_decides() {
        let half = sampling(false, Root::Ratio(0.5));
        assert!(half.decide(&with_parent(u128::from(u64::MAX / 2) + 1, true)).is_none());
        assert!(half.decide(&with_parent(u128::from(u64::MAX / 2) - 1, false)).is_some());
    }

    #[test]
    fn a_propagator_that_is_off_leaves_the_caller_out() {
        let alone = Sampling { follows_parent: false, ..sampling(true, Root::Always) };
        let parent = alone.decide(&with_parent(7, false)).unwrap();
        assert!(!parent.is_valid());
    }

    #[test]
    fn a_ratio_takes_its_part() {
        let tenth = sampling(true, Root::Ratio(0.1));
        let taken = (0..100_000).filter(|_| tenth.decide(&HeaderMap::new()).is_some()).count();
        // Ten standard deviations.
        assert!((9_050..10_950).contains(&taken), "{taken}");
    }
}

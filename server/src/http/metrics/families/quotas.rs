//! The quotas of namespaces, and what became of what was beyond them. None without
//! `CACHE_QUOTAS_PATH`; and of a namespace, those that it has.

use std::borrow::Cow;

use crate::{
    http::metrics::family::{Family, Label, Samples, families},
    store::{Detail, QuotaStats},
};

pub(super) fn families(detail: &Detail) -> Vec<Family> {
    families! {
        Gauge "tiny_cache_namespace_quota_bytes" =
            of_each(detail, |quota| Some(quota.limits.max_bytes?.get()));
            "Most memory for the entries of each namespace that has such a quota"
        Gauge "tiny_cache_namespace_quota_entries" =
            of_each(detail, |quota| Some(quota.limits.max_entries?.get()));
            "Most entries of each namespace that has such a quota"
        Gauge "tiny_cache_namespace_quota_requests_per_second" =
            of_each(detail, |quota| Some(quota.limits.rate?.per_second.get().into()));
            "Most requests a second of each namespace that has such a quota"
        Counter "tiny_cache_namespace_quota_evictions_total" =
            of_each(detail, |quota| quota.limits.bounds().then_some(quota.evictions));
            "Entries that each namespace pushed out of its own to keep within its quota"
        Counter "tiny_cache_namespace_quota_refusals_total" = refusals(detail);
            "Calls and writes that the quota of their namespace refused, by quota"
    }
}

fn of_each(detail: &Detail, value: impl Fn(&QuotaStats) -> Option<u64>) -> Samples {
    let quotas = detail.namespaces.iter().filter_map(|of| Some((of.name.clone(), of.quota?)));
    let each = quotas.filter_map(|(name, quota)| Some((name, value(&quota)?)));
    Samples::by("cache_namespace", each)
}

fn refusals(detail: &Detail) -> Samples {
    let quotas = detail.namespaces.iter().filter_map(|of| Some((&of.name, of.quota?)));
    Samples::new(quotas.flat_map(|(name, quota)| {
        let labels = |of: &'static str| -> Vec<Label> {
            vec![("cache_namespace", Cow::Owned(name.clone())), ("quota", of.into())]
        };
        let limits = quota.limits;
        let entries = limits.max_bytes.map(|_| (labels("max_bytes"), quota.refused_entries));
        let requests = limits.rate.map(|_| (labels("requests_per_second"), quota.refused_requests));
        entries.into_iter().chain(requests)
    }))
}

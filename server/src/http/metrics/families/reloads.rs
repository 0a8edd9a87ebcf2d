//! What became of files that are read again when they change. Absent where there are none.

use crate::{
    http::metrics::family::{Family, Samples, families},
    reload::Reloads,
};

pub(super) fn families(reloads: &Reloads) -> Vec<Family> {
    let results =
        reloads.of_each().flat_map(|of| [(of, "ok", of.ok()), (of, "failed", of.failed())]);
    let results = results.map(|(of, result, count)| {
        (vec![("file", of.name.into()), ("result", result.into())], count)
    });
    let failed = reloads.of_each().map(|of| (of.name, u64::from(of.has_failed())));
    families! {
        Counter "tiny_cache_reloads_total" = Samples::new(results);
            "Changed files whose content was put to use, and those whose content cannot be used"
        Gauge "tiny_cache_reload_failed" = Samples::by("file", failed);
            "1 while a file holds what cannot be used, and what it held before is in use"
    }
}

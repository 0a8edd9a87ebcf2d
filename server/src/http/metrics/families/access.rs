//! Who was refused, by the reason.

use crate::{
    access::{Audit, Reason},
    http::metrics::family::{Family, Samples, families},
};

pub(super) fn families(audit: &Audit) -> Vec<Family> {
    let refused = Reason::ALL.map(|reason| (reason.name(), audit.refused(reason)));
    families! {
        Counter "tiny_cache_access_refused_total" = Samples::by("reason", refused);
            "Calls, and requests to the HTTP port, that were refused because of who asked"
    }
}

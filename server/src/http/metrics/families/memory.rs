//! The memory that the allocator has, and the most that the container allows.

use std::ptr;

use crate::{
    cgroup,
    http::metrics::family::{Family, Samples, families},
    pinned,
};

/// What the control groups say, read once: a limit that is changed later counts at the next start.
pub(super) struct GroupLimits {
    limit: Option<u64>,
    soft: Option<u64>,
}

impl GroupLimits {
    pub(super) fn read() -> Self {
        let [limit, soft] = [cgroup::memory_limit(), cgroup::soft_limit()];
        Self { limit: limit.map(|limit| limit.bytes), soft: soft.map(|soft| soft.bytes) }
    }
}

pub(super) fn families(groups: &GroupLimits) -> Vec<Family> {
    families! {
        Gauge "tiny_cache_allocator_committed_bytes" = committed();
            "Memory that the allocator has from the system, in use or not"
        Gauge "tiny_cache_pinned_bytes" = pinned::held() as u64;
            "Memory that replies hold beside the store until their readers take them"
        Counter "tiny_cache_pinned_refused_total" = pinned::refused();
            "Large replies that were refused because too much was held so"
        Gauge "tiny_cache_memory_limit_bytes" = Samples::if_known(groups.limit);
            "Most memory that the process may take without being killed or throttled, by its control groups"
        Gauge "tiny_cache_memory_soft_limit_bytes" = Samples::if_known(groups.soft);
            "Memory that the kernel leaves to the process when the machine runs short, by its control groups"
    }
}

/// mimalloc's own count. Where another allocator serves the program, as one may that only
/// uses the library, it is next to nothing.
#[expect(unsafe_code, reason = "mimalloc tells its figures by no safe interface")]
fn committed() -> u64 {
    let mut committed = 0;
    let none = ptr::null_mut();
    // SAFETY: each pointer is null, which is allowed for what is not wanted, or that of a
    // number that lives until the call is over. The call may be made at any time from any
    // thread.
    unsafe {
        libmimalloc_sys::mi_process_info(
            none,
            none,
            none,
            none,
            none,
            &raw mut committed,
            none,
            none,
        );
    }
    committed as u64
}

//! The memory that the allocator has, and the most that the container allows.

use std::ptr;

use crate::http::metrics::family::Family;

pub(super) fn families(limit: Option<u64>) -> impl Iterator<Item = Family> {
    let committed = Family::gauge(
        "tiny_cache_allocator_committed_bytes",
        "Memory that the allocator has from the system, in use or not",
        committed(),
    );
    let limit = limit.map(|limit| {
        Family::gauge(
            "tiny_cache_memory_limit_bytes",
            "Most memory that the process may take, by its control group",
            limit,
        )
    });
    [committed].into_iter().chain(limit)
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
        libmimalloc_sys::mi_process_info(none, none, none, none, none, &mut committed, none, none);
    }
    committed as u64
}

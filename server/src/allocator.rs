//! The program's allocator, and how long it keeps what was freed.

use libmimalloc_sys::{mi_option_set, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` in mimalloc's `mi_option_t`, versions 2 and 3.
const PURGE_DELAY: mi_option_t = 15;

/// Milliseconds from when memory is freed until the operating system has it back. The default
/// is 1000: a second of writes of 1 MiB values into a cache of 64 MiB grew the process to 2.2
/// times that limit. With 10 it was 1.4 times at the same speed, with 0 less, at half the
/// speed (`make test-memory`; the rest came from smaller receive windows).
const PURGE_DELAY_MS: i64 = 10;

/// Sets the allocator up. To be called first.
#[expect(
    unsafe_code,
    reason = "mimalloc's options have no safe interface, and its environment variables are read \
              before main; the gain stands beside PURGE_DELAY_MS"
)]
pub(crate) fn init() {
    // SAFETY: the option exists in every version that the crate builds, takes any number, and
    // may be set at any time.
    unsafe { mi_option_set(PURGE_DELAY, PURGE_DELAY_MS) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number could mean another option in another version of mimalloc.
    #[test]
    #[expect(unsafe_code, reason = "reads an option")]
    fn the_option_is_the_purge_delay() {
        // SAFETY: as above; reading changes nothing.
        let read = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(read(), 1000, "mimalloc's own default");
        init();
        assert_eq!(read(), PURGE_DELAY_MS);
    }
}

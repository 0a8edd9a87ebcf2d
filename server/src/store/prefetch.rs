//! Has the processor fetch a line of memory that will be looked at soon, without waiting for it. A
//! plain read would be waited for by the next lock.

/// The line in which a value begins.
#[inline]
pub(super) fn line_of<T: ?Sized>(value: &T) {
    let address = std::ptr::from_ref(value).cast::<i8>();
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[expect(unsafe_code, reason = "there is no safe function for the instruction")]
        // SAFETY: the instruction is part of every x86-64, and reads nothing: it may be given any
        // address.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(address);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

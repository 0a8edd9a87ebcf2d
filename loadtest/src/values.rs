//! Values to write: the same bytes for the same key and size in every run, made without
//! a copy where they are short. What stands in them is noise, so that nothing on the way
//! can shrink it.

use bytes::Bytes;

use crate::workload::Write;

/// Keys begin their value at one of this many places in the noise.
const OFFSETS: usize = 64 << 10;

/// Longest value that is a slice of the noise; a longer one is put together.
const SLICED: usize = 1 << 20;

/// Makes the values of one thread. Not shared: the reference count of a value would be
/// a cache line that all threads write to.
pub(crate) struct Values {
    noise: Bytes,
}

impl Values {
    /// Makes the noise.
    pub(crate) fn new() -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let words = (OFFSETS + SLICED) / size_of::<u64>();
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            // xorshift64: any start but 0 runs through all 64-bit numbers but 0.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .take(words)
        .flatten()
        .collect();
        Self { noise: noise.into() }
    }

    /// The value that a write has where values are not verified.
    pub(crate) fn of(&self, write: &Write) -> Bytes {
        self.value(&write.key, write.size)
    }

    /// The value of `key`, `size` bytes long.
    fn value(&self, key: &str, size: u32) -> Bytes {
        let size = size as usize;
        let start = (fnv1a(key.as_bytes()) % OFFSETS as u64) as usize;
        if size <= SLICED {
            return self.noise.slice(start..start + size);
        }
        let mut value = Vec::with_capacity(size);
        value.extend_from_slice(&self.noise[start..]);
        while value.len() < size {
            let missing = (size - value.len()).min(self.noise.len());
            value.extend_from_slice(&self.noise[..missing]);
        }
        value.truncate(size);
        value.into()
    }
}

/// FNV-1a: the standard library's hashers promise nothing from one release to the next.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_its_size_and_depends_on_its_key_alone() {
        let (one, other) = (Values::new(), Values::new());
        for size in [0, 1, 1024, SLICED as u32, SLICED as u32 + 1, 5 << 20] {
            let value = one.value("key", size);
            assert_eq!(value.len(), size as usize);
            assert!(value == other.value("key", size));
            assert!(size < 8 || value != one.value("another key", size));
        }
    }
}

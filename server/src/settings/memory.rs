//! The memory limit of the cache, and what the whole process takes for it: no more than the
//! container has. The figures are those of `docs/sizing.md`.

use std::{fmt, num::NonZeroUsize};

use crate::{cgroup::MemoryLimit, store::StoreLimits};

use super::{
    error::SettingsError,
    parse::{Given, bytes, number},
    variables::Raw,
};

pub(super) const MIB: u64 = 1 << 20;

/// The length of a gRPC message has 32 bits; half of that leaves room for a second value in
/// CompareAndSet.
const LARGEST_VALUE_BYTES: u64 = (1 << 30) - MIB;

/// Largest value when none is set: larger ones are rare in a cache, and each costs its size
/// twice while it is received.
const DEFAULT_MAX_VALUE_BYTES: u64 = 4 * MIB;

/// What a full cache that is written to takes of its limit, in per cent. `make test-memory`
/// fails above it.
pub const RESIDENT_PERCENT: u64 = 135;

/// The process without entries or connections.
const PROCESS: u64 = 10 * MIB;

/// What `auto` takes of the container's limit, where that fits. Entries then take up to
/// 94.5 % of it, and large messages that arrive 4.4 %.
const AUTO_PERCENT: u64 = 70;

/// Most MiB that can be set: 16 TiB.
const MOST: u64 = 16 * MIB;

const VARIABLE: &str = "CACHE_MAX_MEMORY_MB";

/// Reads the store's limits and holds them against `container`, the memory limit of the
/// process's control group.
pub(super) fn store_limits(
    raw: &Raw,
    container: Option<&MemoryLimit>,
    warnings: &mut Vec<String>,
) -> Result<StoreLimits, SettingsError> {
    let memory = raw.cache_max_memory_mb();
    let value = raw.cache_max_value_bytes();
    let wish = Wish::read(value);
    let mib = match (memory.value, container) {
        ("auto", Some(container)) => wish.auto(container.bytes).ok_or_else(|| {
            memory.refuse(wish.too_much(wish.least(), container, &wish.remedy(wish.least())))
        })?,
        ("auto", None) => {
            // Part of the machine's memory would be a guess at what else runs on it; what
            // the default takes is known, and the same everywhere.
            let defaults = Raw::default();
            let default = defaults.cache_max_memory_mb();
            warnings.push(format!(
                "{VARIABLE}=auto, and no memory limit of a container was found: taking the \
                 default, {} MiB",
                default.value
            ));
            number(default, 1, MOST)?
        }
        _ => number(memory, 1, MOST).map_err(|_| {
            memory.refuse(format!("a whole number from 1 to {MOST} (MiB), or auto"))
        })?,
    };
    let max_bytes = mib * MIB;
    let max_value_bytes = match value {
        Given { value: "auto", .. } => wish.value_at(mib),
        given => bytes(given, 1, max_bytes.min(LARGEST_VALUE_BYTES), max_bytes)?,
    };
    if let Some(container) = container.filter(|limit| wish.need(mib).total() > limit.bytes) {
        let default = if raw.is_set(memory) { "" } else { "it is the default, and " };
        let fit =
            wish.fitting(container.bytes).map(|fit| format!("set it to auto or up to {fit}, or "));
        let remedy = fit.unwrap_or_default() + &wish.remedy(mib);
        let why = wish.too_much(mib, container, &remedy);
        return Err(memory.refuse(format!("{default}{why}")));
    }
    let max_items: usize = number(raw.cache_max_items(), 0, u32::MAX as usize)?;
    Ok(StoreLimits {
        max_bytes,
        max_items: NonZeroUsize::new(max_items),
        max_value_bytes: usize::try_from(max_value_bytes).unwrap_or(usize::MAX),
    })
}

/// Memory for large messages that are still arriving: a sixteenth of the cache's, and at
/// least what one of the largest values needs. The rare message that is larger takes all of
/// it.
pub(super) fn intake(max_bytes: u64, max_value_bytes: u64) -> u64 {
    (max_bytes / 16).max(max_value_bytes)
}

/// What one memory limit makes the process take.
struct Need {
    mib: u64,
    intake: u64,
}

impl Need {
    fn total(&self) -> u64 {
        (self.mib * MIB * RESIDENT_PERCENT).div_ceil(100) + PROCESS + self.intake
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mib, intake } = self;
        let factor = RESIDENT_PERCENT as f64 / 100.0;
        let (process, intake, total) = (PROCESS / MIB, above(*intake), above(self.total()));
        write!(
            f,
            "{factor} x {mib} MiB for entries + {process} MiB for the process + {intake} MiB for \
             large messages = {total} MiB"
        )
    }
}

/// The largest value that the operator asked for; `None`: it follows the memory limit. A
/// wrong one is refused when the memory limit is known, which its text names.
struct Wish(Option<u64>);

impl Wish {
    fn read(value: Given<'_>) -> Self {
        Self(value.value.parse().ok().filter(|value| (1..=LARGEST_VALUE_BYTES).contains(value)))
    }

    fn value_at(&self, mib: u64) -> u64 {
        self.0.unwrap_or_else(|| DEFAULT_MAX_VALUE_BYTES.min(mib * MIB))
    }

    fn need(&self, mib: u64) -> Need {
        Need { mib, intake: intake(mib * MIB, self.value_at(mib)) }
    }

    /// The least memory limit, in MiB, that a value of this size may have.
    fn least(&self) -> u64 {
        self.0.map_or(1, |value| value.div_ceil(MIB))
    }

    /// The largest memory limit, in MiB, with which the process fits into `container`.
    fn fitting(&self, container: u64) -> Option<u64> {
        let fits = |mib| self.need(mib).total() <= container;
        let (mut low, mut high) = (self.least(), MOST);
        if !fits(low) {
            return None;
        }
        // `low` fits, and nothing above `high` does or is allowed.
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if fits(middle) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Some(low)
    }

    /// Below some 890 MiB a share of the container's limit leaves too little for the process
    /// and its messages, so it is lowered to what fits.
    fn auto(&self, container: u64) -> Option<u64> {
        self.fitting(container).map(|fit| fit.min(container / MIB * AUTO_PERCENT / 100))
    }

    fn too_much(&self, mib: u64, container: &MemoryLimit, remedy: &str) -> String {
        let file = container.source.as_ref().map_or(String::new(), |_| format!(" ({container})"));
        let (need, container) = (self.need(mib), below(container.bytes));
        format!("{need} are above the container's memory limit, {container} MiB{file}; {remedy}")
    }

    /// What else than a lower memory limit makes `mib` fit.
    fn remedy(&self, mib: u64) -> String {
        let enough = self.need(mib).total().div_ceil(MIB);
        let smaller = if self.0.is_some() { " or lower CACHE_MAX_VALUE_BYTES" } else { "" };
        format!("raise the container's limit to {enough} MiB{smaller}")
    }
}

/// In MiB with a decimal, rounded up.
fn above(bytes: u64) -> f64 {
    (bytes * 10).div_ceil(MIB) as f64 / 10.0
}

/// In MiB with a decimal, rounded down: a need that is above the limit reads so.
fn below(bytes: u64) -> f64 {
    (bytes.saturating_mul(10) / MIB) as f64 / 10.0
}

#[cfg(test)]
mod tests;

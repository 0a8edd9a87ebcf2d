//! File descriptors that are kept from the gRPC port, so that probes and the log go on when
//! connections take all others.

use rustix::process::{Resource, getrlimit};

/// Most connections of the HTTP port. Probes and scrapes are few.
const MOST_HTTP: u64 = 1024;

/// Fewest of them, however few descriptors there are.
const LEAST_HTTP: u64 = 8;

/// What the process itself opens while it serves: files that it reads, and connections of its own.
const OF_THE_PROCESS: u64 = 16;

/// What the process has open before the first connection, and what each worker's runtime adds.
const AT_START: u64 = 24;
const OF_EACH_WORKER: u64 = 4;

/// How the descriptors are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptors {
    /// How many the process may have; none: as many as it wants.
    limit: Option<u64>,
}

impl Descriptors {
    /// Those of this process, as its limit is now.
    pub(crate) fn of_this_process() -> Self {
        Self { limit: getrlimit(Resource::Nofile).current }
    }

    /// Connections that the HTTP port may have.
    pub(crate) fn http(self) -> usize {
        let http = self.limit.map_or(MOST_HTTP, |limit| (limit / 8).clamp(LEAST_HTTP, MOST_HTTP));
        http as usize
    }

    /// The first number that the gRPC port leaves to others. Systems hand out the lowest number that
    /// is free, so one at or above it says how many are taken.
    pub(crate) fn reserved_from(self) -> u64 {
        let reserve = self.http() as u64 + OF_THE_PROCESS;
        self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(reserve))
    }

    /// A warning where there are fewer than connections may take.
    pub(crate) fn warning(self, connections: usize, workers: usize) -> Option<String> {
        let limit = self.limit?;
        let beside = AT_START + OF_EACH_WORKER * workers as u64;
        let room = self.reserved_from().saturating_sub(beside);
        (connections as u64 > room).then(|| {
            format!(
                "CACHE_MAX_CONNECTIONS={connections} is more than the limit of {limit} file \
                 descriptors has room for, about {room}; raise the limit (ulimit -n, LimitNOFILE) \
                 to {}, or lower CACHE_MAX_CONNECTIONS",
                connections as u64 + beside + MOST_HTTP + OF_THE_PROCESS
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_kept_for_probes_and_the_process() {
        for (limit, http, reserved_from) in [
            (Some(64), 8, 40),
            (Some(256), 32, 208),
            (Some(1024), 128, 880),
            (Some(1 << 20), 1024, (1 << 20) - 1040),
            (None, 1024, u64::MAX),
        ] {
            let descriptors = Descriptors { limit };
            assert_eq!((descriptors.http(), descriptors.reserved_from()), (http, reserved_from));
        }
    }

    #[test]
    fn a_warning_names_both_figures_and_what_is_enough() {
        let few = Descriptors { limit: Some(1024) };
        let text = few.warning(10_000, 2).unwrap();
        assert!(text.starts_with("CACHE_MAX_CONNECTIONS=10000 is more than the limit of 1024 "));
        assert!(text.contains("about 848;") && text.contains(" to 11072, "), "{text}");
        assert_eq!(Descriptors { limit: Some(11_072) }.warning(10_000, 2), None);
        assert_eq!(few.warning(848, 2), None);
        assert_eq!(Descriptors { limit: None }.warning(1_000_000, 2), None);
    }
}

//! The store's clock, the moments on it, and deadlines. It counts the time that the machine is
//! suspended, so a TTL runs on while a laptop sleeps.
//!
//! `std::time::Instant` stands still during a suspend, on Linux and on macOS. Here Linux reads
//! CLOCK_BOOTTIME, and macOS its CLOCK_MONOTONIC, which goes on there. Other systems read their
//! CLOCK_MONOTONIC: whether that counts a suspend is the system's choice. A guest whose
//! hypervisor pauses it does not notice: all its monotonic clocks stand still.
//!
//! The kernel answers from the vDSO, without a system call: 34 ns, where `Instant::now` takes 31
//! (best of 7 million-call loops on a 2-core x86-64 guest).

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::ttl::Ttl;

// Miri, which checks our unsafe code, knows no other clock than the monotonic one.
#[cfg(all(target_os = "linux", not(miri)))]
const COUNTS_SUSPEND: ClockId = ClockId::Boottime;
#[cfg(any(not(target_os = "linux"), miri))]
const COUNTS_SUSPEND: ClockId = ClockId::Monotonic;

/// The monotonic clock that deadlines are measured on. Only the store reads it: the timers that
/// wake the upkeep run on tokio's clock, which stands still during a suspend, so the first sweep
/// comes at most one pause after the resume. Reads compare deadlines and need no sweep.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    start: u64,
    /// Lets a test pass time at once.
    #[cfg(test)]
    ahead: std::sync::Arc<std::sync::atomic::AtomicU64>,
    /// Passes at each reading.
    #[cfg(test)]
    each_look: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            start: nanoseconds(),
            #[cfg(test)]
            ahead: std::sync::Arc::default(),
            #[cfg(test)]
            each_look: std::sync::Arc::default(),
        }
    }

    pub(super) fn now(&self) -> Moment {
        let now = nanoseconds().saturating_sub(self.start);
        #[cfg(test)]
        let now = {
            use std::sync::atomic::Ordering::SeqCst;
            now + self.ahead.fetch_add(self.each_look.load(SeqCst), SeqCst)
        };
        Moment(now)
    }

    #[cfg(test)]
    pub(super) fn pass_at_each_look(&self, span: Duration) {
        self.each_look.store(span.as_nanos() as u64, std::sync::atomic::Ordering::SeqCst);
    }

    #[cfg(test)]
    pub(super) fn advance(&self, by: Duration) {
        self.ahead.fetch_add(by.as_nanos() as u64, std::sync::atomic::Ordering::SeqCst);
    }
}

/// Nanoseconds since a fixed moment in the past: 584 years fit.
fn nanoseconds() -> u64 {
    let now = clock_gettime(COUNTS_SUSPEND);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Nanoseconds since the store was made. Eight bytes where an `Instant` takes sixteen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(u64);

impl Moment {
    pub(super) fn at(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    pub(super) fn nanoseconds(self) -> u64 {
        self.0
    }

    pub(super) fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The moment from which an entry is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(u64);

impl Deadline {
    pub(super) const NEVER: Deadline = Deadline(u64::MAX);

    pub(super) fn after(now: Moment, ttl: Ttl) -> Self {
        match ttl {
            Ttl::Forever => Self::NEVER,
            Ttl::For(span) => {
                let span = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
                Self(now.0.saturating_add(span))
            }
        }
    }

    pub(super) fn passed(self, now: Moment) -> bool {
        now.0 >= self.0
    }

    /// The time to live of what begins then and ends here.
    pub(super) fn ttl_from(self, begin: Moment) -> Ttl {
        self.left(begin).map_or(Ttl::Forever, Ttl::For)
    }

    /// So long before; never, if it never comes.
    #[must_use]
    pub(super) fn earlier(self, by: Duration) -> Self {
        if self == Self::NEVER {
            return self;
        }
        Self(self.0.saturating_sub(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long it is until then; zero when it was. `None`: it never comes.
    pub(super) fn left(self, now: Moment) -> Option<Duration> {
        let left = Duration::from_nanos(self.0.saturating_sub(now.0));
        (self != Self::NEVER).then_some(left)
    }

    /// How long ago this was; zero when it is still to come.
    pub(super) fn lag(self, now: Moment) -> Duration {
        Duration::from_nanos(now.0.saturating_sub(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_gone_from_its_deadline_on() {
        let deadline = Deadline::after(Moment(5), Ttl::For(Duration::from_nanos(10)));
        assert!(!deadline.passed(Moment(14)));
        assert!(deadline.passed(Moment(15)));
        assert!(!Deadline::after(Moment(5), Ttl::Forever).passed(Moment(u64::MAX - 1)));
    }

    /// On `Instant`, which stands still during a suspend, entries outlived their TTL by a
    /// night's sleep. No test can suspend the machine, but a time namespace can have booted a
    /// day before, which moves the clock that counts suspend and leaves the other alone.
    #[cfg(all(target_os = "linux", not(miri)))]
    #[test]
    fn the_clock_is_the_one_that_counts_suspend() {
        use std::{env, process::Command};

        const INSIDE: &str = "TINY_CACHE_TEST_BOOTED_A_DAY_BEFORE";
        const DAY: u64 = 86_400;
        if env::var_os(INSIDE).is_some() {
            let awake = clock_gettime(ClockId::Monotonic).tv_sec as u64;
            let ahead = (nanoseconds() / 1_000_000_000).saturating_sub(awake);
            assert!(ahead >= DAY, "{ahead} s ahead of the clock that stands still");
            return;
        }
        let namespace = |program: &str| {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--time", "--boottime", &DAY.to_string()]);
            command.args(["--fork", program]).env(INSIDE, "1");
            command
        };
        if !namespace("true").status().is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: this system lets nobody make a time namespace");
            return;
        }
        let test = env::current_exe().unwrap();
        let mut inside = namespace(test.to_str().unwrap());
        inside.args(["--exact", "store::clock::tests::the_clock_is_the_one_that_counts_suspend"]);
        let output = inside.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
}

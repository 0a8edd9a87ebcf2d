//! The load tester's own CPU time: where it uses all of its cores, it is what limits the
//! run.

use std::time::Duration;

/// CPU time of this process since its start, user and system, of all threads, ended ones
/// included.
pub fn own_cpu() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).ok()
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, thread};

    use super::*;

    /// A clock of the thread instead of the process would not see the other thread's work.
    #[test]
    fn the_time_of_every_thread_counts() {
        let before = own_cpu().unwrap();
        let worker = thread::spawn(|| {
            let begin = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            let begin = Duration::try_from(begin).unwrap();
            loop {
                black_box((0..10_000).fold(0_u64, |sum, n| black_box(sum ^ n)));
                let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
                let used = Duration::try_from(now).unwrap() - begin;
                if used >= Duration::from_millis(5) {
                    break used;
                }
            }
        });
        let used = worker.join().unwrap();
        assert!(own_cpu().unwrap() - before >= used);
    }
}

//! Waits for what ends a run early: Ctrl-C, the SIGTERM of a scheduler, the SIGHUP of a terminal
//! that is gone, and other signals that would end the process without its report.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code after an interrupt: 128 and the number of SIGINT, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// Signals that people and schedulers send. Each one counts.
const REQUESTS: [Number; 3] = [Number::INT, Number::TERM, Number::QUIT];

/// Other signals that end a process by default, but for those of a crash.
const OTHERS: &[Number] = &[
    Number::HUP,
    Number::USR1,
    Number::USR2,
    Number::ALARM,
    Number::VTALARM,
    Number::PROF,
    Number::IO,
    Number::XCPU,
    #[cfg(target_os = "linux")]
    Number::POWER,
    #[cfg(target_os = "linux")]
    Number::STKFLT,
];

/// Signals without a name. The C library keeps the first ones to itself.
#[cfg(target_os = "linux")]
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;
#[cfg(not(target_os = "linux"))]
const REAL_TIME: [i32; 0] = [];

/// The signals that end a run. One that comes while none is awaited is kept.
pub(crate) struct Interrupt {
    requests: Vec<Signal>,
    /// Each counts once. The kernel sends SIGXCPU every second, timers repeat theirs, and a
    /// lost terminal's SIGHUP comes from the kernel and the shell: counted again, they would
    /// end the process without its report.
    others: Vec<Signal>,
}

impl Interrupt {
    /// Takes the signals over from the system, where it lets them be taken.
    pub(crate) fn listen() -> Self {
        let taken = taken();
        // A write beyond the limit of a file's size is to fail, as on a full disk, and not
        // to end the process: with a handler, it does.
        let _ = signal(SignalKind::from_raw(Number::XFSZ.as_raw()));
        let listen = |number| signal(SignalKind::from_raw(number)).ok();
        let others = OTHERS.iter().map(|number| number.as_raw()).chain(REAL_TIME);
        let free = |number: &i32| taken & (1_u64 << (number - 1)) == 0;
        Self {
            requests: REQUESTS.into_iter().map(Number::as_raw).filter_map(listen).collect(),
            others: others.filter(free).filter_map(listen).collect(),
        }
    }

    /// Waits for the next signal; for ever where signals cannot be listened for, which
    /// leaves the system's own handling in place.
    pub(crate) async fn received(&mut self) {
        poll_fn(|context| self.poll(context)).await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.requests.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
            return Poll::Ready(());
        }
        let came = self.others.iter_mut().position(|of| of.poll_recv(context).is_ready());
        came.map_or(Poll::Pending, |at| {
            // The handler stays, so that further ones do nothing.
            drop(self.others.swap_remove(at));
            Poll::Ready(())
        })
    }
}

/// A bit for each signal that was ignored or handled before, and stays so: nohup has the run
/// outlive its terminal, and a profiler owns its timer's signal. Only Linux shows them;
/// elsewhere nohup's choice is lost.
fn taken() -> u64 {
    #[cfg(target_os = "linux")]
    {
        let status = procfs::process::Process::myself().and_then(|process| process.status());
        status.map_or(0, |status| status.sigign | status.sigcgt)
    }
    #[cfg(not(target_os = "linux"))]
    0
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use rustix::process::{getpid, kill_process};

    use super::*;

    /// The kernel sends SIGXCPU every second beyond the limit: the third one would end the
    /// process without its report.
    #[tokio::test]
    async fn a_limit_of_cpu_time_counts_once_and_each_ctrl_c_counts() {
        let mut interrupt = Interrupt::listen();
        let raise = |number| kill_process(getpid(), number).unwrap();
        raise(Number::XCPU);
        interrupt.received().await;
        for _ in 0..2 {
            // Delivered before SIGINT, so that it would be there with it.
            raise(Number::XCPU);
            raise(Number::INT);
            interrupt.received().await;
            assert!(interrupt.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    }
}

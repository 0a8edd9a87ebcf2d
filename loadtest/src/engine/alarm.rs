//! Wakes a thread at an instant, to some ten microseconds. The runtime's own timer counts
//! in milliseconds, which is more than many a reply takes.

use std::{io, time::Instant};

#[cfg(target_os = "linux")]
mod clock {
    use std::{io, os::fd::OwnedFd, time::Duration};

    use rustix::{
        io::{Errno, read},
        time::{
            Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
            timerfd_settime,
        },
    };
    use tokio::io::unix::AsyncFd;

    /// A timer of the kernel that the runtime waits for beside its sockets.
    pub(super) struct Clock(AsyncFd<OwnedFd>);

    impl Clock {
        #[expect(
            deprecated,
            reason = "sound for a descriptor that is owned; what replaces it is unsafe for all"
        )]
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            Ok(Self(AsyncFd::new(timerfd_create(TimerfdClockId::Monotonic, flags)?)?))
        }

        pub(super) async fn sleep(&self, time: Duration) -> io::Result<()> {
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 }),
            };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
            loop {
                let mut ready = self.0.readable().await?;
                match read(self.0.get_ref(), &mut [0_u8; 8]) {
                    Ok(_) => return Ok(()),
                    Err(Errno::AGAIN) => ready.clear_ready(),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod clock {
    use std::{io, time::Duration};

    /// The runtime's timer, for want of a better one: expect a slip of some milliseconds.
    pub(super) struct Clock;

    impl Clock {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn sleep(&self, time: Duration) -> io::Result<()> {
            tokio::time::sleep(time).await;
            Ok(())
        }
    }
}

/// One thread's alarm.
pub(super) struct Alarm(clock::Clock);

impl Alarm {
    /// Sets up a timer with the runtime of this thread.
    ///
    /// # Errors
    ///
    /// The system gives none.
    pub(super) fn new() -> io::Result<Self> {
        clock::Clock::new().map(Self)
    }

    /// Returns at the instant or soon after, never before.
    pub(super) async fn until(&self, instant: Instant) -> io::Result<()> {
        loop {
            let left = instant.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.0.sleep(left).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn an_alarm_is_never_early_and_can_be_set_again() {
        let alarm = Alarm::new().unwrap();
        for micros in [0, 1, 200, 1500] {
            let instant = Instant::now() + Duration::from_micros(micros);
            alarm.until(instant).await.unwrap();
            assert!(Instant::now() >= instant);
        }
    }
}

//! Serves until a signal or a lost part ends the process.

use std::{io, thread};

use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};
use tracing::{info, warn};

use crate::{
    lifecycle::Lost,
    reload::Reloads,
    server::{Drained, Server, StartError, Telemetry},
    settings::Settings,
};

/// The exit code after a part was lost.
pub const LOST: u8 = 3;

/// Signals that end a process which does not handle them, without a drain. They come from habits
/// of other servers (a new log, a new generation), from limits on CPU time and file sizes, or from
/// a stop signal that was meant for another program. SIGQUIT stays a core dump, which is what it
/// is sent for, and Rust ignores SIGPIPE. SIGHUP has files read again, which does no harm where it
/// comes from a lost terminal.
const IGNORED: &[(&str, rustix::process::Signal)] = {
    use rustix::process::Signal;
    &[
        ("SIGUSR1", Signal::USR1),
        ("SIGUSR2", Signal::USR2),
        ("SIGALRM", Signal::ALARM),
        ("SIGIO", Signal::IO),
        ("SIGVTALRM", Signal::VTALARM),
        ("SIGPROF", Signal::PROF),
        ("SIGXCPU", Signal::XCPU),
        ("SIGXFSZ", Signal::XFSZ),
        #[cfg(target_os = "linux")]
        ("SIGPWR", Signal::POWER),
    ]
};

/// The real-time signals that C libraries on Linux leave to programs. They end a process too,
/// and some systems stop containers by one of them.
#[cfg(target_os = "linux")]
const REAL_TIME: std::ops::RangeInclusive<i32> = 35..=64;

/// Serves until SIGTERM, SIGINT or the loss of a part, drains, and returns the exit code. A
/// signal during the drain cuts it short.
///
/// # Errors
/// [`StartError`] when nothing was started.
pub fn serve(settings: Settings, telemetry: Telemetry) -> Result<u8, StartError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before the ports are open: a peer that sees them may end the server at once.
        let mut signals = Signals::listen()?;
        ignore_signals()?;
        let hangups = signal(SignalKind::hangup())?;
        let server = Server::launch(settings, telemetry)?;
        tokio::spawn(reload_at_each(hangups, server.reloads()));
        let code = tokio::select! {
            first = signals.next() => {
                info!(signal = first.name, "stopping: a signal came");
                0
            }
            _reported = until_lost(&server) => LOST,
        };

        let (done, drained) = oneshot::channel();
        thread::spawn(move || done.send(server.shutdown()));
        tokio::select! {
            drained = drained => {
                match drained {
                    Ok(Drained::Complete) => info!("drained"),
                    Ok(Drained::CutOff) | Err(_) => {
                        warn!("the grace is over; the remaining connections were cut off");
                    }
                }
                Ok(code)
            }
            second = signals.next() => {
                warn!(signal = second.name, "stopping at once: a second signal came");
                Ok(128 + second.number)
            }
        }
    })
}

async fn until_lost(server: &Server) -> Lost {
    match server.until_ready().await {
        Ok(()) => server.lost().await,
        Err(lost) => lost,
    }
}

/// Logs each of the signals that would otherwise end the process, and does no more.
fn ignore_signals() -> io::Result<()> {
    for (name, signal) in IGNORED {
        ignore((*name).to_owned(), signal.as_raw())?;
    }
    #[cfg(target_os = "linux")]
    for number in REAL_TIME {
        ignore(format!("SIGRTMAX-{}", REAL_TIME.end() - number), number)?;
    }
    Ok(())
}

fn ignore(name: String, number: i32) -> io::Result<()> {
    let mut received = signal(SignalKind::from_raw(number))?;
    tokio::spawn(async move {
        while received.recv().await.is_some() {
            log_ignored(&name);
        }
    });
    Ok(())
}

fn log_ignored(signal: &str) {
    warn!(signal, "signal ignored; SIGTERM drains and ends the server");
}

/// Has files read again at each SIGHUP.
async fn reload_at_each(mut hangups: Signal, reloads: Reloads) {
    while hangups.recv().await.is_some() {
        if reloads.ask() {
            info!(signal = "SIGHUP", "reading files again");
        } else {
            log_ignored("SIGHUP");
        }
    }
}

/// The signals that end the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

struct Received {
    name: &'static str,
    number: u8,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.terminate.recv() => Received { name: "SIGTERM", number: 15 },
            _ = self.interrupt.recv() => Received { name: "SIGINT", number: 2 },
        }
    }
}

#[cfg(test)]
mod tests;

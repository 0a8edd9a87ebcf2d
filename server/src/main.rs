//! The server's program: settings, log, server, and the signals that end it.

mod allocator;
mod descriptors;

use std::{io, process::ExitCode, thread};

use tiny_cache_server::{
    Drained, Server, Settings, StartError,
    cli::{Cli, Command},
    healthcheck, logging,
    settings::HealthAddress,
    telemetry::{Configured, Telemetry, Traces},
};
use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};
use tracing::{info, warn};

/// Signals that end a process which does not handle them, without a drain. SIGHUP comes from a
/// lost terminal, others from habits of other servers (a new log, a new generation), from limits
/// on CPU time and file sizes, or from a stop signal that was meant for another program. SIGQUIT
/// stays a core dump, which is what it is sent for, and Rust ignores SIGPIPE.
const IGNORED: &[(&str, rustix::process::Signal)] = {
    use rustix::process::Signal;
    &[
        ("SIGHUP", Signal::HUP),
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

/// A wrong setting, or an address that is taken: the start was refused.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    allocator::init();
    let cli = Cli::read();
    match cli.command {
        Some(Command::Healthcheck) => check_health(),
        None => start(),
    }
}

fn check_health() -> ExitCode {
    let address = match HealthAddress::from_env() {
        Ok(address) => address,
        Err(error) => return fail(REFUSED, &error),
    };
    match healthcheck::run(&address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format_args!("{error:#}")),
    }
}

fn start() -> ExitCode {
    let settings = match Settings::from_env() {
        Ok(settings) => settings,
        Err(error) => return fail(REFUSED, &error),
    };
    let Configured { traces, warnings } = Traces::from_env(settings.trace_keys);
    let (log, last_lines) = logging::init(&settings, &traces).unzip();
    for warning in warnings {
        warn!("{warning}");
    }
    if settings.trace_keys && !traces.on() {
        warn!(
            "CACHE_TRACE_KEYS has no effect: no traces are exported; set an OTEL_ endpoint, or unset it"
        );
    }
    descriptors::raise_limit();
    let ended = serve_until_told(settings, Telemetry { log, traces });
    if let Some(last_lines) = last_lines {
        last_lines.write();
    }
    match ended {
        Ok(code) => code,
        Err(error) => fail(REFUSED, &error),
    }
}

/// Serves until SIGTERM or SIGINT, drains, and returns; a second signal cuts the drain short.
fn serve_until_told(settings: Settings, telemetry: Telemetry) -> Result<ExitCode, StartError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before the ports are open: whoever sees them may end the server at once.
        let mut signals = Signals::listen()?;
        ignore_signals()?;
        let server = Server::start_with(settings, telemetry)?;
        let first = signals.next().await;
        info!(signal = first.name, "told to end");

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
                Ok(ExitCode::SUCCESS)
            }
            second = signals.next() => {
                warn!(signal = second.name, "told again; ending at once");
                Ok(ExitCode::from(128 + second.number))
            }
        }
    })
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
            warn!(signal = name, "signal ignored; SIGTERM drains and ends the server");
        }
    });
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

struct Told {
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

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told { name: "SIGTERM", number: 15 },
            _ = self.interrupt.recv() => Told { name: "SIGINT", number: 2 },
        }
    }
}

#[expect(clippy::print_stderr, reason = "the one line that says why nothing was started")]
fn fail(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("tiny-cache-server: {error}");
    ExitCode::from(code)
}

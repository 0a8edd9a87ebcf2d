//! Replays a trace: builds the parts in the order they depend on each other, waits for
//! the end or for Ctrl-C, and sums up what the parts saw.
//!
//! `trace reader → feed → slots → connections`, and tallies the other way. The trace is
//! read and parsed on a thread of its own. Every replay thread runs a current-thread
//! runtime that owns its connections and its tally for life, so a request touches
//! nothing that another thread writes to, but for the place where the next access is
//! taken from the [`Feed`].

mod feed;
mod live;
mod outcome;
mod progress;
mod tally;
mod values;
mod worker;

use std::{future::Future, io, pin::Pin, process, sync::Arc, time::Instant};

use tokio::{runtime, signal};

use self::{
    feed::{Feed, Reader},
    live::Live,
    outcome::JsonFile,
    progress::Progress,
    worker::Worker,
};
pub use self::{
    outcome::{Outcome, ReplayError, Verdict},
    tally::{Call, CallTally, ErrorTally, Tally},
};
use crate::{
    cli::ReplayArgs,
    report::{Ending, Report, ServerStats, Settings},
    trace::Trace,
    transport::{CallError, Connection, ErrorKind},
};

/// Replays the trace that `args` name, to its end, its first error or Ctrl-C.
///
/// # Errors
///
/// The replay could not begin: the trace or the server is not what it should be.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the settings of a run end with it"
)]
pub fn run(args: Box<ReplayArgs>) -> Result<Outcome, ReplayError> {
    let trace = Trace::open(&args.trace, args.reading())?;
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ReplayError::Runtime)?
        .block_on(async {
            let mut interrupt = Interrupt::listen();
            let stage = tokio::select! {
                stage = Stage::set(&args) => stage?,
                () = interrupt.received() => return Err(ReplayError::Interrupted),
            };
            stage.play(&args, trace, &mut interrupt).await
        })
}

/// Everything that stands ready before the first access is issued.
struct Stage {
    /// Not used for the replay: it asks for the server's figures.
    control: Connection,
    before: Option<ServerStats>,
    feed: Arc<Feed>,
    reader: Reader,
    live: Arc<Live>,
    workers: Vec<Worker>,
    json: Option<JsonFile>,
}

impl Stage {
    async fn set(args: &ReplayArgs) -> Result<Self, ReplayError> {
        let mut control = Connection::open(args.dial()).await?;
        let before = match control.stats().await {
            Ok(stats) => Some(stats.into()),
            // A server without this RPC can be driven all the same.
            Err(CallError {
                kind: ErrorKind::Status(tonic::Code::Unimplemented),
                ..
            }) => None,
            Err(error) => {
                return Err(ReplayError::Unfit {
                    target: args.target.clone(),
                    error,
                });
            }
        };
        let json = args.json.as_deref().map(JsonFile::open).transpose()?;

        let (feed, reader) = Feed::new();
        let feed = Arc::new(feed);
        let shares = worker::shares(args);
        let live = Arc::new(Live::new(shares.len()));
        let mut workers = Vec::with_capacity(shares.len());
        for (lane, share) in shares.into_iter().enumerate() {
            let source = Arc::clone(&feed);
            workers.push(Worker::spawn(
                share,
                args.dial(),
                source,
                (Arc::clone(&live), lane),
            )?);
        }
        for worker in &mut workers {
            worker.connected().await?;
        }
        Ok(Self {
            control,
            before,
            feed,
            reader,
            live,
            workers,
            json,
        })
    }

    /// Lets the trace run. The slots have been waiting for the first access.
    async fn play(
        self,
        args: &ReplayArgs,
        trace: Trace,
        interrupt: &mut Interrupt,
    ) -> Result<Outcome, ReplayError> {
        let Self {
            mut control,
            before,
            feed,
            reader,
            live,
            workers,
            json,
        } = self;
        let settings = Settings::new(args, trace.format());
        let mut progress = Progress::new(args.limit, trace.meter());
        let mut ticks = tokio::time::interval(progress.period());
        ticks.tick().await;

        let started = Instant::now();
        let reading = reader.start(trace, args.limit)?;
        let mut ending = Box::pin(async {
            let mut tally = Tally::default();
            for worker in workers {
                tally.merge(worker.finished().await);
            }
            let duration = started.elapsed();
            (
                tally,
                duration,
                control.stats().await.ok().map(ServerStats::from),
            )
        });

        let mut interrupted = false;
        let (tally, duration, after) = loop {
            tokio::select! {
                end = &mut ending => break end,
                _ = ticks.tick() => progress.show(live.seen()),
                () = interrupt.received() => {
                    progress.clear();
                    if interrupted {
                        process::exit(Verdict::Interrupted.exit_code().into());
                    }
                    interrupted = true;
                    feed.stop();
                    progress.note("interrupted: waiting for the requests under way; Ctrl-C again leaves at once");
                }
            }
        };
        progress.clear();

        let verdict = if interrupted {
            Verdict::Interrupted
        } else {
            // The feed has ended, so the reader has.
            reading
                .outcome()
                .map_or_else(Verdict::TraceBroken, |()| Verdict::of(&tally))
        };
        let ending = Ending::from(&verdict);
        let report = Report::new(settings, ending, &tally, duration).with_server(before, after);
        Ok(Outcome {
            report,
            verdict,
            json,
        })
    }
}

/// Ctrl-C, listened for without a gap: a signal between two waits is not lost.
struct Interrupt {
    signal: Pin<Box<dyn Future<Output = io::Result<()>>>>,
}

impl Interrupt {
    fn listen() -> Self {
        Self {
            signal: Box::pin(signal::ctrl_c()),
        }
    }

    /// Waits for the next Ctrl-C; for ever where signals cannot be listened for, which
    /// leaves the system's own handling in place.
    async fn received(&mut self) {
        let listening = self.signal.as_mut().await;
        self.signal = Box::pin(signal::ctrl_c());
        if listening.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

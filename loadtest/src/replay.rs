//! Replays a trace: builds the parts in the order they depend on each other, waits for
//! the end or for Ctrl-C, and sums up what the parts saw.
//!
//! `trace reader → feed → slots → connections`, and tallies the other way. The trace is
//! read and parsed on a thread of its own. Every replay thread runs a current-thread
//! runtime that owns its connections and its tally for life, so a request touches
//! nothing that another thread writes to, but for the place where the next access is
//! taken from the feed.

mod feed;
mod live;
mod outcome;
mod progress;
mod tally;
mod worker;

use std::{future::Future, pin::pin, process, sync::Arc, time::Instant};

use tiny_cache_client::ErrorKind;
use tokio::runtime;

use self::{
    feed::{Feed, Reader},
    live::Live,
    progress::Progress,
    worker::{Lane, Worker},
};
pub use self::{
    outcome::{Outcome, ReplayError, Verdict},
    tally::{Call, CallTally, ErrorTally, Tally},
};
use crate::{
    cli::ReplayArgs,
    interrupt::Interrupt,
    report::{JsonFile, Report, ServerStats, Settings},
    trace::Trace,
    transport::Link,
};

/// Replays the trace that `args` name, to its end, its first error or Ctrl-C.
///
/// # Errors
///
/// The replay could not begin: the trace or the server is not what it should be.
#[expect(clippy::needless_pass_by_value, reason = "the settings of a run end with it")]
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
    control: Link,
    before: Option<ServerStats>,
    feed: Arc<Feed>,
    reader: Reader,
    live: Live,
    workers: Vec<Worker>,
    json: Option<JsonFile>,
}

impl Stage {
    async fn set(args: &ReplayArgs) -> Result<Self, ReplayError> {
        let dial = args.dial()?;
        let control = Link::open(dial.clone()).await?;
        let before = match control.stats().await {
            Ok(stats) => Some(stats.into()),
            // A server without this RPC can be driven all the same.
            Err(failure) if failure.kind() == ErrorKind::Unimplemented => None,
            Err(failure) => {
                return Err(ReplayError::Unfit { target: args.target.clone(), failure });
            }
        };
        let json = args.json.as_deref().map(JsonFile::open).transpose()?;

        let (feed, reader) = Feed::new();
        let feed = Arc::new(feed);
        let mut live = Live::default();
        let mut workers = Vec::new();
        for share in worker::shares(args) {
            let lane = Lane::new(Arc::clone(&feed), live.add());
            workers.push(Worker::spawn(share, dial.clone(), lane)?);
        }
        for worker in &mut workers {
            worker.connected().await?;
        }
        Ok(Self { control, before, feed, reader, live, workers, json })
    }

    /// Lets the trace run. The slots have been waiting for the first access.
    async fn play(
        self,
        args: &ReplayArgs,
        trace: Trace,
        interrupt: &mut Interrupt,
    ) -> Result<Outcome, ReplayError> {
        let Self { control, before, feed, reader, live, workers, json } = self;
        let settings = Settings::new(args, trace.format());
        let progress = Progress::new(args.limit, trace.meter());

        let started = Instant::now();
        let reading = reader.start(trace, args.limit)?;
        let end = async {
            let mut tally = Tally::default();
            for worker in workers {
                tally.merge(worker.finished().await);
            }
            let duration = started.elapsed();
            let after = control.stats().await.ok().map(ServerStats::from);
            (tally, duration, after)
        };
        let ((tally, duration, after), interrupted) =
            watch(end, &feed, &live, progress, interrupt).await;

        let verdict = if interrupted {
            Verdict::Interrupted
        } else {
            // The feed has ended, so the reader has.
            reading.outcome().map_or_else(Verdict::TraceBroken, |()| Verdict::of(&tally))
        };
        let report = Report::new(settings, &verdict, &tally, duration).with_server(before, after);
        Ok(Outcome { report, verdict, json })
    }
}

/// Shows progress until the end. The first Ctrl-C stops the feed and so brings the end
/// about; a second one does not wait for it. Says whether there was one.
async fn watch<T>(
    end: impl Future<Output = T>,
    feed: &Feed,
    live: &Live,
    mut progress: Progress,
    interrupt: &mut Interrupt,
) -> (T, bool) {
    let mut end = pin!(end);
    let mut ticks = tokio::time::interval(progress.period());
    // The first tick comes at once, when there is nothing to show.
    ticks.tick().await;
    let mut interrupted = false;
    loop {
        tokio::select! {
            end = &mut end => {
                progress.clear();
                return (end, interrupted);
            }
            _ = ticks.tick() => progress.show(live.seen()),
            () = interrupt.received() => {
                progress.clear();
                if interrupted {
                    process::exit(Verdict::Interrupted.exit_code().into());
                }
                interrupted = true;
                feed.stop();
                progress.note(
                    "interrupted: waiting for the requests under way; Ctrl-C again leaves at once",
                );
            }
        }
    }
}

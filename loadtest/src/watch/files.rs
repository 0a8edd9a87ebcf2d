//! The files that get a row for each second. Each has a thread, so that neither a slow disk nor
//! a pipe that nobody reads holds the run up. Up to a minute of seconds waits in memory; later
//! ones are dropped and counted. After a failed write a file is left as it is.

use std::{
    cell::Cell,
    fs::File,
    io,
    path::Path,
    pin::pin,
    sync::{
        Arc,
        mpsc::{self, TrySendError},
    },
    thread,
};

use tokio::sync::oneshot;

use super::{csv, hdr_log, passed::Passed, wanted::Wanted};
use crate::output_file::{OutputError, OutputFile};

/// Seconds that may wait to be written. Each takes some hundred kilobytes.
const WAITING: usize = 60;

/// Writes the seconds that come, to their end.
type Write = fn(&File, &mut dyn Iterator<Item = Passed>) -> io::Result<()>;

/// All files, each with its writer.
pub(super) struct Files(Vec<Writer>);

struct Writer {
    file: Arc<OutputFile>,
    seconds: mpsc::SyncSender<Passed>,
    /// Seconds that found no room.
    dropped: Cell<u64>,
    ended: oneshot::Receiver<Result<(), OutputError>>,
}

impl Files {
    /// Opens the files.
    pub(super) fn open(wanted: &Wanted) -> Result<Self, OutputError> {
        let files: [(_, _, Write); 2] =
            [("--csv", &wanted.csv, csv::write), ("--hdr", &wanted.hdr, hdr_log::write)];
        let writers = files.into_iter().filter_map(|(option, path, write)| {
            path.as_deref().map(|path| Writer::start(option, path, write))
        });
        writers.collect::<Result<_, _>>().map(Self)
    }

    /// Has a second written.
    pub(super) fn second(&self, passed: impl Fn() -> Passed) {
        for writer in &self.0 {
            // A writer that has failed says so at the end.
            if let Err(TrySendError::Full(_)) = writer.seconds.try_send(passed()) {
                writer.dropped.set(writer.dropped.get() + 1);
            }
        }
    }

    /// Waits until all is written, or until `leave` resolves.
    pub(super) async fn finish(
        &mut self,
        leave: impl Future<Output = ()>,
    ) -> Result<(), OutputError> {
        let (mut leave, mut is_left) = (pin!(leave), false);
        let mut results = Vec::new();
        for Writer { file, seconds, dropped, mut ended } in self.0.drain(..) {
            drop(seconds);
            let mut result = None;
            if !is_left {
                tokio::select! {
                    biased;
                    ended = &mut ended => result = Some(ended.expect("a writer does not panic")),
                    () = &mut leave => is_left = true,
                }
            }
            results.push(match (result, dropped.get()) {
                (None, _) => Err(file.error("interrupted before all was written")),
                (Some(Ok(())), 1..) => {
                    let dropped = dropped.get();
                    Err(file.error(format!("{dropped} seconds are missing: writing was too slow")))
                }
                (Some(result), _) => result,
            });
        }
        OutputError::join(results)
    }
}

impl Writer {
    /// Opens or makes the file and starts its thread.
    fn start(option: &'static str, path: &Path, write: Write) -> Result<Self, OutputError> {
        let file = Arc::new(OutputFile::open(option, path)?);
        let (seconds, passed) = mpsc::sync_channel(WAITING);
        let (end, ended) = oneshot::channel();
        let own = Arc::clone(&file);
        let run = move || {
            let mut passed = passed.into_iter().peekable();
            // The content stays until there is a second to replace it with.
            let is_there = passed.peek().is_some();
            let result =
                if is_there { own.replace(|file| write(file, &mut passed)) } else { Ok(()) };
            // Without a run there is no receiver.
            let _ = end.send(result);
        };
        let started = thread::Builder::new().name("files".to_owned()).spawn(run);
        started.map_err(|error| file.error(error))?;
        Ok(Self { file, seconds, dropped: Cell::new(0), ended })
    }
}

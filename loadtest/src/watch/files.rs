//! The files that get a row for each second. A thread of its own writes, so that neither a
//! slow disk nor a pipe that nobody reads holds the run up, or takes its memory: beyond a
//! minute of seconds that wait to be written, new ones are left out and counted. A file that
//! cannot be written any more is left as it is.

use std::{
    cell::Cell,
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    pin::pin,
    sync::mpsc::{self, TrySendError},
    thread,
};

use tokio::sync::oneshot;

use super::{WatchError, csv, hdr_log, passed::Passed};
use crate::cli::OutputArgs;

/// A file that is being written.
pub(super) struct Sink {
    option: &'static str,
    path: PathBuf,
    file: File,
}

/// Seconds that may wait to be written. Each takes some hundred kilobytes.
const WAITING: usize = 60;

/// Writes the seconds that come, to their end.
type Write = fn(File, &mut dyn Iterator<Item = Passed>) -> io::Result<()>;

/// All files, each with its writer.
pub(super) struct Files(Vec<Writer>);

struct Writer {
    option: &'static str,
    path: PathBuf,
    seconds: mpsc::SyncSender<Passed>,
    /// Seconds that found no room.
    left_out: Cell<u64>,
    ended: oneshot::Receiver<Result<(), WatchError>>,
}

impl Files {
    /// Opens the files.
    pub(super) fn open(args: &OutputArgs) -> Result<Self, WatchError> {
        let wanted: [(_, _, Write); 2] =
            [("--csv", &args.csv, csv::write), ("--hdr", &args.hdr, hdr_log::write)];
        let sinks = wanted
            .into_iter()
            .filter_map(|(option, path, write)| path.as_deref().map(|path| (option, path, write)));
        let writers = sinks.map(|(option, path, write)| Sink::open(option, path)?.start(write));
        writers.collect::<Result<_, _>>().map(Self)
    }

    /// Has a second written.
    pub(super) fn second(&self, passed: impl Fn() -> Passed) {
        for writer in &self.0 {
            // A writer that has failed says so at the end.
            if let Err(TrySendError::Full(_)) = writer.seconds.try_send(passed()) {
                writer.left_out.set(writer.left_out.get() + 1);
            }
        }
    }

    /// Waits until all is written, or until somebody wants to leave.
    pub(super) async fn finish(
        &mut self,
        leave: impl Future<Output = ()>,
    ) -> Result<(), WatchError> {
        let (mut leave, mut is_left) = (pin!(leave), false);
        let mut faults = Vec::new();
        for mut writer in self.0.drain(..) {
            drop(writer.seconds);
            if !is_left {
                tokio::select! {
                    biased;
                    ended = &mut writer.ended => {
                        let result = ended.expect("a writer does not panic");
                        let lost = writer.left_out.get();
                        let result = result.and_then(|()| match lost {
                            0 => Ok(()),
                            _ => Err(WatchError::new(
                                writer.option,
                                writer.path.display(),
                                format!("{lost} seconds are missing: writing was too slow"),
                            )),
                        });
                        faults.extend(result.err().into_iter().flat_map(|WatchError(said)| said));
                        continue;
                    }
                    () = &mut leave => is_left = true,
                }
            }
            let WatchError(said) = WatchError::new(
                writer.option,
                writer.path.display(),
                "interrupted before all was written",
            );
            faults.extend(said);
        }
        if faults.is_empty() { Ok(()) } else { Err(WatchError(faults)) }
    }
}

impl Sink {
    /// Opens or makes the file. What is in it stays until there is something to replace it with.
    fn open(option: &'static str, path: &Path) -> Result<Self, WatchError> {
        match OpenOptions::new().write(true).create(true).truncate(false).open(path) {
            Ok(file) => Ok(Self { option, path: path.to_owned(), file }),
            Err(error) => Err(WatchError::new(option, path.display(), error)),
        }
    }

    fn start(self, write: Write) -> Result<Writer, WatchError> {
        let (seconds, passed) = mpsc::sync_channel::<Passed>(WAITING);
        let (end, ended) = oneshot::channel();
        let Self { option, path, file } = self;
        let name = path.clone();
        let run = move || {
            let result = replace(file, write, &mut passed.into_iter())
                .map_err(|error| WatchError::new(option, name.display(), error));
            // Nobody listens where the run did not begin.
            let _ = end.send(result);
        };
        match thread::Builder::new().name("files".to_owned()).spawn(run) {
            Ok(_detached) => Ok(Writer { option, path, seconds, left_out: Cell::new(0), ended }),
            Err(error) => Err(WatchError::new(option, path.display(), error)),
        }
    }
}

/// Writes in the place of what is there, from the first second on.
fn replace(file: File, write: Write, seconds: &mut dyn Iterator<Item = Passed>) -> io::Result<()> {
    let Some(first) = seconds.next() else { return Ok(()) };
    // A pipe or a device cannot be cut, and need not be.
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    write(file, &mut std::iter::once(first).chain(seconds))
}

//! Hands out the accesses of a trace, one at a time and in order, to whichever slot is
//! free. Reading runs ahead on a thread of its own, by a bounded number of accesses.
//!
//! The reader sends whole chunks, so that neither side wakes the other for each access;
//! within a chunk the slots take accesses one by one, under a lock held for the move of
//! one access. That order is the point: it cannot be had without a common place.

use std::{
    io,
    num::NonZeroU64,
    thread::{self, JoinHandle},
    vec,
};

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use crate::{
    access::Access,
    trace::{Spread, Trace, TraceError},
};

/// Accesses in a chunk.
const CHUNK: usize = 256;

/// Chunks between the reader and the slots: with [`CHUNK`], how far reading runs ahead.
const CHUNKS_AHEAD: usize = 16;

/// Where slots take the next access from.
pub struct Feed {
    front: Mutex<vec::IntoIter<Access>>,
    chunks: AsyncMutex<mpsc::Receiver<Vec<Access>>>,
}

impl Feed {
    /// Makes a feed and the reader that will fill it.
    pub fn new() -> (Self, Reader) {
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let feed = Self { front: Mutex::default(), chunks: AsyncMutex::new(receiver) };
        (feed, Reader { chunks: sender })
    }

    /// The next access of the trace; none when the trace has ended. Nothing is lost when the
    /// wait for it is given up.
    pub async fn next(&self) -> Option<Access> {
        loop {
            if let Some(access) = self.front.lock().next() {
                return Some(access);
            }
            let mut chunks = self.chunks.lock().await;
            // Another slot may have brought a chunk while this one waited.
            if self.front.lock().as_slice().is_empty() {
                *self.front.lock() = chunks.recv().await?.into_iter();
            }
        }
    }
}

/// The side of the feed that reads the trace.
pub struct Reader {
    chunks: mpsc::Sender<Vec<Access>>,
}

impl Reader {
    /// Starts to read, up to `limit` accesses; where they are to be sent at their times,
    /// `spread` over the second that they are in.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn start(
        self,
        trace: Trace,
        limit: Option<NonZeroU64>,
        spread: bool,
    ) -> io::Result<JoinHandle<Result<(), TraceError>>> {
        let limit = limit.map_or(usize::MAX, |limit| limit.get().try_into().unwrap_or(usize::MAX));
        let read = move || {
            let tick = trace.tick();
            let trace = trace.take(limit);
            if spread { self.read(Spread::new(trace, tick)) } else { self.read(trace) }
        };
        thread::Builder::new().name("trace-reader".to_owned()).spawn(read)
    }

    fn read(
        self,
        mut trace: impl Iterator<Item = Result<Access, TraceError>>,
    ) -> Result<(), TraceError> {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let mut outcome = Ok(());
            for access in trace.by_ref().take(CHUNK) {
                match access {
                    Ok(access) => chunk.push(access),
                    Err(error) => outcome = Err(error),
                }
            }
            let ended = chunk.len() < CHUNK;
            // A send fails when the slots are gone: the course was stopped.
            if !chunk.is_empty() && self.chunks.blocking_send(chunk).is_err() {
                return Ok(());
            }
            outcome?;
            if ended {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write, fs, path::Path};

    use tiny_cache_client::Ttl;

    use super::*;
    use crate::{
        access::Content,
        trace::{Keys, Reading},
    };

    fn trace(dir: &Path, text: &str) -> Trace {
        let path = dir.join("t.lis");
        fs::write(&path, text).unwrap();
        let fallback = Content { size: "1".parse().unwrap(), ttl: Ttl::NEVER };
        let reading = Reading::new(Keys::new(String::new(), 256), fallback);
        Trace::open(&[path], reading).unwrap()
    }

    fn numbered(lines: usize) -> String {
        (0..lines).fold(String::new(), |mut text, n| {
            writeln!(text, "{n} 1 0 {n}").unwrap();
            text
        })
    }

    async fn drain(feed: &Feed) -> Vec<String> {
        let mut keys = Vec::new();
        while let Some(access) = feed.next().await {
            keys.push(access.key);
        }
        keys
    }

    #[tokio::test]
    async fn accesses_come_in_order_over_many_chunks() {
        let dir = tempfile::tempdir().unwrap();
        let count = CHUNK * CHUNKS_AHEAD * 2 + 3;
        let (feed, reader) = Feed::new();
        let reading = reader.start(trace(dir.path(), &numbered(count)), None, false).unwrap();
        assert_eq!(drain(&feed).await, (0..count).map(|n| n.to_string()).collect::<Vec<_>>());
        assert!(reading.join().unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_limit_ends_the_feed_before_what_is_broken_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let text = numbered(CHUNK) + "broken\n";
        for (limit, whole) in [(CHUNK as u64, true), (CHUNK as u64 + 1, false)] {
            let (feed, reader) = Feed::new();
            let reading =
                reader.start(trace(dir.path(), &text), NonZeroU64::new(limit), false).unwrap();
            assert_eq!(drain(&feed).await.len(), CHUNK);
            assert_eq!(reading.join().unwrap().is_ok(), whole);
        }
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (feed, reader) = Feed::new();
        for _ in 0..3 {
            tokio::select! {
                biased;
                _ = feed.next() => unreachable!("nothing is there yet"),
                () = std::future::ready(()) => {}
            }
        }
        let reading = reader.start(trace(dir.path(), &numbered(3)), None, false).unwrap();
        assert_eq!(drain(&feed).await, ["0", "1", "2"]);
        assert!(reading.join().unwrap().is_ok());
    }
}

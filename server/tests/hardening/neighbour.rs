//! A client that does nothing wrong: a request now and then on a connection of its own, on a thread
//! of its own, timed from the moment at which it was due.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use prost::Message;
use tokio::time::timeout;

use crate::support::{
    frames::{DATA, END_HEADERS, END_STREAM, Frames, HEADERS, Outcome, call_block, frame},
    messages::key,
    wire::framed,
};

/// Time between two requests of a client that has some load.
pub(crate) const BUSY: Duration = Duration::from_millis(1);

/// The same of one that asks whether the server is well. One request is answered before the next,
/// so a shorter time would measure how they queue.
pub(crate) const PROBE: Duration = Duration::from_millis(10);

/// A reply that takes longer counts as lost.
const LOST: Duration = Duration::from_secs(20);

/// How its calls fared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fared {
    /// From the moment at which each was due, in their order of length.
    times: Vec<Duration>,
    /// What became of those that were not answered.
    pub(crate) failures: Vec<String>,
}

impl Fared {
    /// The time that so many in a thousand did not exceed.
    pub(crate) fn at(&self, per_mille: usize) -> Duration {
        let last = self.times.len().saturating_sub(1);
        self.times.get(last * per_mille / 1000).copied().unwrap_or(LOST)
    }

    pub(crate) fn calls(&self) -> usize {
        self.times.len()
    }
}

/// A client at work.
pub(crate) struct Neighbour {
    goes_on: Arc<AtomicBool>,
    thread: JoinHandle<Fared>,
}

impl Neighbour {
    /// Begins to ask for `k`, which must be there, once in each `pace`.
    pub(crate) fn begin(addr: SocketAddr, pace: Duration) -> Self {
        let goes_on = Arc::new(AtomicBool::new(true));
        let asks = goes_on.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(ask(addr, pace, &asks))
        });
        Self { goes_on, thread }
    }

    /// Ends, and tells how its calls fared.
    pub(crate) fn end(self) -> Fared {
        self.goes_on.store(false, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

async fn ask(addr: SocketAddr, pace: Duration, goes_on: &AtomicBool) -> Fared {
    let mut fared = Fared::default();
    let mut frames = Frames::connect(addr).await;
    frames.acknowledge().await;
    let head = call_block("/cache.CacheService/Get");
    let message = framed(false, &key("k").encode_to_vec());
    let began = Instant::now();
    for number in 0.. {
        if !goes_on.load(Ordering::Relaxed) {
            break;
        }
        let due = began + pace * number;
        tokio::time::sleep_until(due.into()).await;
        let stream = 2 * number + 1;
        let request =
            [frame(HEADERS, END_HEADERS, stream, &head), frame(DATA, END_STREAM, stream, &message)];
        frames.send_bytes(&request.concat()).await;
        match timeout(LOST, frames.outcome(stream)).await {
            Ok(Outcome::Answered(Some(_))) => fared.times.push(due.elapsed()),
            other => {
                fared.failures.push(format!("{other:?}"));
                break;
            }
        }
    }
    fared.times.sort_unstable();
    fared
}

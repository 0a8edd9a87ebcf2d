//! What each task does: a mix of all operations, and shared counters among them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use hdrhistogram::Histogram;
use tiny_cache_client::{Client, Result};
use tokio::sync::Semaphore;

use crate::history::{History, parse, value};

/// Counters that all tasks share. Few enough that they get in one another's way.
pub(crate) const COUNTERS: usize = 16;

/// Keys that all tasks read and write beside the counters.
const KEYS: u64 = 1_000;

/// What all tasks share.
#[derive(Debug)]
pub(crate) struct Progress {
    total: usize,
    /// Operations that were begun.
    begun: AtomicUsize,
    /// Operations that are under way.
    pub(crate) under_way: AtomicUsize,
    /// Operations in a part.
    part: usize,
    /// Gets a permit at the end of each part but the last.
    pub(crate) parts: Semaphore,
    lives: AtomicU64,
}

impl Progress {
    /// So many operations, in so many parts.
    pub(crate) fn new(total: usize, parts: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            begun: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            part: total.div_ceil(parts),
            parts: Semaphore::new(0),
            lives: AtomicU64::new(0),
        })
    }

    /// Operations that were begun so far.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed).min(self.total)
    }
}

/// One task, and what it has seen.
pub(crate) struct Task {
    client: Client,
    progress: Arc<Progress>,
    pub(crate) history: History,
    /// Microseconds.
    pub(crate) latencies: Histogram<u64>,
    pub(crate) operations: usize,
    random: u64,
}

impl Task {
    pub(crate) fn new(number: u64, client: Client, progress: Arc<Progress>) -> Self {
        Self {
            client,
            progress,
            history: History::default(),
            latencies: Histogram::new(3).unwrap(),
            operations: 0,
            random: number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        }
    }

    /// Makes operations until all tasks together have made enough.
    ///
    /// # Errors
    ///
    /// The first error that the client gives.
    pub(crate) async fn run(mut self) -> Result<Self> {
        while self.progress.begun() < self.progress.total {
            match self.below(20) {
                0..8 => {
                    let key = self.key();
                    timed(&mut self, async |client| client.get(&key).await).await?;
                }
                8..12 => {
                    let (key, value) = (self.key(), vec![7; self.below(2_000) as usize]);
                    timed(&mut self, async |client| client.set(&key, value).await).await?;
                }
                12 => {
                    let key = self.key();
                    let set = async |client: &Client| client.set_if_absent(&key, "v").await;
                    let _ = timed(&mut self, set).await?;
                }
                13 => {
                    let key = self.key();
                    timed(&mut self, async |client| client.delete(&key).await).await?;
                }
                14..17 => self.count().await?,
                17 => self.batch_write().await?,
                18 => {
                    let keys = self.keys();
                    let got = timed(&mut self, async |client| client.get_many(&keys).await);
                    for value in got.await? {
                        value?;
                    }
                }
                _ => {
                    let keys = self.keys();
                    let gone = timed(&mut self, async |client| client.delete_many(&keys).await);
                    for deleted in gone.await? {
                        deleted?;
                    }
                }
            }
        }
        Ok(self)
    }

    async fn batch_write(&mut self) -> Result<()> {
        let items: Vec<_> = self.keys().into_iter().map(|key| (key, "v")).collect();
        let set = timed(self, async |client| client.set_many(items).await).await?;
        set.into_iter().collect()
    }

    /// Counts one further, unless somebody else is quicker.
    async fn count(&mut self) -> Result<()> {
        let counter = usize::try_from(self.below(COUNTERS as u64)).unwrap();
        let key = format!("counter-{counter}");
        let found = timed(self, async |client| client.get_text(&key).await).await?;
        let Some(found) = found else {
            let life = self.progress.lives.fetch_add(1, Ordering::Relaxed);
            let seed = async |client: &Client| client.set_if_absent(&key, value(life, 0)).await;
            if timed(self, seed).await?.is_stored() {
                self.history.seeds.push((counter, life));
            }
            return Ok(());
        };
        let (life, number) = parse(&found).unwrap();
        let next = value(life, number + 1);
        let swap = async |client: &Client| client.compare_and_set(&key, found, next).await;
        if timed(self, swap).await?.is_stored() {
            self.history.stored.push((counter, life, number + 1));
        }
        Ok(())
    }

    fn key(&mut self) -> String {
        format!("key-{}", self.below(KEYS))
    }

    fn keys(&mut self) -> Vec<String> {
        (0..5).map(|_| self.key()).collect()
    }

    /// xorshift64: the same tasks do the same in every run.
    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }
}

/// Makes one operation, and notes how long it took.
async fn timed<T>(task: &mut Task, operation: impl AsyncFnOnce(&Client) -> Result<T>) -> Result<T> {
    let progress = &task.progress;
    let number = progress.begun.fetch_add(1, Ordering::Relaxed);
    if number > 0 && number.is_multiple_of(progress.part) && number < progress.total {
        progress.parts.add_permits(1);
    }
    progress.under_way.fetch_add(1, Ordering::Relaxed);
    let begin = Instant::now();
    let result = operation(&task.client).await;
    let took = begin.elapsed();
    progress.under_way.fetch_sub(1, Ordering::Relaxed);
    task.latencies.record(u64::try_from(took.as_micros()).unwrap()).unwrap();
    task.operations += 1;
    result
}

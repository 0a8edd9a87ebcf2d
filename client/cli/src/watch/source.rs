//! Samples the server at an interval, whether or not it answers.

use std::{future::IntoFuture, num::NonZeroU64, pin::pin, time::Duration};

use tiny_cache_client::{Client, Result, Stats};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

/// An event of the source.
#[derive(Debug)]
pub(super) enum News {
    /// The result of a sample, and its time.
    Answer { at: Instant, stats: Result<Stats> },
    /// Another interval has passed without an answer.
    Waiting,
}

/// The events of a task that samples the server. A key can interrupt the wait for an event without
/// losing the sample.
pub(super) struct Source {
    news: Receiver<News>,
    task: JoinHandle<()>,
}

impl Source {
    /// Samples every `pause`, with this deadline.
    pub(super) fn start(
        client: Client,
        pause: Duration,
        deadline: Duration,
        count: Option<NonZeroU64>,
    ) -> Self {
        let (tell, news) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            let ask = || client.stats().deadline(deadline).total_deadline(deadline).into_future();
            repeat(ask, pause, count, tell).await;
        });
        Self { news, task }
    }

    /// The next event; none after the last sample.
    pub(super) async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Samples until `count` is reached or the receiver is dropped.
///
/// Two answers are at least half an interval apart: rates over less are noise. A whole interval
/// follows an answer that took longer than that.
async fn repeat<F: Future<Output = Result<Stats>>>(
    ask: impl Fn() -> F,
    pause: Duration,
    count: Option<NonZeroU64>,
    tell: Sender<News>,
) {
    let mut next = Instant::now();
    for _ in 0..count.map_or(u64::MAX, NonZeroU64::get) {
        sleep_until(next).await;
        let asked = Instant::now();
        let mut answer = pin!(ask());
        let stats = loop {
            match timeout(pause, &mut answer).await {
                Ok(stats) => break stats,
                Err(_) if tell.send(News::Waiting).await.is_err() => return,
                Err(_) => {}
            }
        };
        let at = Instant::now();
        next = if at - asked > pause / 2 { at + pause } else { asked + pause };
        if tell.send(News::Answer { at, stats }).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// What is told, with the seconds since the start, where answers take so many seconds.
    async fn told(delays: &[f64]) -> Vec<(f64, &'static str)> {
        let (tell, mut news) = mpsc::channel(1);
        let left = RefCell::new(delays.iter().copied().map(Duration::from_secs_f64));
        let ask = || async {
            let delay = left.borrow_mut().next().expect("a delay for each question");
            tokio::time::sleep(delay).await;
            Ok(Stats::default())
        };
        let (start, count) = (Instant::now(), NonZeroU64::new(delays.len() as u64));
        let mut told = Vec::new();
        let listen = async {
            while let Some(news) = news.recv().await {
                let name = if matches!(news, News::Waiting) { "waiting" } else { "answer" };
                told.push((start.elapsed().as_secs_f64().round(), name));
            }
        };
        tokio::join!(repeat(ask, Duration::from_secs(2), count, tell), listen);
        told
    }

    #[tokio::test(start_paused = true)]
    async fn answers_come_at_the_pace_that_was_asked_for() {
        assert_eq!(
            told(&[0.0, 0.4, 0.0]).await,
            [(0.0, "answer"), (2.0, "answer"), (4.0, "answer")]
        );
    }

    /// The question that had been due during a stall was asked at its end, and a rate was made
    /// of the milliseconds between the two answers.
    #[tokio::test(start_paused = true)]
    async fn after_a_stall_a_whole_interval_passes() {
        let expected = [
            (0.0, "answer"),
            (4.0, "waiting"),
            (6.0, "waiting"),
            (7.0, "answer"),
            (9.0, "answer"),
            (11.0, "answer"),
        ];
        assert_eq!(told(&[0.0, 5.0, 0.0, 0.0]).await, expected);
    }
}

//! What is to be sent, in its order and in as few pipelines as may be.

use std::collections::VecDeque;

use crate::tier::{
    ask::{Write, WriteReply},
    flights::FetchId,
    layout::TierKey,
};

/// Keys of one pipeline.
const MOST_TOGETHER: usize = 128;

#[derive(Debug)]
pub(super) enum Queued {
    Fetch(Vec<FetchId>, Vec<TierKey>),
    Write(TierKey, Write, WriteReply),
}

impl Queued {
    /// A key of it: those of a pipeline are all of one part of the slots.
    pub(super) fn key(&self) -> Option<&TierKey> {
        match self {
            Self::Fetch(_, keys) => keys.first(),
            Self::Write(key, ..) => Some(key),
        }
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Queued>,
    is_cluster: bool,
}

impl Queue {
    pub(super) fn new(is_cluster: bool) -> Self {
        Self { waiting: VecDeque::new(), is_cluster }
    }

    pub(super) fn write(&mut self, key: TierKey, write: Write, reply: WriteReply) {
        self.waiting.push_back(Queued::Write(key, write, reply));
    }

    /// Fetches go in few pipelines: those of a cluster in one for each part of its slots, which is
    /// one primary's, or nearly so.
    pub(super) fn fetch(&mut self, mut fetches: Vec<(FetchId, TierKey)>) {
        if self.is_cluster {
            fetches.sort_by_key(|(_, key)| key.section());
        }
        let together = |(_, a): &(FetchId, TierKey), (_, b): &(FetchId, TierKey)| {
            !self.is_cluster || a.section() == b.section()
        };
        for group in fetches.chunk_by(together).flat_map(|group| group.chunks(MOST_TOGETHER)) {
            let (ids, keys) = group.iter().cloned().unzip();
            self.waiting.push_back(Queued::Fetch(ids, keys));
        }
    }

    /// What is to be sent next.
    pub(super) fn next(&mut self) -> Option<Queued> {
        self.waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tier::layout::Layout;

    fn fetches(count: u64) -> Vec<(FetchId, TierKey)> {
        let key = |n: u64| Layout::name(format!("k{n}").into_bytes());
        (0..count).map(|n| (n, key(n))).collect()
    }

    #[test]
    fn one_server_gets_all_at_once_in_their_order() {
        let mut queue = Queue::new(false);
        queue.fetch(fetches(1000));
        let mut sent = Vec::new();
        while let Some(Queued::Fetch(ids, _)) = queue.next() {
            assert!(ids.len() <= MOST_TOGETHER);
            sent.extend(ids);
        }
        assert!(sent.into_iter().eq(0..1000));
    }

    #[test]
    fn a_pipeline_to_a_cluster_has_keys_of_one_part_of_its_slots() {
        let mut queue = Queue::new(true);
        queue.fetch(fetches(2000));
        let mut sent = 0;
        while let Some(Queued::Fetch(_, keys)) = queue.next() {
            assert!(keys.iter().all(|key| key.section() == keys[0].section()));
            sent += keys.len();
        }
        assert_eq!(sent, 2000);
    }
}

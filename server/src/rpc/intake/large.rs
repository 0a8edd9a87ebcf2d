//! Gathers a large message in blocks. The first is free, as all of a small message is; the
//! others are paid for by the message's share of the budget. So a message that was announced
//! and never sent takes no part in the budget.
//!
//! The blocks are the message's own. Frames of HTTP/2 are slices of the connection's read
//! buffer, and would keep all of it; and tonic reserves the announced length at once.

use std::{
    collections::VecDeque,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::time::Instant;

use super::budget::{IntakeBudget, Share};
use super::pace::{Pace, Verdict};
use crate::transport::STREAM_WINDOW_BYTES;

/// A message up to this size needs no share: HTTP/2 takes as much of any stream.
pub(super) const SMALL: usize = STREAM_WINDOW_BYTES as usize;

/// Bytes that are taken from the budget at a time. Smaller ones would cost more walks through
/// it, larger ones hold more than has arrived.
const BLOCK: usize = 64 << 10;

/// What lies unread at least when HTTP/2's flow control keeps a sender waiting. The rest of
/// its window may have been read and not yet been granted anew: h2 grants halves.
const HELD_BACK: usize = SMALL / 2;

/// A large message on its way in.
#[derive(Debug)]
pub(super) struct Large {
    budget: IntakeBudget,
    /// Taken when the first block is full.
    share: Option<Share>,
    pace: Pace,
    /// What was read and has no block yet: at most one frame.
    in_hand: Bytes,
    /// What came behind the message, which the reader of messages refuses.
    surplus: Bytes,
    blocks: VecDeque<BytesMut>,
    /// Free bytes in the last block.
    room: usize,
    /// Bytes of the message for which there is no block yet.
    unpaid: usize,
    /// Whether it waits for room.
    waiting: bool,
    /// Bytes that were read since it waited, until there was nothing more to read.
    waited: Option<usize>,
}

impl Large {
    /// A message that takes `whole` bytes, its prefix included.
    pub(super) fn new(budget: IntakeBudget, whole: usize) -> Self {
        Self {
            budget,
            share: None,
            pace: Pace::new(Instant::now()),
            in_hand: Bytes::new(),
            surplus: Bytes::new(),
            blocks: VecDeque::new(),
            room: 0,
            unpaid: whole,
            waiting: false,
            waited: None,
        }
    }

    /// Bytes that have not come.
    fn missing(&self) -> usize {
        self.unpaid + self.room - self.in_hand.len()
    }

    /// Takes the next frame, after the last one has found its place.
    pub(super) fn take(&mut self, mut data: Bytes) {
        self.pace.arrived(data.len());
        self.waited = self.waited.map(|read| read + data.len());
        self.surplus = data.split_off(self.missing().min(data.len()));
        self.in_hand = data;
    }

    /// Puts into blocks what is in hand, as far as the budget lets it.
    pub(super) fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.in_hand.is_empty() {
            if self.room == 0 {
                ready!(self.poll_block(cx));
            }
            let part = self.in_hand.len().min(self.room);
            if let Some(block) = self.blocks.back_mut() {
                block.extend_from_slice(&self.in_hand[..part]);
            }
            self.in_hand.advance(part);
            self.room -= part;
        }
        // The frame was a slice of a larger buffer.
        self.in_hand = Bytes::new();
        Poll::Ready(())
    }

    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let bytes = BLOCK.min(self.unpaid);
        if self.blocks.is_empty() {
            // It grows as bytes come: most that stall do so here.
            self.blocks.push_back(BytesMut::new());
        } else {
            let share = self.share.get_or_insert_with(|| {
                self.pace = Pace::new(Instant::now());
                self.budget.enter(self.unpaid)
            });
            let taken = share.poll_take(bytes, cx);
            self.waiting |= taken.is_pending();
            ready!(taken);
            if std::mem::take(&mut self.waiting) {
                self.waited = Some(0);
            }
            self.blocks.push_back(BytesMut::with_capacity(bytes));
        }
        self.unpaid -= bytes;
        self.room = bytes;
        Poll::Ready(())
    }

    /// Judges the message when there is nothing to read; none while it holds nothing of the
    /// budget.
    pub(super) fn look(&mut self, now: Instant) -> Option<Verdict> {
        self.share.as_ref()?;
        // A sender that had not used its window up was not held back, whatever it waited for.
        if self.waited.take().is_some_and(|read| read >= HELD_BACK) {
            self.pace = Pace::new(now);
        }
        Some(self.pace.look(now, self.budget.is_short()))
    }

    /// The next block of a message that is complete.
    pub(super) fn next_block(&mut self) -> Option<Bytes> {
        if self.missing() > 0 { None } else { self.pop() }
    }

    /// The next of what has come.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let block = self.blocks.pop_front().map(BytesMut::freeze);
        block.or_else(|| Some(std::mem::take(&mut self.surplus)).filter(|rest| !rest.is_empty()))
    }
}

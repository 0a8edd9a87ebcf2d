//! How a body is read: its framing, its memory and its time.

use std::collections::VecDeque;

use http_body_util::BodyExt;
use tokio::{task::JoinSet, time::timeout};

use super::*;
use crate::rpc::{
    compression::Coding,
    messages::{Form, Messages},
};

const MIB: usize = 1 << 20;

/// Frames that are there at once, and then nothing more or the end.
struct Frames {
    frames: VecDeque<Bytes>,
    ends: bool,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
        match self.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(Frame::data(frame)))),
            None if self.ends => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ends && self.frames.is_empty()
    }
}

/// A message of `size` bytes, each of them different from its neighbours.
fn message(size: usize) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend((size as u32).to_be_bytes());
    bytes.extend((0..size).map(|place| place as u8));
    bytes
}

fn limits(budget: usize) -> IntakeLimits {
    IntakeLimits { budget: IntakeBudget::new(budget), max_message_bytes: 4 * MIB }
}

/// The body whose frames are `bytes`, cut at every `frame`.
fn body(bytes: &[u8], frame: usize, ends: bool) -> Frames {
    Frames { frames: bytes.chunks(frame).map(Bytes::copy_from_slice).collect(), ends }
}

/// The body as the service gets it.
fn messages(limits: &IntakeLimits, body: Frames) -> Messages<Intake<Frames>> {
    let form = Form { coding: Coding::Identity, max: limits.max_message_bytes, single: true };
    Messages::new(limits.admit(body), form)
}

async fn read(limits: &IntakeLimits, bytes: &[u8], frame: usize) -> Result<Vec<u8>, Status> {
    let collected = messages(limits, body(bytes, frame, true)).collect().await?;
    Ok(collected.to_bytes().to_vec())
}

/// A prefix in two frames was once taken for the largest message, and waited.
#[tokio::test]
async fn a_message_is_the_same_in_whatever_frames_it_comes() {
    let limits = limits(8 * MIB);
    for size in [0, 1, 100, SMALL - 1, SMALL, SMALL + 1, 300_000] {
        let bytes = message(size);
        for frame in [1, 2, 3, 4, 5, 6, 7, 1000, 16 << 10, 400_000] {
            if size / frame < 100_000 {
                let read = read(&limits, &bytes, frame).await.unwrap();
                assert!(read == bytes, "{size} bytes in frames of {frame}");
            }
        }
    }
    assert_eq!(limits.budget.held(), 0);
}

#[tokio::test]
async fn a_small_message_needs_no_room() {
    let limits = limits(8 * MIB);
    let mut others: Vec<_> = (0..4).map(|_| limits.admit(begun(4 * MIB, 3 * MIB))).collect();
    for other in &mut others {
        waits(other).await;
    }
    assert!(limits.budget.is_short());
    for frame in [1, 4, 5, 16 << 10] {
        assert!(read(&limits, &message(1000), frame).await.is_ok());
    }
}

#[tokio::test]
async fn a_body_that_is_not_one_message_is_the_callers_mistake() {
    let limits = limits(8 * MIB);
    for size in [0, 10, 300_000] {
        let whole = message(size);
        let two = [whole.clone(), whole.clone()].concat();
        let cut = &whole[..whole.len() - 1];
        for bytes in [&two[..], cut, &whole[..3], &[]] {
            for frame in [1000, 1 << 20] {
                let status = read(&limits, bytes, frame).await.unwrap_err();
                assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_by_its_prefix() {
    let limits = limits(8 * MIB);
    for frame in [1, 5] {
        let mut body = messages(&limits, body(&message(4 * MIB + 1)[..5], frame, false));
        let status = body.frame().await.unwrap().unwrap_err();
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        assert_eq!(status.message(), "A message of 4194305 bytes is too large (max 4194304)");
    }
    assert!(read(&limits, &message(4 * MIB), 16 << 10).await.is_ok());
}

/// The first `came` bytes of a message.
fn begun(size: usize, came: usize) -> Frames {
    body(&message(size)[..came], 16 << 10, false)
}

async fn waits(body: &mut Intake<Frames>) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *body).poll_frame(cx).is_pending())).await
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_room_is_not_read_on_and_not_blamed() {
    let limits = limits(4 * MIB);
    let mut first = limits.admit(begun(3 * MIB, 2 * SMALL));
    assert!(waits(&mut first).await);
    let mut second = limits.admit(begun(3 * MIB, 3 * MIB));
    let held_back = timeout(Duration::from_secs(60), second.frame()).await;
    assert!(held_back.is_err(), "{held_back:?}");
    assert!(!second.body.frames.is_empty());
    // Its turn comes, and with it the time to send.
    drop(first);
    assert!(waits(&mut second).await);
    assert_eq!(second.body.frames.len(), 0);
    let mut third = limits.admit(begun(3 * MIB, 3 * MIB));
    assert!(waits(&mut third).await);
    let (code, after) = gives_up_after(&mut second).await;
    assert_eq!(code, tonic::Code::Unavailable);
    assert!(after >= pace::GRACE, "{after:?}");
}

#[tokio::test]
async fn a_message_that_was_only_announced_takes_no_part_in_the_budget() {
    let limits = limits(4 * MIB);
    for came in [9, 1000, SMALL] {
        let mut announced = limits.admit(begun(4 * MIB, came));
        assert!(waits(&mut announced).await);
        assert!(read(&limits, &message(4 * MIB), 16 << 10).await.is_ok());
        assert_eq!(limits.budget.held(), 0);
    }
}

/// Many that have sent a little and then stopped had three seconds each, one after the other.
#[tokio::test(start_paused = true)]
async fn messages_that_stopped_while_they_waited_for_room_are_ended_together() {
    let limits = limits(4 * MIB);
    let started = Instant::now();
    let mut stalled = JoinSet::new();
    for _ in 0..20 {
        let mut body = limits.admit(begun(4 * MIB, SMALL + 30_000));
        stalled.spawn(async move { gives_up_after(&mut body).await });
    }
    while let Some(ended) = stalled.join_next().await {
        let (code, after) = ended.unwrap();
        // The last one holds up nobody.
        let alone = stalled.is_empty();
        let expected = if alone { tonic::Code::DeadlineExceeded } else { tonic::Code::Unavailable };
        assert_eq!(code, expected, "{after:?}");
        assert!(alone || started.elapsed() < pace::GRACE * 2, "{:?}", started.elapsed());
    }
}

async fn gives_up_after(body: &mut Intake<Frames>) -> (tonic::Code, Duration) {
    let started = Instant::now();
    loop {
        if let Err(status) = body.frame().await.unwrap() {
            return (status.code(), started.elapsed());
        }
    }
}

/// A sender that stops half-way must not keep what it holds, nor a small one its stream.
#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_arrive_is_given_up() {
    let limits = limits(8 * MIB);
    for came in [3, 10_000, 100_000] {
        let (code, after) = gives_up_after(&mut limits.admit(begun(200_000, came))).await;
        assert_eq!(code, tonic::Code::DeadlineExceeded);
        let late = TIME_TO_ARRIVE + Duration::from_secs(1);
        assert!((TIME_TO_ARRIVE..late).contains(&after), "{after:?}");
    }
    assert_eq!(limits.budget.held(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_stops_while_others_wait_is_ended_soon() {
    let limits = limits(4 * MIB);
    let mut stalled = limits.admit(begun(3 * MIB, MIB));
    assert!(waits(&mut stalled).await);
    let mut waiting = limits.admit(begun(3 * MIB, 3 * MIB));
    assert!(waits(&mut waiting).await);
    let (code, after) = gives_up_after(&mut stalled).await;
    assert_eq!(code, tonic::Code::Unavailable);
    let soon = pace::GRACE + Duration::from_secs(2);
    assert!(after < soon, "{after:?}");
}

//! Connections that are made from seeds, by this engine and by the h2 crate: the same requests,
//! the same replies, the same ends, frame by frame. Where they differ, `made/explained.rs` has to
//! say why.
//!
//! `FRAMES` is how many frames are sent, and `SEED` which connection comes first:
//! `FRAMES=10000000 cargo test --profile checks --workspace --test suite sequences`.

use std::{collections::BTreeMap, env};

use crate::{
    made::{
        explained,
        frames::{Client, is_crowded},
        ours::Ours,
        outcome::Outcome,
        random::Random,
        theirs::Theirs,
    },
    support::WINDOW_UPDATE,
};

/// Frames of one connection.
const FRAMES_EACH: usize = 80;

/// How a connection went.
struct Played {
    frames: Vec<Vec<u8>>,
    /// How many of them were taken without an end, and with what outcome.
    agreed: usize,
    outcome: Outcome,
    /// Where the servers differ, and why, if it is known.
    difference: Option<Result<&'static str, [String; 2]>>,
}

/// Plays one connection, until it is over or the servers differ.
fn play(seed: u64) -> Played {
    let (mut client, mut cuts) = (Client::new(seed), Random::new(!seed));
    let (mut ours, mut theirs) = (Ours::new(seed), Theirs::new(seed));
    let mut played =
        Played { frames: Vec::new(), agreed: 0, outcome: Outcome::default(), difference: None };
    for _ in 0..FRAMES_EACH {
        let frame = client.next();
        let (mut mine, mut other) = (Outcome::default(), Outcome::default());
        for piece in cuts.cut(&frame, 2) {
            mine.extend(ours.take(piece));
            other.extend(theirs.take(piece));
        }
        played.frames.push(frame);
        let frame = played.frames.last().expect("it was just pushed");
        let differs = mine != other;
        if differs {
            let reason = explained::reason(frame, &mine, &other);
            let label = || explained::label(frame, &mine, &other);
            let story = || format!("SEED={seed}: {}", tell(&played.frames, &mine, &other));
            played.difference = Some(reason.ok_or_else(|| [label(), story()]));
        }
        if let Some(reason) = explained::ends_comparison(frame).filter(|_| !differs) {
            played.difference = Some(Ok(reason));
        }
        if played.difference.is_some() || mine.over {
            break;
        }
        played.outcome.extend(mine);
        played.agreed += 1;
    }
    played
}

fn tell(frames: &[Vec<u8>], ours: &Outcome, theirs: &Outcome) -> String {
    let list: Vec<String> = frames
        .iter()
        .map(|frame| match frame.first_chunk::<9>() {
            Some([_, _, _, kind, flags, stream @ ..]) => {
                let (stream, shown) = (hex::encode(stream), &frame[9..frame.len().min(80)]);
                let (length, shown) = (frame.len() - 9, hex::encode(shown));
                format!("kind {kind} flags {flags:#x} stream {stream} length {length}: {shown}")
            }
            _ => hex::encode(frame),
        })
        .collect();
    format!("\n{}\nours:   {ours:?}\ntheirs: {theirs:?}", list.join("\n"))
}

/// The same bytes, cut anywhere, bring this engine to the same outcome. What ends a connection is
/// left out: whether it does may depend on whether a stream had ended, as below.
fn check_cuts(seed: u64, played: &Played) {
    let bytes = played.frames[..played.agreed].concat();
    let (mut cuts, mut ours) = (Random::new(seed ^ 1), Ours::new(seed));
    let mut outcome = Outcome::default();
    let most = cuts.pick(&[0, 1, 20, 500]);
    for piece in cuts.cut(&bytes, most) {
        outcome.extend(ours.take(piece));
    }
    let (cut, whole) = (decided(outcome), decided(played.outcome.clone()));
    assert!(cut == whole, "SEED={seed}, cut elsewhere: {}", tell(&played.frames, &cut, &whole));
}

/// Whether a frame lets a window of a stream grow by half of its limit or more.
fn grants_all(frame: &[u8]) -> bool {
    frame.len() == 13 && frame[3] == WINDOW_UPDATE && frame[5..9] != [0; 4] && frame[9] & 0x40 != 0
}

/// What does not depend on when replies could be sent: those that wait while a window shrinks are
/// not sent, and their streams are open longer.
fn decided(mut outcome: Outcome) -> Outcome {
    outcome.streams.clear();
    outcome
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| value.parse().expect("a number"))
}

#[test]
fn made_connections_go_as_with_h2() {
    let wanted = number("FRAMES").unwrap_or(30_000);
    let first = number("SEED").unwrap_or(1);
    let (mut frames, mut connections) = (0, 0);
    let (mut differences, mut unexplained) = (BTreeMap::new(), BTreeMap::new());
    for seed in first.. {
        let played = play(seed);
        // Where many requests wait, or a window is near its limit, it matters whether a reply was
        // sent before the next frame came.
        if !is_crowded(seed) && !played.frames.iter().any(|frame| grants_all(frame)) {
            check_cuts(seed, &played);
        }
        connections += 1;
        frames += played.frames.len() as u64;
        match played.difference {
            Some(Ok(reason)) => *differences.entry(reason).or_insert(0) += 1,
            Some(Err([label, story])) => drop(unexplained.entry(label).or_insert(story)),
            None => {}
        }
        if frames >= wanted {
            break;
        }
    }
    println!("{frames} frames on {connections} connections");
    for (reason, count) in &differences {
        println!("{count:>9}  {reason}");
    }
    let stories: Vec<_> =
        unexplained.into_iter().flat_map(|(label, story)| [label, story]).collect();
    assert!(stories.is_empty(), "{}", stories.join("\n"));
}

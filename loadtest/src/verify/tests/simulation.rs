//! Random schedules of operations that overlap, some of them lost, over a cache that is
//! linearizable and is never blamed, and over caches that are not and are. All times are made
//! up; the same seed gives the same run.

mod cache; // what is judged
mod oracle; // what the judgement must be

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use self::{
    cache::{Bug, Cache, Place},
    oracle::Oracle,
};
use super::{
    super::{Expected, Findings, Stamp},
    *,
};

const NAMESPACES: [&str; 2] = ["", "team"];
/// Schedules for each bug.
const SCHEDULES: u64 = 30;

const KEYS: [&str; 2] = ["a", "b"];

/// What an operation does.
#[derive(Clone, Copy)]
enum Call {
    Get,
    Set,
    SetIfAbsent,
    CompareAndSet,
    Delete,
    Evict,
}

/// One operation of a schedule.
struct Plan {
    call: Call,
    place: Place,
    /// Whether the reply comes.
    answered: bool,
    ttl: i32,
}

/// What happens to an operation, in this order. One that is lost may take effect after its
/// end.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Step {
    Begin,
    Effect,
    End,
}

/// An operation that has begun.
enum Pending {
    Read(Begun<'static>, Duration, Option<Bytes>),
    Write(Box<Written>),
    Delete(Option<Begun<'static>>, Duration),
}

/// A write of some kind.
struct Written {
    /// None once it has ended.
    pending: Option<PendingWrite<'static>>,
    expected: Option<Expected<'static>>,
    stored: bool,
    stamp: Stamp,
    value: Bytes,
    began: Duration,
}

/// Everything that takes part.
struct World {
    ledger: Ledger,
    cache: Cache,
    oracles: HashMap<Place, Oracle>,
    pending: HashMap<usize, Pending>,
    findings: Findings,
}

fn name((namespace, key): Place) -> Name<'static> {
    Name::new(NAMESPACES[namespace], KEYS[key])
}

/// Microseconds from one operation to the next, on average: all at once, some at once, one
/// after the other.
const GAPS: [u64; 3] = [2_000, 50_000, 800_000];

/// Makes a schedule: the operations, and their steps in order.
fn schedule(
    operations: usize,
    gaps: &[u64],
    rng: &mut Pcg64Mcg,
) -> (Vec<Plan>, Vec<(Duration, Step, usize)>) {
    let micros = Duration::from_micros;
    let gap = gaps[rng.random_range(0..gaps.len())];
    let (mut plans, mut steps) = (Vec::new(), Vec::new());
    let mut now = Duration::ZERO;
    for index in 0..operations {
        now += micros(rng.random_range(1..2 * gap));
        let longest = if rng.random_bool(0.05) { 3_000_000 } else { 300_000 };
        let end = now + micros(rng.random_range(2..longest));
        let answered = rng.random_bool(0.85);
        // A few of the lost ones come to nothing.
        let effect = if answered {
            Some(now + micros(rng.random_range(0..=(end - now).as_micros() as u64)))
        } else {
            rng.random_bool(0.8).then(|| now + micros(rng.random_range(0..3 * longest)))
        };
        steps.push((now, Step::Begin, index));
        steps.extend(effect.map(|instant| (instant, Step::Effect, index)));
        steps.push((end, Step::End, index));
        let call = match rng.random_range(0..100) {
            0..45 => Call::Get,
            45..65 => Call::Set,
            65..75 => Call::SetIfAbsent,
            75..85 => Call::CompareAndSet,
            85..93 => Call::Delete,
            _ => Call::Evict,
        };
        let place = (rng.random_range(0..NAMESPACES.len()), rng.random_range(0..KEYS.len()));
        let ttl = if rng.random_bool(0.5) { 0 } else { rng.random_range(1..4) };
        plans.push(Plan { call, place, answered, ttl });
    }
    steps.sort_unstable();
    (plans, steps)
}

/// Runs a schedule and compares each judgement with the oracle's.
fn run(seed: u64, operations: usize, bug: Option<Bug>) -> Findings {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    // Where all is at once, hardly anything is certain.
    let gaps = if bug.is_some() { &GAPS[1..] } else { &GAPS };
    let (plans, steps) = schedule(operations, gaps, &mut rng);
    let mut cache = Cache::new(bug, Pcg64Mcg::seed_from_u64(seed + 1));
    // Somebody was here before.
    let before = Ledger::new(RUN + 1);
    for place in [(0, 0), (1, 1)] {
        let left = before.begin_write(name(place), SIZE, 0, Duration::ZERO);
        cache.set(place, &left.value, 0, Duration::ZERO);
    }
    let mut world = World {
        ledger: Ledger::new(RUN),
        cache,
        oracles: HashMap::new(),
        pending: HashMap::new(),
        findings: Findings::default(),
    };
    for (now, step, index) in steps {
        let plan = &plans[index];
        match step {
            Step::Begin => world.begin(index, plan, now),
            Step::Effect => world.effect(index, plan, now),
            Step::End => world.end(index, plan, now),
        }
    }
    world.findings
}

impl World {
    fn begin(&mut self, index: usize, plan: &Plan, now: Duration) {
        let (name, ledger) = (name(plan.place), &self.ledger);
        let pending = match plan.call {
            Call::Evict => return,
            Call::Get => Pending::Read(Begun::new(name, now), now, None),
            Call::Delete => Pending::Delete(Some(Begun::new(name, now)), now),
            Call::Set | Call::SetIfAbsent | Call::CompareAndSet => {
                let expected = match plan.call {
                    Call::CompareAndSet => ledger.expected(name),
                    _ => None,
                };
                let pending = match &expected {
                    Some(expected) => ledger.begin_swap(expected, SIZE, plan.ttl, now),
                    None => ledger.begin_write(name, SIZE, plan.ttl, now),
                };
                let (stamp, value) = (pending.stamp, pending.value.clone());
                self.oracles.entry(plan.place).or_default().begun(stamp.version, plan.ttl);
                let (pending, stored) = (Some(pending), true);
                let began = now;
                let written = Written { pending, expected, stored, stamp, value, began };
                Pending::Write(Box::new(written))
            }
        };
        self.pending.insert(index, pending);
    }

    fn effect(&mut self, index: usize, plan: &Plan, now: Duration) {
        let (place, ttl, cache) = (plan.place, plan.ttl, &mut self.cache);
        match self.pending.get_mut(&index) {
            None => cache.evict(place),
            Some(Pending::Read(_, _, value)) => *value = cache.get(place, now),
            Some(Pending::Delete(..)) => cache.delete(place),
            Some(Pending::Write(written)) => {
                let value = &written.value;
                written.stored = match (plan.call, &written.expected) {
                    (Call::SetIfAbsent, _) => cache.set_if_absent(place, value, ttl, now),
                    (_, Some(expected)) => cache.swap(place, (&expected.value, value), ttl, now),
                    (_, None) => {
                        cache.set(place, value, ttl, now);
                        true
                    }
                };
            }
        }
    }

    fn end(&mut self, index: usize, plan: &Plan, now: Duration) {
        // Lost operations stay: they may take effect yet.
        if !plan.answered {
            match self.pending.get_mut(&index) {
                Some(Pending::Write(written)) => {
                    let pending = written.pending.take().expect("it ends once");
                    self.ledger.end_write(pending, Fate::Unknown, now).unwrap();
                }
                Some(Pending::Delete(pending, _)) => {
                    let pending = pending.take().expect("it ends once");
                    self.ledger.end_delete(pending, Fate::Unknown, now);
                }
                Some(Pending::Read(..)) | None => {}
            }
            return;
        }
        let oracle = self.oracles.entry(plan.place).or_default();
        match self.pending.remove(&index) {
            None => {}
            Some(Pending::Delete(pending, began)) => {
                self.ledger.end_delete(pending.expect("it ends once"), Fate::Done, now);
                oracle.deleted(began, now);
            }
            Some(Pending::Write(written)) => {
                let Written { pending, expected, stored, stamp, began, .. } = *written;
                let outcome = if stored { Fate::Done } else { Fate::NotDone };
                let pending = pending.expect("it ends once");
                let said = self.ledger.end_write(pending, outcome, now);
                let version = stamp.version;
                let expected = expected.map(|it| Stamp::read(&it.value).unwrap().version);
                // What is long gone may be let through.
                let forgotten = oracle.may_be_forgotten(expected.unwrap_or(version), now);
                let right = match (stored, expected) {
                    (false, _) => oracle.refused(version),
                    (true, Some(expected)) => oracle.swapped((expected, version), began, now),
                    (true, None) => {
                        oracle.stored(version, began, now);
                        Ok(())
                    }
                };
                let said_kind = said.as_ref().copied().map_err(|it| it.kind);
                assert!(said_kind == right || forgotten && said.is_ok(), "{said:?} {right:?}");
                self.findings.wrote(said);
            }
            Some(Pending::Read(pending, began, value)) => {
                let verdict = self.ledger.judge(pending, value.as_deref(), now);
                oracle.compare(&verdict, value.as_deref(), (began, now));
                self.findings.read(verdict);
            }
        }
    }
}

impl Oracle {
    /// Checks that a verdict is right.
    fn compare(&mut self, verdict: &Judged, value: Option<&[u8]>, time: (Duration, Duration)) {
        let (began, now) = time;
        let Some(value) = value else {
            self.missed(began, now);
            return assert!(matches!(verdict, Ok(Allowed::Miss)));
        };
        let kind = match verdict {
            Ok(_) => Ok(()),
            Err(violation) => Err(violation.kind),
        };
        let misplaced = [Err(Kind::Damaged), Err(Kind::WrongKey), Err(Kind::WrongNamespace)];
        if misplaced.contains(&kind) {
            return; // Only a bug makes such a value: the test of the bug asks for it.
        }
        let Ok(stamp) = Stamp::read(value) else {
            return assert!(matches!(verdict, Ok(Allowed::Foreign)), "{verdict:?}");
        };
        if stamp.run != RUN {
            return assert_eq!(kind, self.foreign(began), "{verdict:?}");
        }
        let forgotten = self.may_be_forgotten(stamp.version, now);
        if let Ok(Allowed::Unchecked) = verdict {
            return assert!(forgotten, "{stamp:?}");
        }
        let right = self.read(stamp.version, began, now);
        // What was refused and forgotten is told from what was replaced no more.
        let same = kind.is_err() && right == Err(Kind::NeverWritten) && forgotten;
        assert!(same || kind == right, "{verdict:?} {right:?}");
    }
}

#[test]
fn a_linearizable_cache_is_never_blamed() {
    let mut all = Findings::default();
    for seed in 0..2000 {
        let findings = run(seed, 50, None);
        assert!(findings.is_clean(), "seed {seed}: {findings:?}");
        all.merge(findings);
    }
    // And it was looked at: about one read in a hundred goes unchecked, since they are long.
    let Findings { hits, misses, foreign, unchecked, .. } = all;
    assert!(hits > 5000 && misses > 5000 && foreign > 500, "{all:?}");
    assert!(unchecked > 0 && unchecked * 20 < hits, "{all:?}");
}

/// Runs schedules over a cache with a bug. The kind is found in a good part of them, and no kind but
/// it and the others.
fn caught(bug: Bug, kind: Kind, others: &[Kind]) {
    let mut found = 0;
    for seed in 0..SCHEDULES {
        let findings = run(seed, 300, Some(bug));
        found += u64::from(findings.violations.contains_key(&kind));
        for found in findings.violations.keys() {
            assert!(*found == kind || others.contains(found), "{bug:?}, seed {seed}: {found:?}");
        }
    }
    assert!(found > SCHEDULES / 3, "{bug:?} was noticed in {found} of {SCHEDULES} schedules");
}

#[test]
fn a_cache_that_returns_former_values_is_caught() {
    caught(Bug::ReturnsFormer, Kind::Stale, &[Kind::Foreign, Kind::Expired]);
}

#[test]
fn a_cache_that_mixes_up_keys_or_namespaces_is_caught() {
    caught(Bug::ReturnsOtherKey, Kind::WrongKey, &[]);
    caught(Bug::ReturnsOtherNamespace, Kind::WrongNamespace, &[]);
}

#[test]
fn a_cache_that_flips_bits_or_tears_values_is_caught() {
    caught(Bug::FlipsBit, Kind::Damaged, &[]);
    caught(Bug::TearsInTwo, Kind::Damaged, &[]);
}

#[test]
fn a_cache_that_keeps_what_was_deleted_is_caught() {
    caught(Bug::KeepsDeleted, Kind::Stale, &[Kind::Foreign, Kind::LostUpdate]);
}

#[test]
fn a_cache_that_keeps_what_has_expired_is_caught() {
    caught(Bug::KeepsExpired, Kind::Expired, &[]);
}

#[test]
fn a_cache_that_stores_what_it_refuses_is_caught() {
    caught(Bug::StoresRefused, Kind::NeverWritten, &[Kind::Stale]);
}

#[test]
fn a_cache_that_swaps_without_comparing_is_caught() {
    caught(Bug::SwapsBlindly, Kind::LostUpdate, &[Kind::Expired]);
}

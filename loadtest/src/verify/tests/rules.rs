//! What is allowed and what is not, case by case.

use bytes::Bytes;
use strum::VariantArray;

use super::{
    super::{
        Findings, Stamp,
        history::{KEPT_FOR, MOST_VERSIONS},
    },
    *,
};

/// One key and the clock of one lane: operations take the seconds that are given.
struct Key {
    ledger: Ledger,
    name: Name<'static>,
}

impl Key {
    fn new() -> Self {
        Self { ledger: Ledger::new(RUN), name: Name::new("team", "key") }
    }

    fn begin(&self, seconds: u64) -> PendingWrite<'static> {
        self.ledger.begin_write(self.name, SIZE, 0, at(seconds))
    }

    /// A write from `began` to `ended`, with its value.
    fn write(&self, began: u64, ended: u64, outcome: Fate) -> Bytes {
        let pending = self.begin(began);
        let value = pending.value.clone();
        self.ledger.end_write(pending, outcome, at(ended)).unwrap();
        value
    }

    fn delete(&self, began: u64, ended: u64, outcome: Fate) {
        let pending = Begun::new(self.name, at(began));
        self.ledger.end_delete(pending, outcome, at(ended));
    }

    /// A read from `began` to `ended`.
    fn read(&self, began: u64, ended: u64, value: &[u8]) -> Result<Allowed, Kind> {
        in_short(self.judge(began, ended, Some(value)))
    }

    fn miss(&self, began: u64, ended: u64) {
        assert_eq!(in_short(self.judge(began, ended, None)), Ok(Allowed::Miss));
    }

    fn judge(&self, began: u64, ended: u64, value: Option<&[u8]>) -> Judged {
        let pending = Begun::new(self.name, at(began));
        self.ledger.judge(pending, value, at(ended))
    }

    /// A compare-and-set of what is current, not yet answered.
    fn begin_swap(&self, seconds: u64) -> PendingWrite<'static> {
        let expected = self.ledger.expected(self.name).unwrap();
        self.ledger.begin_swap(&expected, SIZE, 0, at(seconds))
    }
}

#[test]
fn what_was_written_is_read() {
    let key = Key::new();
    let value = key.write(1, 2, Fate::Done);
    assert_eq!(key.read(3, 4, &value), Ok(Allowed::Hit));
}

#[test]
fn a_miss_is_always_allowed() {
    let key = Key::new();
    key.miss(0, 1);
    key.write(1, 2, Fate::Done);
    key.miss(3, 4);
}

#[test]
fn a_write_may_be_read_before_it_is_acknowledged() {
    let key = Key::new();
    let pending = key.begin(1);
    assert_eq!(key.read(1, 2, &pending.value), Ok(Allowed::Hit));
}

#[test]
fn a_damaged_value_is_noticed_with_what_is_wrong() {
    let key = Key::new();
    let mut value = key.write(1, 2, Fate::Done).to_vec();
    value[70] ^= 1;
    let violation = key.judge(3, 4, Some(&value)).unwrap_err();
    assert_eq!(violation.kind, Kind::Damaged);
    let text = violation.to_string();
    let told = [
        "damaged: key \"key\" of namespace \"team\", asked from 3s to 4s: 100 bytes; checksum",
        "bytes from 68 on",
    ];
    assert!(told.iter().all(|part| text.contains(part)), "{text}");
    assert_eq!(key.read(3, 4, &value[..99]), Err(Kind::Damaged));
}

#[test]
fn a_value_of_another_key_or_namespace_is_noticed() {
    let key = Key::new();
    for (name, kind) in [
        (Name::new("team", "yek"), Kind::WrongKey),
        (Name::new("", "key"), Kind::WrongNamespace),
        (Name::new("other", "yek"), Kind::WrongNamespace),
    ] {
        let pending = key.ledger.begin_write(name, SIZE, 0, at(1));
        assert_eq!(key.read(1, 2, &pending.value), Err(kind), "{name:?}");
    }
}

#[test]
fn a_version_that_was_never_begun_is_noticed() {
    let key = Key::new();
    let made_up = |version| Stamp { version, ..key.begin(1).stamp }.write(SIZE);
    for version in [0, 1000, u64::MAX] {
        assert_eq!(key.read(1, 2, &made_up(version)), Err(Kind::NeverWritten));
    }
    let unknown = Key::new();
    assert_eq!(unknown.read(1, 2, &made_up(1)), Err(Kind::NeverWritten));
}

#[test]
fn a_refused_write_is_not_to_be_read_at_any_time() {
    let key = Key::new();
    let refused = key.write(1, 2, Fate::NotDone);
    assert_eq!(key.read(1, 3, &refused), Err(Kind::NeverWritten));
    assert_eq!(key.read(3, 4, &refused), Err(Kind::NeverWritten));
}

#[test]
fn a_write_is_not_to_be_refused_after_it_was_read() {
    let key = Key::new();
    let pending = key.begin(1);
    assert_eq!(key.read(1, 2, &pending.value), Ok(Allowed::Hit));
    let violation = key.ledger.end_write(pending, Fate::NotDone, at(3)).unwrap_err();
    assert_eq!(violation.kind, Kind::NeverWritten);
    assert!(violation.to_string().ends_with("the write was refused, and its value read by 2s"));
}

#[test]
fn a_read_after_a_later_write_is_stale_and_tells_of_that_write() {
    let key = Key::new();
    let old = key.write(1, 2, Fate::Done);
    key.write(3, 4, Fate::Done);
    let violation = key.judge(5, 6, Some(&old)).unwrap_err();
    assert_eq!(violation.kind, Kind::Stale);
    let found = violation.found.unwrap();
    assert_eq!((found.version, found.written), (1, at(1).into()));
    let text = violation.to_string();
    assert!(text.ends_with("; contradicts a write of version 2 from 3s to 4s"), "{text}");
}

#[test]
fn a_read_that_overlaps_the_later_write_may_return_either() {
    let key = Key::new();
    let old = key.write(1, 2, Fate::Done);
    let new = key.write(4, 6, Fate::Done);
    // From before the write to after it, and from within it to after it.
    for began in [3, 5] {
        assert_eq!(key.read(began, 7, &old), Ok(Allowed::Hit));
        assert_eq!(key.read(began, 7, &new), Ok(Allowed::Hit));
    }
}

#[test]
fn of_two_writes_at_once_either_may_be_the_last() {
    let key = Key::new();
    let one = key.write(1, 3, Fate::Done);
    let other = key.write(2, 4, Fate::Done);
    assert_eq!(key.read(5, 6, &one), Ok(Allowed::Hit));
    // And now that this is settled, only that one.
    assert_eq!(key.read(7, 8, &other), Err(Kind::Stale));
}

#[test]
fn reads_are_not_to_go_back() {
    let key = Key::new();
    let (one, other) = (key.begin(1), key.begin(1));
    assert_eq!(key.read(2, 3, &one.value), Ok(Allowed::Hit));
    assert_eq!(key.read(4, 5, &other.value), Ok(Allowed::Hit));
    assert_eq!(key.read(6, 7, &one.value), Err(Kind::Stale));
    // Neither write has been answered until here.
    key.ledger.end_write(one, Fate::Unknown, at(8)).unwrap();
    key.ledger.end_write(other, Fate::Done, at(8)).unwrap();
}

#[test]
fn a_deleted_value_is_stale_and_so_is_one_that_was_missed() {
    let key = Key::new();
    let value = key.write(1, 2, Fate::Done);
    key.delete(3, 5, Fate::Done);
    assert_eq!(key.read(4, 6, &value), Ok(Allowed::Hit));
    assert_eq!(key.read(6, 7, &value), Err(Kind::Stale));

    let key = Key::new();
    let value = key.write(1, 2, Fate::Done);
    key.miss(3, 4);
    let violation = key.judge(5, 6, Some(&value)).unwrap_err();
    assert!(violation.to_string().ends_with("contradicts a miss from 3s to 4s"), "{violation}");
}

#[test]
fn what_has_an_unknown_outcome_makes_nothing_stale_and_is_never_stale_unseen() {
    let key = Key::new();
    let old = key.write(1, 2, Fate::Done);
    let unknown = key.write(3, 4, Fate::Unknown);
    key.delete(3, 4, Fate::Unknown);
    assert_eq!(key.read(5, 6, &old), Ok(Allowed::Hit));
    let new = key.write(7, 8, Fate::Done);
    // It took effect only now.
    assert_eq!(key.read(9, 10, &unknown), Ok(Allowed::Hit));
    // But then the newer one is gone, and an acknowledged write ends it too.
    assert_eq!(key.read(11, 12, &new), Err(Kind::Stale));
    key.write(13, 14, Fate::Done);
    assert_eq!(key.read(15, 16, &unknown), Err(Kind::Stale));
}

#[test]
fn a_value_is_expired_after_its_ttl_and_grace_from_the_acknowledgement() {
    let key = Key::new();
    let pending = key.ledger.begin_write(key.name, SIZE, 2, at(1));
    let value = pending.value.clone();
    // Its time may not have begun.
    assert_eq!(key.read(20, 21, &value), Ok(Allowed::Hit));
    key.ledger.end_write(pending, Fate::Done, at(22)).unwrap();
    // Known since 21: two seconds, one of grace, two thousandths of it.
    assert_eq!(key.read(24, 25, &value), Ok(Allowed::Hit));
    assert_eq!(key.read(25, 26, &value), Err(Kind::Expired));

    let forever = key.write(30, 31, Fate::Done);
    assert_eq!(key.read(1_000_000, 1_000_001, &forever), Ok(Allowed::Hit));
}

#[test]
fn the_grace_grows_with_the_ttl() {
    let day = 86_400;
    let key = Key::new();
    let pending = key.ledger.begin_write(key.name, SIZE, day as i32, at(0));
    let value = pending.value.clone();
    key.ledger.end_write(pending, Fate::Done, at(1)).unwrap();
    assert_eq!(key.read(1 + day + 87, 1 + day + 88, &value), Ok(Allowed::Hit));
    assert_eq!(key.read(1 + day + 88, 1 + day + 89, &value), Err(Kind::Expired));
}

#[test]
fn a_value_of_another_run_is_allowed_until_this_one_has_touched_the_key() {
    let other = Ledger::new(RUN + 1);
    let name = Name::new("team", "key");
    let left = other.begin_write(name, SIZE, 0, at(1)).value.clone();

    let key = Key::new();
    assert_eq!(key.read(1, 2, &left), Ok(Allowed::Foreign));
    key.write(3, 4, Fate::Unknown);
    key.write(3, 4, Fate::NotDone);
    assert_eq!(key.read(5, 6, &left), Ok(Allowed::Foreign));
    key.delete(7, 9, Fate::Done);
    assert_eq!(key.read(8, 10, &left), Ok(Allowed::Foreign));
    assert_eq!(key.read(10, 11, &left), Err(Kind::Foreign));
}

#[test]
fn what_has_no_stamp_is_a_leftover_until_this_run_has_touched_the_key() {
    let key = Key::new();
    assert_eq!(key.read(1, 2, b"hello"), Ok(Allowed::Foreign));
    key.write(3, 4, Fate::Done);
    assert_eq!(key.read(5, 6, b"hello"), Err(Kind::Damaged));
}

#[test]
fn a_compare_and_set_expects_what_is_current() {
    let key = Key::new();
    assert!(key.ledger.expected(key.name).is_none());
    key.write(1, 2, Fate::Unknown);
    assert!(key.ledger.expected(key.name).is_none(), "nothing is known to be there");
    let value = key.write(3, 4, Fate::Done);
    assert_eq!(key.ledger.expected(key.name).unwrap().value, value);
    key.write(5, 6, Fate::NotDone);
    assert_eq!(key.ledger.expected(key.name).unwrap().value, value);
    key.delete(7, 8, Fate::Done);
    assert!(key.ledger.expected(key.name).is_none());
}

#[test]
fn a_compare_and_set_takes_the_place_of_what_it_expected() {
    let key = Key::new();
    let old = key.write(1, 2, Fate::Done);
    let swap = key.begin_swap(3);
    let new = swap.value.clone();
    key.ledger.end_write(swap, Fate::Done, at(4)).unwrap();
    assert_eq!(key.read(5, 6, &new), Ok(Allowed::Hit));
    assert_eq!(key.read(7, 8, &old), Err(Kind::Stale));
    assert_eq!(key.ledger.expected(key.name).unwrap().value, new);
}

#[test]
fn two_compare_and_sets_of_one_value_are_a_lost_update_even_at_once() {
    let key = Key::new();
    key.write(1, 2, Fate::Done);
    let (one, other, refused) = (key.begin_swap(3), key.begin_swap(3), key.begin_swap(3));
    key.ledger.end_write(one, Fate::Done, at(5)).unwrap();
    key.ledger.end_write(refused, Fate::NotDone, at(5)).unwrap();
    let violation = key.ledger.end_write(other, Fate::Done, at(5)).unwrap_err();
    assert_eq!((violation.kind, violation.found.unwrap().version), (Kind::LostUpdate, 1));
    assert!(violation.to_string().ends_with("version 2 had replaced it"), "{violation}");
}

#[test]
fn a_compare_and_set_of_what_was_certainly_gone_is_a_lost_update() {
    let key = Key::new();
    key.write(1, 2, Fate::Done);
    let expected = key.ledger.expected(key.name).unwrap();
    key.write(3, 4, Fate::Done);
    let swap = key.ledger.begin_swap(&expected, SIZE, 0, at(5));
    let violation = key.ledger.end_write(swap, Fate::Done, at(6)).unwrap_err();
    assert_eq!(violation.kind, Kind::LostUpdate);

    let key = Key::new();
    key.write(1, 2, Fate::Done);
    let swap = key.begin_swap(3);
    key.write(3, 5, Fate::Done);
    // The swap may have come first.
    key.ledger.end_write(swap, Fate::Done, at(5)).unwrap();
}

#[test]
fn a_compare_and_set_of_what_was_expired_is_noticed() {
    let key = Key::new();
    let pending = key.ledger.begin_write(key.name, SIZE, 1, at(1));
    key.ledger.end_write(pending, Fate::Done, at(2)).unwrap();
    let swap = key.begin_swap(9);
    let violation = key.ledger.end_write(swap, Fate::Done, at(10)).unwrap_err();
    assert_eq!(violation.kind, Kind::Expired);
}

#[test]
fn a_forgotten_version_is_stale_for_a_late_read_and_unchecked_for_an_early_one() {
    let key = Key::new();
    let old = key.write(1, 2, Fate::Done);
    let replaced = at(4);
    key.write(3, 4, Fate::Done);
    assert_eq!(key.read(3, 5, &old), Ok(Allowed::Hit));
    // The next event after that forgets it.
    let later = (replaced + KEPT_FOR).as_secs() + 1;
    key.write(later, later, Fate::Done);
    assert_eq!(key.read(4, later + 1, &old), Ok(Allowed::Unchecked));
    let violation = key.judge(5, later + 1, Some(&old)).unwrap_err();
    assert_eq!(violation.kind, Kind::Stale);
    let text = violation.to_string();
    assert!(text.ends_with("replaced or refused by 4s at the latest"), "{text}");
}

#[test]
fn a_version_that_was_given_up_for_want_of_room_goes_unchecked() {
    let key = Key::new();
    let first = key.write(1, 2, Fate::Unknown);
    for _ in 0..MOST_VERSIONS - 1 {
        key.write(1, 2, Fate::Unknown);
    }
    assert_eq!(key.read(3, 4, &first), Ok(Allowed::Hit));
    let given_up = key.write(5, 6, Fate::Done);
    for _ in 0..MOST_VERSIONS {
        key.write(7, 8, Fate::Unknown);
    }
    assert_eq!(key.read(9, 10, &given_up), Ok(Allowed::Unchecked));
    // Not those that were judged already, and made room first.
    let key = Key::new();
    for second in 0..2 * MOST_VERSIONS as u64 {
        let value = key.write(3 * second, 3 * second + 1, Fate::Done);
        assert_eq!(key.read(3 * second + 1, 3 * second + 2, &value), Ok(Allowed::Hit));
    }
}

#[test]
fn findings_count_each_kind_and_keep_the_first_of_it() {
    let key = Key::new();
    let old = key.write(1, 2, Fate::Done);
    let new = key.write(3, 4, Fate::Done);
    let (mut late, mut early) = (Findings::default(), Findings::default());
    late.read(key.judge(9, 10, Some(&old)));
    late.read(key.judge(9, 11, Some(b"hello")));
    late.read(key.judge(9, 11, Some(&new)));
    early.read(key.judge(5, 6, Some(&old)));
    early.read(key.judge(5, 7, Some(&old)));
    early.read(key.judge(5, 7, None));
    assert!(!late.is_clean());

    late.merge(early);
    assert_eq!((late.hits, late.misses, late.foreign, late.unchecked), (1, 1, 0, 0));
    let stale = &late.violations[&Kind::Stale];
    assert_eq!((stale.count, stale.first.ended), (3, at(6).into()));
    assert_eq!(late.violations[&Kind::Damaged].count, 1);
    assert_eq!(late.violations.len(), 2);

    let mut clean = Findings::default();
    clean.merge(Findings { hits: 1, foreign: 2, unchecked: 3, ..Findings::default() });
    assert!(clean.is_clean());
}

#[test]
fn a_violation_tells_what_it_contradicts_and_when() {
    let key = Key::new();
    let old = key.write(1, 2, Fate::Done);
    key.write(3, 4, Fate::Done);
    let violation = key.judge(5, 6, Some(&old)).unwrap_err().to_string();
    assert!(violation.starts_with("stale: key \""), "{violation}");
    for part in [
        ", asked from 5s to 6s: ",
        ", version 1 written at 1s for ",
        "; contradicts a write of version 2 from 3s to 4s",
    ] {
        assert!(violation.contains(part), "{violation}");
    }
    let names: Vec<_> = Kind::VARIANTS.iter().map(|kind| kind.name()).collect();
    assert_eq!(names[..3], ["damaged", "wrong-namespace", "wrong-key"]);
    assert_eq!(names[3..8], ["never-written", "stale", "expired", "foreign", "lost-update"]);
    assert_eq!(names[8..], ["wrong-version", "lost-step"]);
}

/// A server whose versions go back, or that loses a counter's step, is blamed for it.
#[test]
fn versions_that_go_back_and_steps_that_are_lost_are_violations() {
    let ledger = Ledger::new(7);
    let name = Name::new("", "key");
    let saw =
        |began, ended, version| ledger.saw(Begun::new(name, at(began)), version, None, at(ended));
    assert_eq!(saw(1, 2, 9), Ok(()));
    let violation = saw(3, 4, 8).unwrap_err().to_string();
    assert!(violation.starts_with("wrong-version: key \"key\""), "{violation}");
    assert!(violation.contains("the key had the server's version 9 by 2s"), "{violation}");

    let step = |began, ended, told| {
        let step = ledger.begin_step(Name::new("", "counter"), at(began));
        ledger.end_step(step, told, at(ended))
    };
    for value in 1..=5 {
        assert_eq!(step(value as u64, value as u64, (value, 10 + value)), Ok(()));
    }
    let violation = step(6, 7, (5, 16)).unwrap_err().to_string();
    assert!(violation.starts_with("lost-step: "), "{violation}");
}

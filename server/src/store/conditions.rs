//! Writes and removals on a condition, and reads that see a version: the verbs of the second service.

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use tiny_cache_proto::key::Key;

use super::{
    entry::{Content, Entry},
    handle::StoreHandle,
    outcome::{Outcome, Refused, Value},
    seen::Seen,
    shard::Circumstances,
    sharded::Located,
    tags::Tags,
    ttl::Ttl,
    version::Version,
};

/// How often the value is hashed without its stripe. Others may write each time meanwhile; then it is
/// hashed under the stripe, where that is some milliseconds for a value of 4 MiB.
const TRIES: usize = 3;

/// The SHA-256 of a value.
pub type ValueHash = [u8; SHA256_OUTPUT_LEN];

/// What has to hold of the live entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition<'a> {
    /// Nothing.
    Always,
    /// There is none.
    Absent,
    /// There is one.
    Present,
    /// It has this version, as numbers on the wire have it.
    Version(u64),
    /// It has this value.
    Value(&'a [u8]),
    /// Its value has this hash.
    Hash(ValueHash),
}

/// On which terms a change is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct On<'a> {
    /// What has to hold.
    pub condition: Condition<'a>,
    /// The token of the lease that has to last.
    pub lease: Option<u64>,
    /// Whether the caller wants the value that was there.
    pub wants_previous: bool,
}

/// What a change did, and what was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// [`Outcome::Stored`]: the change was made.
    pub outcome: Outcome,
    /// Of the entry that is there now.
    pub version: Option<Version>,
    /// What was there.
    pub previous: Option<Previous>,
    /// Nothing was done, because the lease had ended.
    pub lost_lease: bool,
}

/// The entry that a change met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// Its version.
    pub version: Version,
    /// Its value, for a caller that wants it.
    pub value: Option<Value>,
}

impl StoreHandle {
    /// Reads a live entry, and counts a hit or a miss. With `touch` the entry lives so long from now
    /// on.
    pub fn read(&self, key: Key<'_>, touch: Option<Ttl>) -> Option<Seen> {
        self.read_at(self.store().locate(key), touch)
    }

    /// As [`read`](Self::read).
    pub fn read_at(&self, place: Located<'_>, touch: Option<Ttl>) -> Option<Seen> {
        let Located { shard, key } = place;
        let found = shard.read(key, touch);
        self.note_request(key, found.as_ref().map_or(0, |(seen, _)| seen.value.len()));
        self.count_read(key.key.namespace(), found.is_some());
        self.sample_read(place, found.is_some());
        let (seen, touched) = found?;
        if let Some(touched) = touched {
            self.make_room(shard, touched);
        }
        Some(seen)
    }

    /// Writes a value if its condition holds. Counts neither as a hit nor as a miss.
    ///
    /// # Errors
    /// [`Refused`] when the condition held and the value is too large.
    pub fn write_at(
        &self,
        place: Located<'_>,
        content: Content<'_>,
        on: On<'_>,
    ) -> Result<Changed, Refused> {
        self.note_request(place.key, content.value.len());
        let mut test = Test::new(place, on);
        loop {
            test.hash_ahead();
            let done = place.shard.set_if(place.key, content, |current, around| {
                let outcome = test.judge_leased(current, around, content.tags);
                if outcome == Outcome::Stored {
                    self.admissible(place.key, content)?;
                }
                Ok(outcome)
            })?;
            if test.is_to_be_repeated {
                continue;
            }
            if let Some(token) = on.lease.filter(|_| test.is_outdated) {
                // The next that waits asks the origin anew.
                place.shard.release(place.key.hash, token);
            }
            let version = done.1.as_ref().map(|written| place.shard.written_version(written));
            let outcome = self.concluded(place.shard, done, content.value);
            self.sample_write(place, outcome, content);
            let Test { met: previous, lost_lease, .. } = test;
            let version = version.or(previous.as_ref().map(|previous| previous.version));
            return Ok(Changed { outcome, version, previous, lost_lease });
        }
    }

    /// Removes an entry if its condition holds.
    pub fn remove_at(
        &self,
        place: Located<'_>,
        condition: Condition<'_>,
        wants_previous: bool,
    ) -> Changed {
        self.note_request(place.key, 0);
        let mut test = Test::new(place, On { condition, lease: None, wants_previous });
        loop {
            test.hash_ahead();
            let outcome = place.shard.remove_if(place.key, |current| test.judge(current));
            if test.is_to_be_repeated {
                continue;
            }
            if matches!(outcome, Outcome::Stored | Outcome::NotFound) {
                self.sample_removal(place.key.hash);
            }
            let previous = test.met;
            let stays = previous.as_ref().filter(|_| outcome != Outcome::Stored);
            let version = stays.map(|previous| previous.version);
            return Changed { outcome, version, previous, lost_lease: false };
        }
    }
}

/// A condition on its way to the entry.
struct Test<'a> {
    place: Located<'a>,
    on: On<'a>,
    /// The version whose value was hashed before the stripe was taken, and whether it is the one.
    hashed: Option<(Version, bool)>,
    tries: usize,
    /// What was met.
    met: Option<Previous>,
    /// Another value came in between.
    is_to_be_repeated: bool,
    lost_lease: bool,
    /// The lease is from before something was invalidated that the write names.
    is_outdated: bool,
}

impl<'a> Test<'a> {
    fn new(place: Located<'a>, on: On<'a>) -> Self {
        Self {
            place,
            on,
            hashed: None,
            tries: 0,
            met: None,
            is_to_be_repeated: false,
            lost_lease: false,
            is_outdated: false,
        }
    }

    /// Hashes the value that is there, if the condition asks for it.
    fn hash_ahead(&mut self) {
        let Condition::Hash(wanted) = self.on.condition else { return };
        self.is_to_be_repeated = false;
        self.tries += 1;
        let seen = self.place.shard.peek(self.place.key);
        self.hashed = seen.map(|seen| (seen.version, has_hash(&seen.value, wanted)));
    }

    /// As [`judge`](Self::judge), if the lease lasts.
    fn judge_leased(
        &mut self,
        current: Option<&Entry>,
        around: Circumstances<'_>,
        tags: Tags<'_>,
    ) -> Outcome {
        let outcome = self.judge(current);
        if let Some(token) = self.on.lease {
            let Located { shard, key } = self.place;
            let given = around.leases.given(key.hash, token, around.now);
            self.is_outdated = given.is_some_and(|given| shard.is_outdated(key, given, tags));
            self.lost_lease = self.is_outdated || given.is_none();
        }
        if self.lost_lease { Outcome::Mismatch } else { outcome }
    }

    fn judge(&mut self, current: Option<&Entry>) -> Outcome {
        let shard = self.place.shard;
        self.met = current.map(|entry| Previous {
            version: shard.version_of(entry),
            value: self.on.wants_previous.then(|| Value::of(entry.clone())),
        });
        let holds = match (self.on.condition, current) {
            (Condition::Always, _) | (Condition::Absent, None) => return Outcome::Stored,
            (Condition::Absent, Some(_)) => return Outcome::Exists,
            (_, None) => return Outcome::NotFound,
            (Condition::Present, Some(_)) => true,
            (Condition::Version(version), Some(entry)) => shard.version_of(entry).get() == version,
            (Condition::Value(value), Some(entry)) => entry.value() == value,
            (Condition::Hash(wanted), Some(entry)) => match self.hashed {
                Some((version, holds)) if version == shard.version_of(entry) => holds,
                _ if self.tries < TRIES => {
                    self.is_to_be_repeated = true;
                    return Outcome::Mismatch;
                }
                _ => has_hash(entry.value(), wanted),
            },
        };
        if holds { Outcome::Stored } else { Outcome::Mismatch }
    }
}

fn has_hash(value: &[u8], wanted: ValueHash) -> bool {
    digest(&SHA256, value).as_ref() == wanted
}

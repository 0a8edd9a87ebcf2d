//! The plainest cache that could be right: a map, and for each entry the bracket of time in which
//! its deadline lies. Knows the rules of the wire contract, and nothing of the server.

use std::{
    collections::HashMap,
    fmt::Debug,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tonic::{Code, Status};

/// The largest value that the server under test takes.
pub(crate) const MAX_VALUE: usize = 1 << 20;

/// The most items of a batch that the server under test takes.
pub(crate) const MAX_BATCH: usize = 200;

/// When a call was on its way: from before it was sent until after its reply had come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
}

/// What a call, or an item of a batch, names: the namespace as it is understood, unless it is
/// refused, and the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) namespace: Option<&'static str>,
    pub(crate) key: String,
}

/// Why something is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    Namespace,
    EmptyKey,
    LongKey,
    LongNamespacedKey,
    LargeValue,
    LongBatch,
    LargeMessage,
    NoCounter,
}

/// What an operation leaves behind.
pub(crate) enum After {
    Same,
    Gone,
    /// A value with its TTL in seconds, as the contract has it.
    Holds(Bytes, i32),
    /// The same value with another TTL.
    Lives(i32),
    /// A counter, which keeps its deadline, if it is there and is not renewed, and its tags.
    Counts {
        text: Bytes,
        ttl: i32,
        renews: bool,
    },
}

/// What an operation finds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Met<'a> {
    Nothing,
    /// An entry that has expired, and is kept for those that take a stale one.
    Stale(&'a Bytes),
    Live(&'a Bytes),
}

struct Entry {
    value: Bytes,
    /// The earliest and the latest moment that its deadline can be; never without them.
    deadline: Option<(Instant, Instant)>,
    /// How long it is kept beyond that, for those that take a stale one.
    stale: Duration,
    /// What the last write said, if it was seen.
    version: Option<i64>,
    /// Bits of its tags.
    tags: u8,
}

/// The entries of one lane, whose calls follow one another.
#[derive(Default)]
pub(crate) struct Model {
    entries: HashMap<Name, Entry>,
    /// Operations that may or may not have met the deadline of their entry.
    pub(crate) close: u64,
}

impl Model {
    /// Compares what the server told of an operation with the rule for it, and notes what it left.
    /// The rule gets what the operation found.
    ///
    /// # Panics
    ///
    /// Panics where nothing that the entry can have been gives this answer.
    pub(crate) fn agree<T: PartialEq + Debug>(
        &mut self,
        name: &Name,
        span: Span,
        told: &T,
        rule: impl Fn(Met<'_>) -> (T, After),
    ) {
        let met = self.met(name, span);
        let may_stay = met.iter().any(|met| matches!(met, Met::Live(_)));
        let may_go = met.iter().any(|met| !matches!(met, Met::Live(_)));
        let agreed = met.iter().find_map(|met| {
            let (expected, after) = rule(*met);
            (expected == *told).then_some((after, Stays::of(*met)))
        });
        if let Some((after, stays)) = agreed {
            let is_vague = may_stay && may_go && rule(Met::Nothing).0 == *told;
            self.close += u64::from(may_stay && may_go);
            return self.note(name, span, after, (stays, is_vague));
        }
        let expected: Vec<_> = met.iter().map(|met| brief(&rule(*met).0)).collect();
        panic!("{name:?}: told {}, and the model expects {expected:?}", brief(told));
    }

    /// All that an operation can have found.
    fn met(&self, name: &Name, span: Span) -> Vec<Met<'_>> {
        let Some(Entry { value, deadline, stale, .. }) = self.entries.get(name) else {
            return vec![Met::Nothing];
        };
        let Some((earliest, latest)) = *deadline else { return vec![Met::Live(value)] };
        let is_stale = span.end >= earliest && span.begin < latest + *stale && !stale.is_zero();
        let all = [
            (span.begin < latest).then_some(Met::Live(value)),
            is_stale.then_some(Met::Stale(value)),
            (span.end >= earliest + *stale).then_some(Met::Nothing),
        ];
        all.into_iter().flatten().collect()
    }

    fn note(&mut self, name: &Name, span: Span, after: After, (stays, is_vague): (Stays, bool)) {
        let is_live = matches!(stays, Stays::Live);
        match after {
            After::Same if is_live => {}
            After::Same if matches!(stays, Stays::Stale) => {
                // It comes to life no more.
                let deadline = self.entries.get_mut(name).and_then(|entry| entry.deadline.as_mut());
                if let Some((_, latest)) = deadline {
                    *latest = span.end.min(*latest);
                }
            }
            After::Same | After::Gone => drop(self.entries.remove(name)),
            After::Holds(value, ttl) => {
                let (deadline, stale) = (deadline(span, ttl), Duration::ZERO);
                let entry = Entry { value, deadline, stale, version: None, tags: 0 };
                self.entries.insert(name.clone(), entry);
            }
            After::Lives(ttl) => {
                let Some(entry) = self.entries.get_mut(name).filter(|_| is_live) else {
                    self.entries.remove(name);
                    return;
                };
                // It is rounded up to a millisecond.
                let ends = deadline(span, ttl);
                entry.deadline = ends.map(|(from, to)| (from, to + Duration::from_millis(1)));
            }
            After::Counts { text: value, ttl, renews } => {
                let before = self.entries.remove(name).filter(|_| is_live);
                let (tags, held) =
                    before.map_or((0, None), |entry| (entry.tags, Some(entry.deadline)));
                let new = deadline(span, ttl);
                let deadline = match held {
                    Some(Some((from, _))) if is_vague && !renews => {
                        // It may be a new one.
                        let far = span.end + Duration::from_secs(1 << 32);
                        Some((from, new.map_or(far, |(_, to)| to)))
                    }
                    Some(held) if !renews => held,
                    _ => new,
                };
                let stale = Duration::ZERO;
                let entry = Entry { value, deadline, stale, version: None, tags };
                self.entries.insert(name.clone(), entry);
            }
        }
    }

    /// Notes the version of what is held, and its tags, if they are new.
    pub(crate) fn mark(&mut self, name: &Name, version: i64, tags: Option<u8>) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.version = Some(version);
            entry.tags = tags.unwrap_or(entry.tags);
        }
    }

    /// Notes that what is held is kept so long as a stale entry.
    pub(crate) fn keep_stale(&mut self, name: &Name, stale: Duration) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.stale = stale;
        }
    }

    /// The first of the names whose entries are stale at this moment.
    pub(crate) fn stale_name(&self, at: Instant) -> Option<&Name> {
        let is_stale = |entry: &Entry| {
            entry.deadline.is_some_and(|(from, to)| at >= to && at < from + entry.stale)
        };
        let stale = self.entries.iter().filter(|(_, entry)| is_stale(entry)).map(|(name, _)| name);
        stale.min_by_key(|name| (&name.key, name.namespace))
    }

    /// The version of what is held, if it is known.
    pub(crate) fn version(&self, name: &Name) -> Option<i64> {
        self.entries.get(name).and_then(|entry| entry.version)
    }

    /// Whether a step of a counter leaves no doubt about the tags.
    pub(crate) fn may_count(&self, name: &Name) -> bool {
        let held = self.entries.get(name);
        held.is_none_or(|entry| entry.tags == 0 || entry.deadline.is_none())
    }

    /// What has one of these tags is gone.
    pub(crate) fn invalidate(&mut self, namespace: &str, tags: u8) {
        let is_of = |name: &Name| name.namespace == Some(namespace);
        self.entries.retain(|name, entry| !is_of(name) || entry.tags & tags == 0);
    }

    /// What is held of a name, whether or not it has expired.
    pub(crate) fn value(&self, name: &Name) -> Option<&Bytes> {
        self.entries.get(name).map(|entry| &entry.value)
    }

    /// The least and the most entries that the server may count between two moments: it counts
    /// one for at most two seconds after its deadline.
    pub(crate) fn size(&self, span: Span) -> (usize, usize) {
        let count = |alive: &dyn Fn(Instant, Instant) -> bool| {
            let kept = self.entries.values().map(|Entry { deadline, stale, .. }| {
                deadline.map(|(from, to)| (from + *stale, to + *stale))
            });
            kept.filter(|ends| ends.is_none_or(|(from, to)| alive(from, to))).count()
        };
        let late = Duration::from_secs(2);
        (count(&|from, _| from > span.end), count(&|_, to| to + late > span.begin))
    }
}

/// In which state an operation found what is held.
#[derive(Clone, Copy)]
enum Stays {
    Gone,
    Stale,
    Live,
}

impl Stays {
    fn of(met: Met<'_>) -> Self {
        match met {
            Met::Nothing => Self::Gone,
            Met::Stale(_) => Self::Stale,
            Met::Live(_) => Self::Live,
        }
    }
}

impl<'a> Met<'a> {
    /// What operations find that take no stale value.
    pub(crate) fn live(self) -> Option<&'a Bytes> {
        match self {
            Self::Live(value) => Some(value),
            Self::Nothing | Self::Stale(_) => None,
        }
    }
}

/// The earliest and the latest moment at which an entry with this TTL ends.
fn deadline(span: Span, ttl: i32) -> Option<(Instant, Instant)> {
    let ttl = u64::try_from(ttl).ok().filter(|ttl| *ttl > 0).map(Duration::from_secs);
    ttl.map(|ttl| (span.begin + ttl, span.end + ttl))
}

fn brief(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    let end = text.char_indices().nth(300).map_or(text.len(), |(at, _)| at);
    text[..end].to_owned()
}

impl Name {
    /// Why the contract refuses it, if it does.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let Some(namespace) = self.namespace else { return Some(Refusal::Namespace) };
        let characters = self.key.chars().count();
        let namespaced = format!("{}:{namespace}:", namespace.len()).len() + characters;
        if characters == 0 {
            Some(Refusal::EmptyKey)
        } else if characters > 256 {
            Some(Refusal::LongKey)
        } else {
            (!namespace.is_empty() && namespaced > 256).then_some(Refusal::LongNamespacedKey)
        }
    }
}

impl Refusal {
    /// What a status says, which must be of those that the contract knows.
    pub(crate) fn of(status: &Status) -> Self {
        let refusal = Self::of_text(status.message());
        let code = match refusal {
            Self::LargeValue | Self::LargeMessage => Code::ResourceExhausted,
            Self::NoCounter => Code::FailedPrecondition,
            _ => Code::InvalidArgument,
        };
        assert_eq!(status.code(), code, "{status:?}");
        refusal
    }

    /// What the error of an item in a batch says.
    pub(crate) fn of_text(text: &str) -> Self {
        match text {
            "Key cannot be empty" => Self::EmptyKey,
            "Key is too long (max 256)" => Self::LongKey,
            "Value exceeds maximum allowed cache entry size" => Self::LargeValue,
            _ if text.starts_with("Namespaced key is too long") => Self::LongNamespacedKey,
            _ if text.starts_with("Batch of 201 items is too large (max 200") => Self::LongBatch,
            _ if text.contains("amespace") => Self::Namespace,
            _ if text.starts_with("The value is no counter") => Self::NoCounter,
            _ if text.starts_with("A message of ") => Self::LargeMessage,
            _ if text.starts_with("Message unpacks to more than") => Self::LargeMessage,
            _ => panic!("the contract knows no {text:?}"),
        }
    }
}

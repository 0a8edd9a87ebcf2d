//! The actions by the second service.

use std::sync::Mutex;

use tiny_cache_proto::{
    cache::ConditionalCacheStatus,
    v1::{
        AddOutcome, AddRequest, InvalidateRequest, LeaseRequest, Outcome as Told, Presence,
        ReadRequest, ReadState, WriteReply, WriteRequest, condition::Holds,
    },
};

use super::{
    super::{
        Second,
        messages::{read, remove, when, within, write},
        register::{Action, Outcome, Write},
    },
    number,
};

/// A value that was read or written, and its version: no other write of the key has either.
pub(super) type Known = Mutex<Option<(u64, i64)>>;

/// Makes one call. A swap goes by the version where that of the expected value is known.
pub(super) async fn one(
    second: &mut Second,
    (namespace, name): (&str, String),
    action: Action,
    known: &Known,
) -> Outcome {
    let note = |value, version| *known.lock().unwrap() = Some((value, version));
    let holds = match action {
        Action::Set(_) => None,
        Action::SetIfAbsent(_) => Some(Holds::Presence(Presence::Absent.into())),
        Action::CompareAndSet(expected, _) => {
            let version = known.lock().unwrap().filter(|(value, _)| *value == expected);
            Some(match version {
                Some((_, version)) => Holds::Version(version),
                None => Holds::Value(expected.to_string().into()),
            })
        }
        Action::Delete => {
            second.remove(within(namespace, remove(name, None))).await.unwrap();
            return Outcome::Done;
        }
        Action::Get | Action::GetStale => {
            let lease = matches!(action, Action::GetStale)
                .then_some(LeaseRequest { lease_ms: 60_000, wait_ms: 0 });
            let request = ReadRequest { lease, ..read(name) };
            let found = second.read(within(namespace, request)).await.unwrap().into_inner();
            return match found.state() {
                ReadState::Fresh => {
                    let value = number(&found.value);
                    note(value, found.version);
                    Outcome::Found(Some(value))
                }
                ReadState::Stale => Outcome::FoundStale(number(&found.value)),
                // Another was to fill it, and never does.
                ReadState::Miss | ReadState::Busy => Outcome::Found(None),
                ReadState::Unspecified => panic!("{found:?}"),
            };
        }
        Action::Add(step, ttl) => {
            let request = AddRequest {
                key: name,
                delta: step as i64,
                ttl_ms: ttl.map_or(0, |ttl| ttl.as_millis() as i64),
                renew_ttl: true,
                ..AddRequest::default()
            };
            let counted = second.add(within(namespace, request)).await.unwrap().into_inner();
            assert_eq!(counted.outcome(), AddOutcome::Added, "{counted:?}");
            let value = counted.value as u64;
            note(value, counted.version);
            return Outcome::Counted(value);
        }
    };
    let (Action::Set(new) | Action::SetIfAbsent(new) | Action::CompareAndSet(_, new)) = action
    else {
        unreachable!("all others were made")
    };
    let request = when(message(name, new), holds);
    let reply = second.write(within(namespace, request)).await.unwrap().into_inner();
    if reply.outcome() == Told::Applied {
        note(new.value, reply.version);
    }
    match action {
        Action::Set(_) => Outcome::Done,
        _ => Outcome::Decided(status(&reply)),
    }
}

/// Drops the namespace of a history.
pub(super) async fn drop_all(second: &mut Second, namespace: &str) {
    let request = InvalidateRequest { whole_namespace: true, ..InvalidateRequest::default() };
    second.invalidate(within(namespace, request)).await.unwrap();
}

fn message(name: String, new: Write) -> WriteRequest {
    let ttl_ms = new.ttl.map_or(0, |ttl| ttl.as_millis() as i64);
    let stale_ms = new.stale.as_millis() as i64;
    WriteRequest { ttl_ms, stale_ms, ..write(name, new.value.to_string()) }
}

/// As the first service has it.
fn status(reply: &WriteReply) -> ConditionalCacheStatus {
    match reply.outcome() {
        Told::Applied => ConditionalCacheStatus::Stored,
        Told::Exists => ConditionalCacheStatus::Exists,
        Told::NotFound => ConditionalCacheStatus::NotFound,
        Told::Mismatch => ConditionalCacheStatus::Mismatch,
        other => panic!("{other:?}"),
    }
}

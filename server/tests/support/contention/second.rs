//! The actions by the second service.

use std::sync::Mutex;

use tiny_cache_proto::{
    cache::ConditionalCacheStatus,
    v1::{
        InvalidateRequest, Outcome as Told, Presence, ReadState, WriteReply, WriteRequest,
        condition::Holds,
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
        Action::Get => {
            let found = second.read(within(namespace, read(name))).await.unwrap().into_inner();
            let is_there = found.state() == ReadState::Fresh;
            let value = is_there.then(|| number(&found.value));
            if let Some(value) = value {
                note(value, found.version);
            }
            return Outcome::Found(value);
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
    WriteRequest { ttl_ms, ..write(name, new.value.to_string()) }
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

//! Reads and writes of the tier, on the client crate's connection, which sends what several calls
//! ask at a time in one pipeline.

use std::time::{Duration, Instant};

use rustis::{
    Error, ErrorKind, RedisErrorKind,
    client::BatchPreparedCommand,
    commands::{GenericCommands, StringCommands},
    resp::{Command, RefBulkString, Value, cmd},
};

use super::{
    ask::{Down, Write},
    layout::TierKey,
    routes::{Way, has_moved},
    script::COMPARE_AND_SET,
};
use crate::store::{Outcome, Ttl};

/// A value that was fetched, and how long it is to live from the moment on at which it was asked
/// for: the tier has counted from a later one, so what is near is never gone later than there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) value: Vec<u8>,
    pub(super) ttl: Ttl,
}

/// What became of something that was sent.
#[derive(Debug)]
pub(super) enum Failure {
    /// The tier has answered, and with a refusal.
    Refused(Down),
    /// It takes no writes, so that another one must be the primary.
    Replica,
    /// It says that another server has the key, and that one was not reached.
    Moved,
    /// It has not.
    Silent(Down),
}

/// Fetches values, in the order of the keys.
pub(super) async fn fetch(way: &Way, keys: &[TierKey]) -> Vec<Result<Option<Fetched>, Failure>> {
    match fetch_together(way, keys).await {
        Ok(fetched) => fetched.into_iter().map(Ok).collect(),
        // One key that holds no string, or has moved to another server, fails the reading of all.
        Err(Failure::Refused(_) | Failure::Moved | Failure::Replica) => {
            let mut each = Vec::with_capacity(keys.len());
            for key in keys {
                each.push(fetch_one(way, key).await);
            }
            each
        }
        Err(Failure::Silent(down)) => keys.iter().map(|_| Err(Failure::Silent(down))).collect(),
    }
}

async fn fetch_one(way: &Way, key: &TierKey) -> Result<Option<Fetched>, Failure> {
    let name = RefBulkString::new(key.as_bytes());
    let refused = |error| failure(&error, false);
    let value = way.send(cmd("GET").key(&name).into()).await.map_err(refused)?;
    let left = way.send(cmd("PTTL").key(&name).into()).await.map_err(refused)?;
    Ok(fetched(Some(value), Some(left)))
}

async fn fetch_together(way: &Way, keys: &[TierKey]) -> Result<Vec<Option<Fetched>>, Failure> {
    let mut pipeline = way.client().create_pipeline();
    pipeline.reserve(2 * keys.len());
    for key in keys {
        let name = RefBulkString::new(key.as_bytes());
        pipeline.get::<()>(&name).queue();
        pipeline.pttl(&name).queue();
    }
    let answers: Vec<Value> = pipeline.execute().await.map_err(|error| failure(&error, false))?;
    let mut answers = answers.into_iter();
    let pairs = keys.iter().map(|_| (answers.next(), answers.next()));
    Ok(pairs.map(|(value, left)| fetched(value, left)).collect())
}

fn fetched(value: Option<Value>, left: Option<Value>) -> Option<Fetched> {
    let Some(Value::BulkString(value)) = value else { return None };
    let ttl = match left?.as_i64()? {
        -1 => Ttl::Forever,
        left => Ttl::For(Duration::from_millis(u64::try_from(left).ok()?)),
    };
    Some(Fetched { value, ttl })
}

/// What is left of a TTL that began at this moment. `None`: nothing.
pub(super) fn left(ttl: Ttl, since: Instant) -> Option<Ttl> {
    match ttl {
        Ttl::Forever => Some(Ttl::Forever),
        Ttl::For(span) => {
            let left = span.saturating_sub(since.elapsed());
            (!left.is_zero()).then_some(Ttl::For(left))
        }
    }
}

/// Carries a write out.
pub(super) async fn write(way: &Way, key: &TierKey, write: &Write) -> Result<Outcome, Failure> {
    let name = RefBulkString::new(key.as_bytes());
    let command = match write {
        Write::Set { value, ttl } => set(&name, value, *ttl, false),
        Write::SetIfAbsent { value, ttl } => set(&name, value, *ttl, true),
        Write::CompareAndSet { expected, value, ttl } => {
            let command = cmd("EVAL").arg(COMPARE_AND_SET).key_with_count(&name);
            let values = command.arg(RefBulkString::new(expected)).arg(RefBulkString::new(value));
            values.arg(milliseconds(*ttl).unwrap_or(0)).into()
        }
        Write::Delete => cmd("UNLINK").key(&name).into(),
    };
    let answer = match way.send(command).await {
        Ok(answer) => answer,
        Err(error) if is_of_another_type(&error) => {
            return Err(Failure::Refused(Down::Foreign(type_of(way, &name).await)));
        }
        Err(error) => return Err(failure(&error, true)),
    };
    Ok(match (write, answer) {
        (Write::SetIfAbsent { .. }, Value::Null) => Outcome::Exists,
        (Write::CompareAndSet { .. }, Value::Integer(0)) => Outcome::NotFound,
        (Write::CompareAndSet { .. }, Value::Integer(1)) => Outcome::Mismatch,
        _ => Outcome::Stored,
    })
}

fn set(name: &RefBulkString<'_>, value: &[u8], ttl: Ttl, if_absent: bool) -> Command {
    let mut command = cmd("SET").key(name).arg(RefBulkString::new(value));
    if if_absent {
        command = command.arg("NX");
    }
    if let Some(left) = milliseconds(ttl) {
        command = command.arg("PX").arg(left);
    }
    command.into()
}

fn milliseconds(ttl: Ttl) -> Option<u64> {
    match ttl {
        Ttl::Forever => None,
        Ttl::For(span) => Some(u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1)),
    }
}

/// What has the name of a key and is no string, where its type is not known.
const ANOTHER_TYPE: &str = "thing of another type";

/// What a Redis calls its types.
const TYPES: [&str; 5] = ["list", "hash", "set", "zset", "stream"];

fn is_of_another_type(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Redis(refusal) if refusal.kind == RedisErrorKind::WrongType)
}

/// The type of what has this name.
async fn type_of(way: &Way, name: &RefBulkString<'_>) -> &'static str {
    let answer = way.send(cmd("TYPE").key(name).into()).await.ok();
    let named = answer.as_ref().and_then(|answer| answer.as_str());
    TYPES.into_iter().find(|known| named == Some(*known)).unwrap_or(ANOTHER_TYPE)
}

/// What an error means. A server that refuses for want of a primary, or while it reads its data,
/// is no better than none.
fn failure(error: &Error, is_write: bool) -> Failure {
    let unsure = if is_write { Down::Unsure } else { Down::Apart };
    match error.kind() {
        ErrorKind::Redis(refusal) => match refusal.kind {
            RedisErrorKind::OutOfMemory => Failure::Refused(Down::Full),
            RedisErrorKind::WrongType => Failure::Refused(Down::Foreign(ANOTHER_TYPE)),
            RedisErrorKind::Readonly => Failure::Replica,
            _ if has_moved(error) => Failure::Moved,
            _ if error.is_retryable() => Failure::Silent(Down::Apart),
            _ => Failure::Refused(Down::Apart),
        },
        _ => Failure::Silent(unsure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lives_near_as_long_as_in_the_tier() {
        let value = || Some(Value::BulkString(b"v".to_vec()));
        let of = |left| fetched(value(), Some(Value::Integer(left))).map(|found| found.ttl);
        assert_eq!(of(-1), Some(Ttl::Forever));
        assert_eq!(of(1500), Some(Ttl::For(Duration::from_millis(1500))));
        assert_eq!(of(-2), None, "it was gone between the two looks");
        assert_eq!(fetched(Some(Value::Null), Some(Value::Integer(-2))), None);
    }

    #[test]
    fn what_is_left_of_a_ttl_never_grows() {
        let since = Instant::now();
        assert_eq!(left(Ttl::Forever, since), Some(Ttl::Forever));
        assert_eq!(left(Ttl::For(Duration::ZERO), since), None);
        let hour = Duration::from_secs(3600);
        let Some(Ttl::For(rest)) = left(Ttl::For(hour), since) else { panic!("an hour is left") };
        assert!(rest <= hour);
    }
}

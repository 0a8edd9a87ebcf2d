//! Servers that speak memcached's text protocol, as its `doc/protocol.txt` has it. What is
//! asked of a connection is answered in the order in which it was asked.
//!
//! The client is our own, and small: async-memcached 0.9 takes a connection for itself from a
//! request to its reply, so that 64 requests under way would need 64 connections where the
//! other systems need one.

mod wire; // commands and replies as bytes

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tiny_cache_client::Ttl;

use self::wire::{Cutter, Piece};
use super::{
    Answer,
    line::{Line, Protocol, Stream},
    pipeline::{self, Request},
};
use crate::{
    cli::{MEMCACHED_KEY_BYTES, Place, Target},
    transport::CallError,
    values::Values,
    workload::{Operation, Write},
};

/// Longest time to live that is counted from now: the protocol takes a longer one for a time
/// since 1970.
const LONGEST_RELATIVE: i32 = 30 * 24 * 60 * 60;

/// The protocol.
#[derive(Clone, Debug)]
pub(crate) struct Memcached(pub(super) Place);

/// A connection, and the version that was said over it.
pub(crate) struct Connection {
    pipeline: pipeline::Connection<Cutter>,
    version: String,
}

impl Protocol for Memcached {
    type Connection = Connection;

    fn target(&self) -> String {
        Target::Memcached(self.0.clone()).to_string()
    }

    async fn greet(&self, stream: Stream) -> Result<Connection, CallError> {
        let pipeline = pipeline::Connection::open(stream);
        let reply = pipeline.ask(Request::new().line(format_args!("version"))).await?;
        let line = word(&reply)?;
        let version = line.strip_prefix(b"VERSION ").ok_or_else(|| refusal(line))?;
        Ok(Connection { version: String::from_utf8_lossy(version).into_owned(), pipeline })
    }

    fn has_ended(connection: &Connection) -> bool {
        connection.pipeline.has_ended()
    }
}

impl Line<Memcached> {
    /// Makes the call of an operation, once.
    pub(super) async fn issue(
        &self,
        operation: &Operation,
        values: &Values,
    ) -> Result<Answer, CallError> {
        for key in operation.keys() {
            check_key(key)?;
        }
        let value = |write: &Write| values.value(&write.key, write.size);
        match operation {
            Operation::Get(key) | Operation::Fetch(Write { key, .. }) => {
                self.read(&[key.as_str()]).await
            }
            Operation::MultiGet(keys) => self.read(keys).await,
            Operation::Set(write) => {
                self.write(Request::new().set("set", write, &value(write))).await
            }
            Operation::MultiSet(writes) => {
                let sets = writes
                    .iter()
                    .fold(Request::new(), |sets, write| sets.set("set", write, &value(write)));
                self.write(sets).await
            }
            Operation::Delete(key) => {
                let request = Request::new().line(format_args!("delete {key}"));
                match word(&self.ask(request).await?)? {
                    b"DELETED" | b"NOT_FOUND" => Ok(Answer::Done),
                    other => Err(refusal(other)),
                }
            }
            Operation::SetIfAbsent(write) => {
                let request = Request::new().set("add", write, &value(write));
                match word(&self.ask(request).await?)? {
                    b"STORED" => Ok(Answer::Conditional { stored: true }),
                    b"NOT_STORED" => Ok(Answer::Conditional { stored: false }),
                    other => Err(refusal(other)),
                }
            }
            Operation::CompareAndSet(write) => self.compare_and_set(write, &value(write)).await,
        }
    }

    /// What the server says that it is.
    pub(super) async fn version(&self) -> Option<String> {
        let version = self.call(async |connection| Ok(connection.version.clone())).await;
        Some(format!("memcached {}", version.ok()?))
    }

    async fn ask(&self, request: Request) -> Result<Vec<Piece>, CallError> {
        self.call(async |connection| connection.pipeline.ask(request).await).await
    }

    async fn read(&self, keys: &[impl AsRef<str>]) -> Result<Answer, CallError> {
        let (asked, found) =
            (keys.len(), found(self.ask(Request::read("get", keys)).await?)?.len());
        if found > asked {
            return Err(CallError::BatchSize { asked, answered: found });
        }
        Ok(Answer::Read { hits: found as u64, misses: (asked - found) as u64 })
    }

    async fn write(&self, sets: Request) -> Result<Answer, CallError> {
        for piece in self.ask(sets).await? {
            match word(&[piece])? {
                b"STORED" => {}
                other => return Err(refusal(other)),
            }
        }
        Ok(Answer::Done)
    }

    /// Looks whether the value is the one that is expected, and writes if nobody else has
    /// since: two round trips, as the protocol compares versions and not values.
    async fn compare_and_set(&self, write: &Write, value: &Bytes) -> Result<Answer, CallError> {
        let call = async |connection: &Connection| {
            let there = connection.pipeline.ask(Request::read("gets", &[&write.key])).await?;
            let version = match found(there)?.as_slice() {
                [] => return Ok(false),
                [(data, _)] if data != value => return Ok(false),
                [(_, Some(version))] => *version,
                _ => return Err(CallError::BadReply("a gets without a version".to_owned())),
            };
            match word(&connection.pipeline.ask(Request::new().cas(write, value, version)).await?)?
            {
                b"STORED" => Ok(true),
                b"EXISTS" | b"NOT_FOUND" => Ok(false),
                other => Err(refusal(other)),
            }
        };
        Ok(Answer::Conditional { stored: self.call(call).await? })
    }
}

/// Refuses a key that the protocol cannot carry: one with a blank would be taken for two, and
/// what stands behind a line end for a command.
pub(crate) fn check_key(key: &str) -> Result<(), CallError> {
    let fault = if key.is_empty() {
        "an empty key"
    } else if key.len() > MEMCACHED_KEY_BYTES {
        "a key of more than 250 bytes"
    } else if key.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        "a key with a blank or a control character"
    } else {
        return Ok(());
    };
    Err(CallError::Key(format!("memcached's text protocol has no place for {fault}: {key:?}")))
}

impl Request {
    fn read(command: &str, keys: &[impl AsRef<str>]) -> Self {
        let keys: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
        Self::new().line(format_args!("{command} {}", keys.join(" ")))
    }

    fn set(self, command: &str, Write { key, ttl, .. }: &Write, value: &[u8]) -> Self {
        let (expiry, bytes) = (expiry(*ttl, SystemTime::now()), value.len());
        self.line_and_data(format_args!("{command} {key} 0 {expiry} {bytes}"), value)
    }

    fn cas(self, Write { key, ttl, .. }: &Write, value: &[u8], version: u64) -> Self {
        let (expiry, bytes) = (expiry(*ttl, SystemTime::now()), value.len());
        self.line_and_data(format_args!("cas {key} 0 {expiry} {bytes} {version}"), value)
    }
}

/// The protocol's form of a time to live. It has 32 bits: what would live beyond January 2038
/// lives until then.
fn expiry(ttl: Ttl, now: SystemTime) -> i32 {
    match ttl.seconds() {
        seconds if seconds <= LONGEST_RELATIVE => seconds,
        seconds => {
            let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            i32::try_from(now).unwrap_or(i32::MAX).saturating_add(seconds)
        }
    }
}

/// Values and their versions, from the reply of a get.
fn found(reply: Vec<Piece>) -> Result<Vec<(Bytes, Option<u64>)>, CallError> {
    let mut values = Vec::with_capacity(reply.len());
    for piece in reply {
        match piece {
            Piece::Value { data, version } => values.push((data, version)),
            Piece::Line(line) if line == "END" => {}
            Piece::Line(line) => return Err(refusal(&line)),
        }
    }
    Ok(values)
}

/// The only line of a reply that has no other.
fn word(reply: &[Piece]) -> Result<&[u8], CallError> {
    match reply {
        [Piece::Line(line)] => Ok(line),
        _ => Err(CallError::BadReply("a value where there is none to come".to_owned())),
    }
}

/// What stands in the place of an answer.
fn refusal(line: &[u8]) -> CallError {
    let text = String::from_utf8_lossy(line).into_owned();
    let name = match text.split_once(' ') {
        Some(("SERVER_ERROR", why)) if why.starts_with("object too large") => "VALUE_TOO_LARGE",
        Some(("SERVER_ERROR", why)) if why.starts_with("out of memory") => "OUT_OF_MEMORY",
        Some(("SERVER_ERROR", _)) => "MEMCACHED_SERVER_ERROR",
        Some(("CLIENT_ERROR", _)) => "MEMCACHED_CLIENT_ERROR",
        _ if text == "ERROR" => "MEMCACHED_ERROR",
        _ => return CallError::BadReply(format!("{text:?}")),
    };
    CallError::Refused { name, text }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_ttl_of_more_than_thirty_days_is_a_point_in_time() {
        let expiry = |seconds: u64, now: u64| {
            let ttl = Ttl::try_from(Duration::from_secs(seconds)).unwrap();
            expiry(ttl, UNIX_EPOCH + Duration::from_secs(now))
        };
        assert_eq!(expiry(0, 1_800_000_000), 0, "it never expires");
        assert_eq!(expiry(2_592_000, 1_800_000_000), 2_592_000);
        assert_eq!(expiry(2_592_001, 1_800_000_000), 1_802_592_001);
        assert_eq!(expiry(2_000_000_000, 1_800_000_000), i32::MAX);
        assert_eq!(expiry(2_592_001, 5_000_000_000), i32::MAX);
    }

    #[test]
    fn a_refusal_is_counted_by_its_kind() {
        for (line, name) in [
            ("ERROR", "MEMCACHED_ERROR"),
            ("CLIENT_ERROR bad data chunk", "MEMCACHED_CLIENT_ERROR"),
            ("SERVER_ERROR busy", "MEMCACHED_SERVER_ERROR"),
            ("SERVER_ERROR object too large for cache", "VALUE_TOO_LARGE"),
            ("SERVER_ERROR out of memory storing object", "OUT_OF_MEMORY"),
            ("HTTP/1.1 400 Bad Request", "BAD_REPLY"),
        ] {
            let error = refusal(line.as_bytes());
            assert_eq!(error.name(), name);
            assert!(error.to_string().contains(line), "{error}");
        }
    }
}

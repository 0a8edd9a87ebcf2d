//! Servers that speak memcached's text protocol, as its `doc/protocol.txt` has it. What is
//! asked of a connection is answered in the order in which it was asked.
//!
//! The client is our own, and small: async-memcached 0.9 takes a connection for itself from a
//! request to its reply, so that 64 requests under way would need 64 connections where the
//! other systems need one.

pub(super) mod wire; // commands and replies as bytes

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tiny_cache_client::Ttl;

use self::wire::{Cutter, Piece};
use super::{
    address::{HostPort, MEMCACHED_KEY_BYTES},
    answer::Answer,
    error::CallError,
    pipeline::{self, Commands},
    reconnecting::{Protocol, Reconnecting},
};
use crate::workload::Write;

/// Longest time to live that is counted from now: the protocol takes a longer one for a time
/// since 1970.
const LONGEST_RELATIVE: i32 = 30 * 24 * 60 * 60;

/// The protocol.
#[derive(Clone, Debug)]
pub(crate) struct Memcached {
    address: HostPort,
}

/// A connection to a server.
pub(crate) type Connection = pipeline::Connection<Cutter>;

impl Memcached {
    pub(super) fn new(address: &HostPort) -> Self {
        Self { address: address.clone() }
    }
}

impl Protocol for Memcached {
    type Connection = Connection;

    async fn connect(&self) -> Result<Connection, CallError> {
        let connection = Connection::open(&self.address, None).await?;
        version(connection.ask(Commands::version()).await?)?;
        Ok(connection)
    }

    fn has_ended(connection: &Connection) -> bool {
        connection.has_ended()
    }
}

impl Reconnecting<Memcached> {
    /// The name and version that the server gives itself.
    pub(super) async fn version(&self) -> Option<String> {
        version(self.ask(Commands::version()).await.ok()?).ok()
    }

    async fn ask(&self, commands: Commands) -> Result<Vec<Piece>, CallError> {
        self.call(async |connection| connection.ask(commands).await).await
    }

    /// Sends a command that is answered with one line.
    pub(super) async fn word(&self, command: Commands) -> Result<Bytes, CallError> {
        word(self.ask(command).await?)
    }

    pub(super) async fn read(&self, keys: &[impl AsRef<str>]) -> Result<Answer, CallError> {
        let found = found(self.ask(Commands::read("get", keys)).await?)?.len();
        if found > keys.len() {
            return Err(CallError::BatchSize { asked: keys.len(), answered: found });
        }
        Ok(Answer::of_batch(keys.len(), found))
    }

    pub(super) async fn write(&self, sets: Commands) -> Result<Answer, CallError> {
        for piece in self.ask(sets).await? {
            match &word(vec![piece])?[..] {
                b"STORED" => {}
                other => return Err(refusal(other)),
            }
        }
        Ok(Answer::Done)
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

impl Commands {
    fn version() -> Self {
        Self::new().line(format_args!("version"))
    }

    pub(super) fn read(command: &str, keys: &[impl AsRef<str>]) -> Self {
        let keys: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
        Self::new().line(format_args!("{command} {}", keys.join(" ")))
    }

    pub(super) fn set(self, command: &str, Write { key, ttl, .. }: &Write, value: &[u8]) -> Self {
        let (expiry, bytes) = (expiry(*ttl, SystemTime::now()), value.len());
        self.line_and_data(format_args!("{command} {key} 0 {expiry} {bytes}"), value)
    }

    pub(super) fn cas(self, Write { key, ttl, .. }: &Write, value: &[u8], version: u64) -> Self {
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
pub(super) fn found(reply: Vec<Piece>) -> Result<Vec<(Bytes, Option<u64>)>, CallError> {
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
pub(super) fn word(reply: Vec<Piece>) -> Result<Bytes, CallError> {
    match <[Piece; 1]>::try_from(reply) {
        Ok([Piece::Line(line)]) => Ok(line),
        _ => Err(CallError::BadReply("a value where there is none to come".to_owned())),
    }
}

/// The name and version in the reply to `version`.
fn version(reply: Vec<Piece>) -> Result<String, CallError> {
    let line = word(reply)?;
    let version = line.strip_prefix(b"VERSION ").ok_or_else(|| refusal(&line))?;
    Ok(format!("memcached {}", String::from_utf8_lossy(version)))
}

/// What stands in the place of an answer.
pub(super) fn refusal(line: &[u8]) -> CallError {
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

//! Servers that speak RESP, such as Redis, Valkey and Dragonfly. Requests go out without
//! waiting for earlier replies, which come back in the order of the requests.
//!
//! The client is our own, over the same pipeline as memcached's, so that both systems are
//! driven in the same way.

mod wire; // commands and replies as bytes

use bytes::Bytes;
use tiny_cache_client::Ttl;

use self::wire::{Cutter, Piece};
use super::{
    Answer,
    line::{Line, Protocol, Stream},
    pipeline::{Connection, Request},
};
use crate::{
    cli::{Login, RedisPlace, Target},
    transport::CallError,
    values::Values,
    workload::{Operation, Write},
};

/// Writes a value if another one is there. SET itself can do that from Redis 8.4 and Valkey
/// 8.1 on; the script does it wherever there are scripts, in one round trip as well. It goes
/// whole with every call, so that a server that restarts needs nothing of it.
const COMPARE_AND_SET: &str = "\
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
    if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2]) \
    else redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end \
    return 1";

/// Fields of INFO that tell a version, before the one that all have: others than Redis put
/// the version there that they are compatible with.
const VERSIONS: [&str; 4] = ["valkey", "dragonfly", "garnet", "redis"];

/// The protocol, spoken in a database.
#[derive(Clone, Debug)]
pub(crate) struct Redis(pub(super) RedisPlace);

impl Protocol for Redis {
    type Connection = Connection<Cutter>;

    fn target(&self) -> String {
        Target::Redis(self.0.clone()).to_string()
    }

    async fn greet(&self, stream: Stream) -> Result<Connection<Cutter>, CallError> {
        let connection = Connection::open(stream);
        let mut request = Request::new();
        if let Some(Login { user, password }) = &self.0.login {
            // Servers before Redis 6 take a password alone.
            let user = user.as_ref().map(String::as_bytes);
            let words = [Some(&b"AUTH"[..]), user, Some(password.as_bytes())];
            request = request.command(&words.into_iter().flatten().collect::<Vec<_>>());
        }
        request = request.command(&[b"PING"]);
        // A user may be kept from SELECT, and a connection begins in database 0.
        if self.0.database != 0 {
            request = request.command(&[b"SELECT", self.0.database.to_string().as_bytes()]);
        }
        for piece in connection.ask(request).await? {
            if !matches!(piece, Piece::Word(_)) {
                return Err(refusal(&piece));
            }
        }
        Ok(connection)
    }

    fn has_ended(connection: &Connection<Cutter>) -> bool {
        connection.has_ended()
    }
}

impl Line<Redis> {
    /// Makes the call of an operation, once.
    pub(super) async fn issue(
        &self,
        operation: &Operation,
        values: &Values,
    ) -> Result<Answer, CallError> {
        let value = |write: &Write| values.value(&write.key, write.size);
        let new = Request::new;
        match operation {
            Operation::Get(key) | Operation::Fetch(Write { key, .. }) => {
                match self.one(new().command(&[b"GET", key.as_bytes()])).await? {
                    Piece::Value(_) => Ok(Answer::Read { hits: 1, misses: 0 }),
                    Piece::Nil => Ok(Answer::Read { hits: 0, misses: 1 }),
                    other => Err(refusal(&other)),
                }
            }
            Operation::Set(write) => self.write(new().put(write, &value(write), &[])).await,
            Operation::MultiSet(writes) => {
                let sets =
                    writes.iter().fold(new(), |sets, write| sets.put(write, &value(write), &[]));
                self.write(sets).await
            }
            Operation::Delete(key) => {
                match self.one(new().command(&[b"DEL", key.as_bytes()])).await? {
                    Piece::Number(_) => Ok(Answer::Done),
                    other => Err(refusal(&other)),
                }
            }
            Operation::SetIfAbsent(write) => {
                match self.one(new().put(write, &value(write), &[b"NX"])).await? {
                    Piece::Word(_) => Ok(Answer::Conditional { stored: true }),
                    Piece::Nil => Ok(Answer::Conditional { stored: false }),
                    other => Err(refusal(&other)),
                }
            }
            Operation::CompareAndSet(write) => self.compare_and_set(write, &value(write)).await,
            Operation::MultiGet(keys) => self.read(keys).await,
        }
    }

    /// What the server says that it is.
    pub(super) async fn version(&self) -> Option<String> {
        match self.one(Request::new().command(&[b"INFO", b"server"])).await.ok()? {
            Piece::Value(info) => version_in(&String::from_utf8_lossy(&info)),
            _ => None,
        }
    }

    async fn ask(&self, request: Request) -> Result<Vec<Piece>, CallError> {
        self.call(async |connection| connection.ask(request).await).await
    }

    /// Makes a request whose reply is one piece, or begins with the one that tells.
    async fn one(&self, request: Request) -> Result<Piece, CallError> {
        self.ask(request).await?.into_iter().next().ok_or_else(|| bad("nothing"))
    }

    async fn read(&self, keys: &[String]) -> Result<Answer, CallError> {
        let words: Vec<&[u8]> =
            [&b"MGET"[..]].into_iter().chain(keys.iter().map(String::as_bytes)).collect();
        let reply = self.ask(Request::new().command(&words)).await?;
        let items = match reply.split_first() {
            Some((Piece::Array(_), items)) => items,
            Some((other, _)) => return Err(refusal(other)),
            None => return Err(bad("nothing")),
        };
        if items.len() != keys.len() {
            return Err(CallError::BatchSize { asked: keys.len(), answered: items.len() });
        }
        let misses = items.iter().filter(|item| **item == Piece::Nil).count();
        Ok(Answer::Read { hits: (keys.len() - misses) as u64, misses: misses as u64 })
    }

    async fn write(&self, sets: Request) -> Result<Answer, CallError> {
        let replies = self.ask(sets).await?;
        match replies.iter().find(|reply| !matches!(reply, Piece::Word(_))) {
            Some(other) => Err(refusal(other)),
            None => Ok(Answer::Done),
        }
    }

    async fn compare_and_set(&self, write: &Write, value: &Bytes) -> Result<Answer, CallError> {
        let ttl = write.ttl.seconds().to_string();
        let script = COMPARE_AND_SET.as_bytes();
        let request = Request::new().command(&[
            b"EVAL",
            script,
            b"1",
            write.key.as_bytes(),
            value,
            value,
            ttl.as_bytes(),
        ]);
        match self.one(request).await? {
            Piece::Number(stored) => Ok(Answer::Conditional { stored: stored == 1 }),
            other => Err(refusal(&other)),
        }
    }
}

impl Request {
    /// Adds a SET.
    fn put(self, Write { key, ttl, .. }: &Write, value: &[u8], condition: &[&[u8]]) -> Self {
        let seconds = ttl.seconds().to_string();
        let mut words = vec![b"SET", key.as_bytes(), value];
        if *ttl != Ttl::NEVER {
            words.extend([&b"EX"[..], seconds.as_bytes()]);
        }
        words.extend(condition);
        self.command(&words)
    }
}

fn version_in(info: &str) -> Option<String> {
    VERSIONS.iter().find_map(|name| {
        let field = format!("{name}_version:");
        let version = info.lines().find_map(|line| line.strip_prefix(&field))?;
        Some(format!("{name} {}", version.trim()))
    })
}

/// What stands in the place of an answer.
fn refusal(piece: &Piece) -> CallError {
    match piece {
        Piece::Error(text) => {
            let text = String::from_utf8_lossy(text).into_owned();
            let code = text.split(' ').next().unwrap_or_default();
            CallError::Refused { name: name_of(code), text }
        }
        Piece::Word(word) => bad(&format!("{word:?}")),
        Piece::Number(number) => bad(&number.to_string()),
        Piece::Value(_) => bad("a value"),
        Piece::Nil => bad("nil"),
        Piece::Array(_) => bad("an array"),
    }
}

fn bad(what: &str) -> CallError {
    CallError::BadReply(format!("{what} is no answer to this command"))
}

/// The name to count an error by, whose first word is its code.
fn name_of(code: &str) -> &'static str {
    match code {
        "OOM" => "OUT_OF_MEMORY",
        "LOADING" => "REDIS_LOADING",
        "READONLY" => "REDIS_READ_ONLY",
        "NOAUTH" | "NOPERM" | "WRONGPASS" => "REDIS_NO_AUTH",
        "MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" => "REDIS_CLUSTER",
        _ => "REDIS_ERROR",
    }
}

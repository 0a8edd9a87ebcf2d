//! Servers that speak RESP, such as Redis, Valkey and Dragonfly. Requests go out without
//! waiting for earlier replies, which come back in the order of the requests.
//!
//! The client is our own, over the same pipeline as memcached's, so that both systems are
//! driven in the same way.

pub(super) mod wire; // commands and replies as bytes

use tiny_cache_client::{Error, Ttl};

use self::wire::Cutter;
pub(super) use self::wire::Piece;
use super::{
    address::{Login, RedisAddress},
    answer::Answer,
    error::CallError,
    pipeline::{Commands, Connection},
    reconnecting::{Protocol, Reconnecting},
    tls::{PlainTls, TlsFiles},
};
use crate::workload::Write;

/// Fields of INFO with a version, before the one that all have: others than Redis put the
/// version there that they are compatible with.
const VERSIONS: [&str; 4] = ["valkey", "dragonfly", "garnet", "redis"];

/// The protocol, spoken in a database.
#[derive(Clone, Debug)]
pub(crate) struct Redis {
    address: RedisAddress,
    tls: Option<PlainTls>,
}

impl Redis {
    /// Reads the files of TLS, if the address asks for it.
    pub(super) fn new(address: &RedisAddress, files: &TlsFiles) -> Result<Self, Error> {
        let tls = address.tls.then(|| PlainTls::read(files, &address.at)).transpose()?;
        Ok(Self { address: address.clone(), tls })
    }
}

impl Protocol for Redis {
    type Connection = Connection<Cutter>;

    async fn connect(&self) -> Result<Connection<Cutter>, CallError> {
        let RedisAddress { at, login, database, .. } = &self.address;
        let connection = Connection::open(at, self.tls.as_ref()).await?;
        let mut commands = Commands::new();
        if let Some(Login { user, password }) = login {
            // Servers before Redis 6 take a password alone.
            let user = user.as_ref().map(String::as_bytes);
            let words = [Some(&b"AUTH"[..]), user, Some(password.as_bytes())];
            commands = commands.words(&words.into_iter().flatten().collect::<Vec<_>>());
        }
        commands = commands.words(&[b"PING"]);
        // A user may be kept from SELECT, and a connection begins in database 0.
        if *database != 0 {
            commands = commands.words(&[b"SELECT", database.to_string().as_bytes()]);
        }
        all_words(&connection.ask(commands).await?)?;
        Ok(connection)
    }

    fn has_ended(connection: &Connection<Cutter>) -> bool {
        connection.has_ended()
    }
}

impl Reconnecting<Redis> {
    /// The name and version that the server gives itself.
    pub(super) async fn version(&self) -> Option<String> {
        match self.one(Commands::new().words(&[b"INFO", b"server"])).await.ok()? {
            Piece::Value(info) => version_in(&String::from_utf8_lossy(&info)),
            _ => None,
        }
    }

    pub(super) async fn ask(&self, commands: Commands) -> Result<Vec<Piece>, CallError> {
        self.call(async |connection| connection.ask(commands).await).await
    }

    /// Sends commands and returns the first piece of their reply.
    pub(super) async fn one(&self, commands: Commands) -> Result<Piece, CallError> {
        self.ask(commands).await?.into_iter().next().ok_or_else(|| bad("nothing"))
    }

    /// Sends commands that are each answered with a word.
    pub(super) async fn write(&self, sets: Commands) -> Result<Answer, CallError> {
        all_words(&self.ask(sets).await?).map(|()| Answer::Done)
    }
}

impl Commands {
    /// Adds a SET.
    pub(super) fn put(
        self,
        Write { key, ttl, .. }: &Write,
        value: &[u8],
        condition: &[&[u8]],
    ) -> Self {
        let seconds = ttl.seconds().to_string();
        let mut words = vec![b"SET", key.as_bytes(), value];
        if *ttl != Ttl::NEVER {
            words.extend([&b"EX"[..], seconds.as_bytes()]);
        }
        words.extend(condition);
        self.words(&words)
    }
}

/// Refuses a reply of which a piece is no word such as OK.
fn all_words(pieces: &[Piece]) -> Result<(), CallError> {
    let other = pieces.iter().find(|piece| !matches!(piece, Piece::Word(_)));
    other.map_or(Ok(()), |other| Err(refusal(other)))
}

fn version_in(info: &str) -> Option<String> {
    VERSIONS.iter().find_map(|name| {
        let field = format!("{name}_version:");
        let version = info.lines().find_map(|line| line.strip_prefix(&field))?;
        Some(format!("{name} {}", version.trim()))
    })
}

/// What stands in the place of an answer.
pub(super) fn refusal(piece: &Piece) -> CallError {
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

pub(super) fn bad(what: &str) -> CallError {
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

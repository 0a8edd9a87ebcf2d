//! Describes one entry: its size, its times and where it stands.

use std::time::Duration;

use tiny_cache_proto::v1::{DescribeReply, DescribeRequest, Place as Told, ReadState};

use super::{Call, Client, Error, Request, Result, Run};
use crate::{entry::Version, milliseconds};

impl Client {
    /// Describes an entry; `None` is a miss. Counts neither as a use of it nor as a hit or a miss.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// client.set("key", "value").await?;
    /// let entry = client.describe("key").await?.expect("it was just written");
    /// assert!(entry.value_bytes == 5 && entry.memory_bytes > 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::read`].
    pub fn describe<'c>(&'c self, key: &'c str) -> Request<'c, Describe<'c>> {
        self.request(Describe { key })
    }
}

/// See [`Client::describe`].
#[derive(Debug)]
pub struct Describe<'a> {
    key: &'a str,
}

/// An entry as [`Client::describe`] found it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The write that the entry is from.
    pub version: Version,
    /// Time since it was written.
    pub age: Duration,
    /// Time until it expires, zero if it has; none if it never does.
    pub ttl_left: Option<Duration>,
    /// Whether it has expired, and is kept while it is made anew.
    pub is_stale: bool,
    /// How long it is kept beyond its TTL as a stale one, or what is left of that.
    pub stale_left: Duration,
    /// Bytes of its value.
    pub value_bytes: u64,
    /// Bytes that it counts as against the memory limit, with its key and its overhead.
    pub memory_bytes: u64,
    /// Where it stands, and what that tells of its uses.
    pub place: Place,
    /// What it can be [invalidated](Client::invalidate) by.
    pub tags: Vec<String>,
    /// Names the process of the server.
    pub process_id: u32,
}

/// Which part of the store has an entry. The time of its last use is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// The window, in which new entries show whether they are read again.
    Window {
        /// Reads so far; 2 stands for more, too.
        reads: u32,
    },
    /// The residents: it has proved itself in the window, or there is no window.
    Resident {
        /// At most so many others have become residents since a use of it was noted, which is not
        /// done anew until a sixteenth as many as there are have come. None: the policy has no
        /// window.
        since_use: Option<u64>,
    },
}

impl Run for Describe<'_> {
    type Output = Result<Option<Description>>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?.of_key(self.key)?;
        Description::of(call.make(&DescribeRequest { key: self.key.to_owned() }).await?)
    }
}

impl Description {
    /// The description of a reply; none for a miss.
    fn of(reply: DescribeReply) -> Result<Option<Self>> {
        let is_stale = match reply.state() {
            ReadState::Miss => return Ok(None),
            ReadState::Fresh => false,
            ReadState::Stale => true,
            ReadState::Unspecified | ReadState::Busy => {
                return Err(Error::unknown_status(reply.state));
            }
        };
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        let place = match reply.place() {
            Told::Window => {
                Place::Window { reads: u32::try_from(reply.window_reads).unwrap_or_default() }
            }
            Told::Resident => Place::Resident { since_use: reply.residents_since_use.map(count) },
            Told::Unspecified => return Err(Error::unknown_status(reply.place)),
        };
        let left = milliseconds::duration(reply.ttl_left_ms);
        let version = Version::of(reply.version);
        Ok(Some(Self {
            version: version.ok_or_else(|| Error::bad_reply("an entry has no version"))?,
            age: milliseconds::duration(reply.age_ms),
            ttl_left: (is_stale || !left.is_zero()).then_some(left),
            is_stale,
            stale_left: milliseconds::duration(reply.stale_left_ms),
            value_bytes: count(reply.value_bytes),
            memory_bytes: count(reply.memory_bytes),
            place,
            tags: reply.tags,
            process_id: reply.process_id,
        }))
    }
}

//! Lists the keys of a namespace, a page at a time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tiny_cache_proto::v1::{ScanEntry, ScanReply, ScanRequest};

use super::{Call, Client, Error, Request, Result, Run};
use crate::{entry::Version, milliseconds, servers::Member};

impl Client {
    /// Lists the keys that begin with `prefix`, a page at a time; an empty prefix lists all of the
    /// namespace. A page may be short, or empty, while there is more. Of several servers one after
    /// the other is asked.
    ///
    /// A key that is there during the whole scan is listed once, whatever is written meanwhile. Of
    /// several servers two may list a key that has moved.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// client.set("user:7", "alice").await?;
    /// let mut next = None;
    /// loop {
    ///     let page = client.scan("user:").after(next).await?;
    ///     for entry in &page.entries {
    ///         println!("{} has {} bytes", entry.key, entry.value_bytes);
    ///     }
    ///     next = page.next;
    ///     if next.is_none() {
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A server that started again meanwhile knows its cursors no more
    /// ([`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument)): scan anew. Otherwise as
    /// [`Client::read`].
    pub fn scan<'c>(&'c self, prefix: &'c str) -> Request<'c, Scan<'c>> {
        self.request(Scan { prefix, after: None, limit: 0 })
    }
}

/// See [`Client::scan`].
#[derive(Debug)]
pub struct Scan<'a> {
    prefix: &'a str,
    after: Option<ScanCursor>,
    limit: u32,
}

/// Where a [`scan`](Client::scan) goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanCursor {
    /// The name of the server to ask; none if there is one alone.
    server: Option<Arc<str>>,
    /// Empty: its first page.
    cursor: Bytes,
}

/// A part of what a [`scan`](Client::scan) lists.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanPage {
    /// In no order that means anything.
    pub entries: Vec<Listed>,
    /// Where the next page goes on; none: this is the last.
    pub next: Option<ScanCursor>,
    /// The name of the server that listed them; none if the client has one alone.
    pub server: Option<Arc<str>>,
    /// Names the process of the server.
    pub process_id: u32,
}

/// An entry as a [`scan`](Client::scan) lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Its key, without its namespace.
    pub key: String,
    /// The write that the entry is from.
    pub version: Version,
    /// Bytes of its value.
    pub value_bytes: u64,
    /// Time until it expires; none if it never does.
    pub ttl_left: Option<Duration>,
}

impl Request<'_, Scan<'_>> {
    /// Goes on behind the page that this cursor is from; none: begins.
    pub fn after(self, cursor: impl Into<Option<ScanCursor>>) -> Self {
        self.with(|scan| scan.after = cursor.into())
    }

    /// Limits the keys of the page, to 1 to 10,000; 1,000 by default.
    pub fn limit(self, keys: u32) -> Self {
        self.with(|scan| scan.limit = keys)
    }
}

impl Run for Scan<'_> {
    type Output = Result<ScanPage>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let Self { prefix, after, limit } = self;
        let call = call?;
        let after = after.unwrap_or(ScanCursor { server: None, cursor: Bytes::new() });
        let mut request = ScanRequest {
            prefix: prefix.to_owned(),
            cursor: after.cursor,
            limit: i32::try_from(limit).unwrap_or(i32::MAX),
        };
        let Some(members) = call.members().await? else {
            return ScanPage::of(call.make(&request).await?, None, None);
        };
        let mut members =
            members.iter().skip_while(|member| Some(&member.name) < after.server.as_ref());
        let member = members.next().ok_or_else(|| {
            Error::validation("the server at which the scan was is gone; scan anew")
        })?;
        if after.server.as_ref() != Some(&member.name) {
            // The one whose cursor it is has gone, with its entries.
            request.cursor = Bytes::new();
        }
        let reply = call.to(member).make(&request).await?;
        ScanPage::of(reply, Some(member), members.next())
    }
}

impl ScanPage {
    /// The page of a reply, of one of several servers and before that of another.
    fn of(
        reply: ScanReply,
        server: Option<&Arc<Member>>,
        behind: Option<&Arc<Member>>,
    ) -> Result<Self> {
        let name = |member: &Arc<Member>| member.name.clone();
        let server = server.map(name);
        let next = if reply.cursor.is_empty() {
            behind.map(|member| ScanCursor { server: Some(name(member)), cursor: Bytes::new() })
        } else {
            Some(ScanCursor { server: server.clone(), cursor: reply.cursor })
        };
        let entries = reply.entries.into_iter().map(Listed::of).collect::<Result<_>>()?;
        Ok(Self { entries, next, server, process_id: reply.process_id })
    }
}

impl Listed {
    fn of(entry: ScanEntry) -> Result<Self> {
        let ScanEntry { key, version, value_bytes, ttl_left_ms } = entry;
        let left = milliseconds::duration(ttl_left_ms);
        Ok(Self {
            key,
            version: Version::of(version)
                .ok_or_else(|| Error::bad_reply("an entry has no version"))?,
            value_bytes: u64::try_from(value_bytes).unwrap_or_default(),
            ttl_left: (!left.is_zero()).then_some(left),
        })
    }
}

//! The lower half of the client: one HTTP/2 connection and single calls over it, without
//! pool, retries or options. For tools, such as a load tester, that must see each call as it
//! is; everybody else wants [`Client`](crate::Client).
//!
//! ```
//! use bytes::Bytes;
//! use tiny_cache_client::transport::{Connection, Endpoint, Head, rpc};
//! # use tiny_cache_client::testing::TestServer;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = TestServer::start().await?;
//! # let address = server.address();
//! let connection = Connection::open(&Endpoint::new(address.parse()?)).await?;
//! let head = Head::default();
//! let value = Bytes::from_static(b"hello");
//! connection.call(&rpc::Set { key: "greeting", value: &value, ttl: 60 }, &head).await?;
//! assert_eq!(connection.call(&rpc::Get { key: "greeting" }, &head).await?.value, value);
//! # Ok(())
//! # }
//! ```

mod endpoint; // where to, and how to get there
mod race; // its addresses, until one answers
mod greeting; // what an answer is: the server's HTTP/2 settings
mod hangup; // a peer's last words
mod connection; // HTTP/2: many calls at a time
mod gather; // its writes, a turn's at once
mod head; // the metadata of a call
pub mod rpc; // one struct for each RPC
mod wire; // its message, encoded
mod reply; // what came back
mod status; // its status, whatever shape that has
mod failure; // or why nothing did

pub use self::{
    connection::Connection,
    endpoint::{ConnectError, Endpoint},
    failure::{Failure, Reach},
    head::{Head, ReplyMetadata},
};
pub(crate) use self::{
    connection::Established,
    endpoint::{ConnectFn, Io, ResolveFn},
    head::OnReply,
    race::Steer,
};

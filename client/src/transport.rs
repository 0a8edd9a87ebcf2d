//! The lower half of the client: one HTTP/2 connection and single calls over it, without pool,
//! retries or options. For tools, such as a load tester, that measure single calls. Applications
//! use [`Client`](crate::Client).
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

mod endpoint; // a server's address, and the route to it
mod race; // tries its addresses until one answers
mod greeting; // makes a connection: waits for the server's HTTP/2 settings
mod refusal; // words the errors of TLS
mod hangup; // reads a peer's last bytes
mod connection; // HTTP/2: many calls at a time
mod gather; // one write for each turn of a connection
mod head; // the metadata of a call
mod token; // the bearer token in it
pub mod rpc; // the table of RPCs
mod wire; // encodes a message
mod reply; // reads a reply
mod status; // reads its status
mod failure; // why there is no reply
#[cfg(fuzzing)]
pub mod fuzzing; // replies from any bytes

pub use self::{
    connection::Connection,
    endpoint::{ConnectError, Endpoint},
    failure::{Failure, Reach},
    head::{Head, ReplyMetadata},
    refusal::words as tls_words,
    token::{InvalidToken, Token},
};
pub(crate) use self::{
    connection::Established,
    endpoint::{ConnectFn, Io, ResolveFn, Route},
    failure::Pushback,
    head::OnReply,
    race::Steer,
};

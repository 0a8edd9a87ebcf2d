//! HTTP/2 without I/O.
//!
//! [`Connection`] is a pure function of bytes and time: bytes that a client sent go in, requests
//! come out as [`Event`]s; replies go in, bytes to send come out. It knows HTTP/2 (RFC 9113) and
//! HPACK (RFC 7541), and nothing of sockets, runtimes, TLS, gRPC or caches.
//!
//! # Two lanes
//!
//! For each request the owner chooses a [`Lane`] by its pseudo-header fields. On [`Lane::Whole`]
//! a small request is one event, [`Event::Request`], whose body is a slice of the input where it
//! lies there in one piece; its reply, [`Connection::reply`], is written in one piece, too.
//! Neither allocates. On [`Lane::Stream`], and for requests on the other lane that are large or
//! slow, there are [`Event::Head`], [`Event::Data`] and [`Event::Trailers`], flow control in
//! the hands of the owner ([`Connection::release`]), and replies piece by piece
//! ([`Connection::begin`], [`Connection::data`], [`Connection::trailers`]).
//!
//! # A turn
//!
//! ```
//! use std::{io::IoSlice, sync::Arc, time::Instant};
//! use tiny_cache_http2::{Block, Body, Config, Connection, Event, Lane, Limits, Reply, Workspace};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Arc::new(Config::new(&["x-request-id"], |_| Lane::Whole, Limits::default()));
//! let (ok, done) = (Block::status(200), Block::empty().field("grpc-status", "0"));
//! let mut work = Workspace::default();
//! let mut connection = Connection::server(config, Instant::now());
//!
//! // Bytes were read from a socket.
//! let mut input: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
//! let now = Instant::now();
//! while let Some(event) = connection.receive(&mut input, now, &mut work)? {
//!     if let Event::Request { stream, body, .. } = event {
//!         let body = Body::Copied(body);
//!         let reply = Reply { head: &ok, fields: &[], body, trailers: &done, trailer_fields: &[] };
//!         // The stream is gone if the client has cancelled the request, which is no error.
//!         let _ = connection.reply(stream, reply);
//!     }
//! }
//! // What there is to write.
//! let mut slices = [IoSlice::new(&[]); 8];
//! let used = connection.output(&mut slices);
//! let bytes = slices[..used].iter().map(|slice| slice.len()).sum();
//! connection.consumed(bytes, now, &mut work);
//! # assert!(bytes > 0 && input.is_empty() && connection.is_established());
//! # Ok(())
//! # }
//! ```
//!
//! # What a peer cannot do
//!
//! Every bound has its reason beside it and its test: header lists ([`Limits`]), header blocks
//! (`connection/headers.rs`), the dynamic table (`hpack/decoder.rs`), frames that cost more
//! than they bring (`flood.rs`), output that is not read (`connection.rs`, `connection/patience.rs`), and time
//! (`connection/clock.rs`). [`clauses`] lists the rules of both RFCs with the tests that hold
//! them.
//!
//! # Roles
//!
//! The server's role is built. What depends on it is in `preface.rs`, in the parity of streams
//! (`stream.rs`, `connection/headers.rs`) and in the pseudo-header fields (`names.rs`,
//! `head.rs`); frames, HPACK, windows, budgets and output serve a client as well.

#![forbid(unsafe_code)]

// In the order in which bytes meet them.
mod preface;
mod frame;
mod hpack;
mod names;
mod head;
mod stream;
mod flow;
mod flood;
mod patience;
mod fields;
mod output;

// What ties them together, and what an owner sees of it.
mod connection;
mod config;
mod error;
mod event;

pub mod clauses;
#[doc(hidden)]
pub mod surface;

pub use self::{
    config::{Config, Limits},
    connection::{Body, Connection, FieldValue, Gone, Reply},
    error::{Code, ConnectionError, ErrorKind},
    event::{Event, StreamId, Workspace},
    fields::{Block, FieldName},
    flood::Floods,
    head::{Head, Lane},
    hpack::huffman::decode_huffman,
    names::MAX_KEPT,
    patience::Patience,
};

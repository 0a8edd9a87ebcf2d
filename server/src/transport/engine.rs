//! Connections on our own HTTP/2 engine, `tiny_cache_http2`, which knows no sockets.
//!
//! A worker has one [`Engine`]: one read buffer and one workspace for all of its connections, of
//! which it looks at one at a time. So an idle connection holds no buffers.
//!
//! Requests take one of two lanes. What came whole is offered to [`Answers::answer`], which mostly
//! answers it at once, without a future and without types of HTTP. Everything else becomes an
//! [`http::Request`] and goes to [`Answers::call`].

mod shared; // the buffers and bounds of a worker
mod turns; // a connection, from one look to the next
mod answers; // what it asks of those that answer its requests
mod calls; // the requests that are futures
mod upload; // the body of such a request
mod messages; // heads and fields, between the engine's types and those of HTTP

pub(crate) use self::{
    answers::{Answered, Answers, ReplyTo, Unary},
    messages::Arrival,
    shared::Engine,
    turns::Turns,
    upload::Upload,
};

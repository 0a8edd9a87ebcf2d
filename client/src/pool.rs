//! The client's connections: opened when they are needed, picked by load, replaced when they
//! end. All of them lead to one server.

mod connections; // the pool: picks a connection, or waits for one
mod dialing; // an attempt to connect, which callers share
mod dial; // makes one, and adds the connection to the pool
mod pooled; // a connection, and what the pool knows about it
mod check; // whether the server answers over one
mod upkeep; // when connections are checked and replaced
mod watch; // the task that does both

pub(crate) use self::{
    connections::{Pool, Unconnected},
    pooled::Pooled,
    upkeep::Upkeep,
};

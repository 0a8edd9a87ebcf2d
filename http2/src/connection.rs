//! One connection in the server's role: what it knows, and how its parts work together.
//!
//! `receive` → `headers`, `data`, `control` → the owner → `send`; `deadlines` and `drain` beside
//! them. `state` holds the connection itself, of which each other file holds one part; the rules
//! for streams, windows and budgets are in modules of their own.

mod block;
mod clock;
mod state;

mod receive;
mod headers;
mod data;
mod control;
mod send;
mod deadlines;
mod drain;
mod patience;

pub use self::{
    send::{Body, FieldValue, Gone, Reply},
    state::Connection,
};

//! The engine as its owner and its peer see it: bytes in, events out, replies in, bytes out.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

mod made;
mod support;

mod bounds;
mod clauses;
mod cuts;
mod differential;
mod drain;
mod model;
mod replies;
mod requests;
mod rules;
mod sequences;
mod surfaces;
mod time;
mod wire;

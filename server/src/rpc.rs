//! Every RPC on its way from the transport to its service and back. A small call takes the short way,
//! `unary`; others go through the rooms from `pipeline` on, in their order.
//! Knows no keys, no values and no store.

mod pipeline; // takes a request through what follows, and finds its service
mod unary; // the short way of a call that is there as a whole
mod head; // refuses what is no call
mod meter; // counts it
mod overload; // refuses it when too many are in flight
mod deadline; // until when it has to be answered
mod caller; // who asked, for the log
mod need; // what it must be allowed
mod request_body; // the body, and what is left of it when it is refused
mod intake; // bounds the memory and the time of its message
mod messages; // reads the message
mod compression; // unpacks it
mod in_flight; // lets the service answer, and reports how that went
mod reply; // the reply in its last form
mod outcome; // what it leaves in metrics, trace and log
#[cfg(fuzzing)]
pub(crate) mod fuzzing; // bodies from any bytes

pub(crate) use self::{
    intake::{IntakeBudget, IntakeLimits},
    meter::Meter,
    overload::Overload,
    pipeline::{ConnectionRpc, Rpc, Services, WorkerContext},
};

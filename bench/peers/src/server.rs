//! A server's process: started on one core, read from `/proc`, and ended with this program.

mod cores;
mod identity;
mod process;
mod programs;

pub use self::{
    cores::Cores,
    identity::Identity,
    process::{Server, own_cpu},
    programs::{Program, Programs},
};

//! What the tests of several crates need: running a program, in a terminal or without one,
//! certificates, and the import graph of a crate.

pub mod certificates;
pub mod imports;
pub mod nowhere;
pub mod process;
pub mod screen;

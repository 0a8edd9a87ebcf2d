//! The second service, `tinycache.v1.Cache`: a file for each RPC, and one for what all have in
//! common with those of the first. Their rights are among the tests of access.

mod add;
mod batch;
mod describe;
mod hot_keys;
mod invalidate;
mod leases;
mod read;
mod remove;
mod scan;
mod shared;
mod what_if;
mod write;

//! The RPCs of the second service, `tinycache.v1.Cache`: a file each, as for the first one.

mod add;
mod batch; // any mix of the others
mod change; // what a write and a removal have in common: condition and reply
mod describe;
mod durations; // milliseconds on the wire
mod hot_keys;
mod invalidate;
mod lease; // the lease that a read asks for
mod limit; // how many keys a reply has
mod read;
mod release;
mod remove;
mod scan;
mod what_if;
mod write;

pub(crate) use self::{
    add::Add, batch::Batch, describe::Describe, hot_keys::HotKeys, invalidate::Invalidate,
    read::Read, release::Release, remove::Remove, scan::Scan, what_if::WhatIf, write::Write,
};
#[cfg(any(test, fuzzing))]
pub(crate) use self::{
    add::AddOne, batch::Operations, hot_keys::HotPage, invalidate::InvalidateAll, read::ReadOne,
    release::ReleaseOne, remove::RemoveOne, scan::ScanPage, write::WriteOne,
};

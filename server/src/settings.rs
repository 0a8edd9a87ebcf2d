//! Turns the environment into valid settings. Nothing later checks a setting again.

mod variables; // name, default and help of each, written once
mod parse; // reads one value
mod memory; // the memory limit, and whether the process fits into its container
mod tls; // the PEM files
mod access; // who callers are, and what they may do
mod tier; // the second tier
mod void; // what is set and has no effect
mod read; // all of them
mod values; // what the server gets
mod error;

#[cfg(test)]
mod tests;

pub use crate::{
    access::{AccessFiles, CertificateName, JwtFiles},
    cgroup::MemoryLimit,
    logging::LogFormat,
    tier::{TierFiles, TierSettings},
};

pub use self::{
    error::SettingsError,
    memory::RESIDENT_PERCENT,
    read::HealthAddress,
    values::{PairFiles, Settings, TlsFiles, Transport},
    variables::{VARIABLES, Variable},
};

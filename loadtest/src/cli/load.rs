//! The options of a made-up workload: what run and search send, but for the rate.

use std::{
    hash::{BuildHasher, RandomState},
    time::{Duration, SystemTime},
};

use clap::Args;

use super::{
    drive::{DriveArgs, Origin},
    parse::positive_duration,
    workload::WorkloadArgs,
};
use crate::{
    engine::{ArrivalKind, Pace, Rate},
    error::Refusal,
    peers::Namespace,
    spec::Load,
};

/// What is sent and how, but for the rate.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    /// How the instants of sending lie, in an open loop [default: constant]
    #[arg(long, value_enum)]
    pub arrivals: Option<ArrivalKind>,

    /// How long to send requests before they are measured, at each rate
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub warm_up: Option<Duration>,

    /// Write every key once before the run, as fast as the server answers, whatever the rate
    #[arg(long)]
    pub prefill: bool,

    /// Work in the shared keyspace, without a namespace, and leave there what was written
    #[arg(long, conflicts_with = "namespace")]
    pub no_namespace: bool,

    /// Check that every value read is one that may be there: not torn, not another key's or
    /// namespace's, not replaced or removed before, not past its ttl. Each value has 60 bytes or
    /// more, which the check needs
    #[arg(long)]
    pub verify: bool,

    /// What is sent
    #[command(flatten)]
    pub workload: WorkloadArgs,

    /// What is driven
    #[command(flatten)]
    pub drive: DriveArgs,
}

impl LoadArgs {
    /// An open loop of this rate.
    pub(super) fn open(&self, rate: Rate) -> Pace {
        let arrivals = self.arrivals.unwrap_or(ArrivalKind::Constant);
        let [in_flight, max_in_flight] = self.drive.open();
        Pace::Open { rate, arrivals, in_flight, max_in_flight }
    }

    /// What is sent at this pace. Without --namespace a name is made up, so that a run neither
    /// finds the entries of an earlier run nor touches those of other clients.
    ///
    /// # Errors
    ///
    /// Options do not go together.
    pub(super) fn load(&self, pace: Pace) -> Result<Load, Refusal> {
        let leases = self.workload.leases;
        let origin = self.workload.origin.map(|takes| Origin { takes, leases });
        let mut drive = self.drive.drive(pace, origin)?;
        let target = &drive.route.target;
        if !target.is_tiny_cache() {
            let given = [("--verify", self.verify), ("--no-namespace", self.no_namespace)];
            Refusal::idle(given, format!("a tiny-cache server, not {target}"))?;
        } else if self.drive.namespace.is_empty() && !self.no_namespace {
            drive.route.namespaces.push(own_namespace());
            drive.own_namespace = true;
        }
        let longest = drive.route.max_key_chars().min(drive.route.target.max_key_bytes());
        Ok(Load {
            workload: self.workload.spec(longest, drive.route.spaces().len())?,
            preset: self.workload.preset.as_ref().map(|preset| preset.name),
            prefill: self.prefill,
            verify: self.verify,
            drive,
        })
    }
}

fn own_namespace() -> Namespace {
    let random = RandomState::new().hash_one(SystemTime::now()) as u32;
    format!("loadtest-{random:08x}").parse().expect("letters, digits and a hyphen")
}

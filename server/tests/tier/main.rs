//! The second tier, on real servers: the wire contract's rows over one Redis, and over a
//! cluster, and what becomes of calls when the tier goes away, comes back, changes
//! and tells nothing.
//!
//! Ignored in a normal run, because it needs `redis-server` and `redis-cli`: `make test-tier`.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

#[path = "../support/mod.rs"]
mod support;

/// Makes a test of each row of the contract for each deployment with a tier.
macro_rules! rows {
    ($($row:ident),+ $(,)?) => {
        crate::rows_on!(over_redis, OverRedis, $($row),+);
        crate::rows_on!(over_a_cluster, OverCluster, $($row),+);
    };
}

/// What the store itself holds, of which it has a part only here: no tests.
macro_rules! store_rows {
    ($($row:ident),+ $(,)?) => {};
}

/// Makes a test of each row for one deployment.
macro_rules! rows_on {
    ($name:ident, $deployment:ident, $($row:ident),+) => {
        mod $name {
            $(
                #[test]
                #[ignore = "needs redis-server; run by `make test-tier`"]
                fn $row() {
                    crate::support::run(super::$row(crate::support::Deployment::$deployment));
                }
            )+
        }
    };
}

pub(crate) use {rows, rows_on, store_rows};

mod away;
mod changes;
mod cluster;
mod nodes;
mod outages;
mod refusals;
mod secured;

#[path = "../contract"]
#[allow(dead_code, reason = "rows of what the store holds make no tests here")]
mod contract {
    pub(crate) mod batches;
    pub(crate) mod compression;
    pub(crate) mod conditional;
    pub(crate) mod framing;
    pub(crate) mod hostile;
    pub(crate) mod intake;
    pub(crate) mod keys;
    pub(crate) mod lanes;
    pub(crate) mod limits;
    pub(crate) mod linearizability;
    pub(crate) mod model;
    pub(crate) mod namespaces;
    pub(crate) mod request_ids;
    pub(crate) mod requests;
    pub(crate) mod stats;
    pub(crate) mod ttl;
    pub(crate) mod values;
}

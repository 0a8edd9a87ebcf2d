//! The wire contract over real sockets, row by row. Each row is an async
//! function named after what it promises; `rows!` makes a test of it for each deployment: 1 worker
//! with 1 shard, several of each, over TLS, by hyper, and with every call on the long way.
//! Rows that the deployment cannot change are plain tests.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

#[path = "../support/mod.rs"]
mod support;

/// Makes a test of each row for each deployment.
macro_rules! rows {
    ($($row:ident),+ $(,)?) => {
        crate::rows_on!(one_worker_one_shard, OneWorkerOneShard, $($row),+);
        crate::rows_on!(several_workers_and_shards, SeveralWorkersAndShards, $($row),+);
        crate::rows_on!(over_tls, Tls, $($row),+);
        crate::rows_on!(by_hyper, ByHyper, $($row),+);
        crate::rows_on!(by_hyper_over_tls, ByHyperOverTls, $($row),+);
        crate::rows_on!(the_long_way, LongWay, $($row),+);
    };
}

/// As [`rows`], of what the store itself holds: with a second tier it has a part of the entries.
macro_rules! store_rows {
    ($($row:ident),+ $(,)?) => {
        crate::rows_on!(store_of_one_worker_one_shard, OneWorkerOneShard, $($row),+);
        crate::rows_on!(store_of_several_shards, SeveralWorkersAndShards, $($row),+);
        crate::rows_on!(store_over_tls, Tls, $($row),+);
        crate::rows_on!(store_by_hyper, ByHyper, $($row),+);
        crate::rows_on!(store_by_hyper_over_tls, ByHyperOverTls, $($row),+);
        crate::rows_on!(store_the_long_way, LongWay, $($row),+);
    };
}

/// Makes a test of each row for one deployment.
macro_rules! rows_on {
    ($name:ident, $deployment:ident, $($row:ident),+) => {
        mod $name {
            $(
                #[test]
                fn $row() {
                    crate::support::run(super::$row(crate::support::Deployment::$deployment));
                }
            )+
        }
    };
}

pub(crate) use {rows, rows_on, store_rows};

mod access;
mod batches;
mod compression;
mod conditional;
mod environment;
mod eviction;
mod framing;
mod health;
mod hostile;
mod http;
mod http2;
mod https;
mod intake;
mod keys;
mod lanes;
mod lifetimes;
mod limits;
mod linearizability;
mod log_level;
mod metrics;
mod model;
mod namespaces;
mod overload;
#[cfg(target_os = "linux")]
mod process_metrics;
mod quotas;
mod reflection;
mod revocation;
mod request_ids;
mod requests;
mod stats;
mod tls;
mod tls_files;
mod tls_reload;
mod ttl;
mod v1;
mod values;

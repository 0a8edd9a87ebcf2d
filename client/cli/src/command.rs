//! The commands that call a server: a file and a row each.

pub(crate) mod get;
pub(crate) mod set;
pub(crate) mod set_if_absent;
pub(crate) mod compare_and_set;
pub(crate) mod delete;
pub(crate) mod mget;
pub(crate) mod mset;
pub(crate) mod mdelete;
mod refusals; // the refused items of a batch
mod room; // the limit behind a refused value
pub(crate) mod read;
pub(crate) mod write;
pub(crate) mod remove;
pub(crate) mod touch;
pub(crate) mod incr;
pub(crate) mod invalidate;
pub(crate) mod describe;
pub(crate) mod hot;
pub(crate) mod scan;
mod table; // aligned columns
pub(crate) mod stats;
pub(crate) mod what_if;
pub(crate) mod namespaces;
pub(crate) mod whereabouts; // the command `where`
pub(crate) mod ping;
pub(crate) mod health;

use clap::Subcommand;

use crate::{
    connection::ConnectionArgs,
    error::{Error, refused},
    input::{self, TtlArgs, ValueArgs},
    output::Output,
    session::{Call, Session, Verdict},
    watch,
};

macro_rules! commands {
    ($($name:ident($args:ty),)+) => {
        /// The commands that call a server.
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {
            $($name($args),)+
        }

        impl Command {
            /// Runs the command against the server of `connection`.
            pub(crate) async fn run(
                self,
                connection: &ConnectionArgs,
                output: Output,
            ) -> Result<Verdict, Error> {
                match self {
                    $(Self::$name(args) => args.call(connection, output).await,)+
                }
            }
        }
    };
}

commands! {
    Get(get::GetArgs),
    Set(set::SetArgs),
    SetIfAbsent(set_if_absent::SetIfAbsentArgs),
    CompareAndSet(compare_and_set::CompareAndSetArgs),
    Delete(delete::DeleteArgs),
    Mget(mget::MgetArgs),
    Mset(mset::MsetArgs),
    Mdelete(mdelete::MdeleteArgs),
    Read(read::ReadArgs),
    Write(write::WriteArgs),
    Remove(remove::RemoveArgs),
    Touch(touch::TouchArgs),
    Incr(incr::IncrArgs),
    Invalidate(invalidate::InvalidateArgs),
    Scan(scan::ScanArgs),
    Describe(describe::DescribeArgs),
    Hot(hot::HotArgs),
    Stats(stats::StatsArgs),
    WhatIf(what_if::WhatIfArgs),
    Namespaces(namespaces::NamespacesArgs),
    Where(whereabouts::WhereArgs),
    Ping(ping::PingArgs),
    Health(health::HealthArgs),
    WatchStats(watch::WatchArgs),
}

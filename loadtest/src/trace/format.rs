//! The formats that can be read.

use strum::IntoStaticStr;

/// The formats that can be read.
// Its values are documented for the help of --format.
#[derive(Clone, Copy, Debug, Eq, IntoStaticStr, PartialEq, clap::ValueEnum)]
#[strum(serialize_all = "kebab-case")]
pub enum Format {
    /// `start count 0 n`, the traces of the ARC paper
    Arc,
    /// An id in each line, the traces of the LIRS paper
    Lirs,
    /// The rows of twitter/cache-trace
    Twitter,
    /// The rows with a header of CacheLib's cachebench, the key-value traces of Meta
    Cachelib,
    /// Any table whose columns a header or --columns names
    Csv,
    /// libCacheSim's records of 24 bytes, in which most public traces are distributed
    #[value(alias = "oracleGeneral")]
    OracleGeneral,
    /// The ids of 4 bytes of cache2k's benchmarks
    Cache2k,
}

impl Format {
    /// The name to report, as `--format` takes it.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

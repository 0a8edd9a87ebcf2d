//! The formats that can be read.

/// The formats that can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// `start count 0 n`, ids without sizes: the traces of the ARC paper.
    Arc,
    /// An id in each line: the traces of the LIRS paper.
    Lirs,
    /// The rows of twitter/cache-trace.
    Twitter,
    /// The key-value rows of CacheLib's cachebench, below a header.
    Cachelib,
    /// Any other table with columns.
    Csv,
    /// libCacheSim's records of 24 bytes.
    OracleGeneral,
    /// cache2k's ids of 4 bytes.
    Cache2k,
}

impl Format {
    /// The name to report, as `--format` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Arc => "arc",
            Self::Lirs => "lirs",
            Self::Twitter => "twitter",
            Self::Cachelib => "cachelib",
            Self::Csv => "csv",
            Self::OracleGeneral => "oracle-general",
            Self::Cache2k => "cache2k",
        }
    }

    /// What a line or a record has.
    pub(super) fn shape(self) -> String {
        match self {
            Self::Arc => format!("lines \"{}\"", super::arc::ROW),
            Self::Lirs => format!("lines \"{}\"", super::lirs::ROW),
            Self::Twitter => format!("rows \"{}\"", super::twitter::ROW),
            Self::Cachelib => format!("a header with \"{}\"", super::table::NEEDED),
            Self::Csv => "a table".to_owned(),
            Self::OracleGeneral => format!("records of {} bytes", super::oracle::RECORD),
            Self::Cache2k => format!("records of {} bytes", super::cache2k::RECORD),
        }
    }
}

//! What a run is summed up to. The JSON report is [`Report`] as it stands; units are in the
//! field names. Fields are added, never renamed or given a new unit.

mod figures; // what became of the requests
mod latency; // percentiles
mod search; // what a search found
mod seconds; // what each second brought, in bounded memory
mod server; // the server's own figures
mod server_part; // each of several servers
mod settings; // what was asked for
mod trace; // what was odd about a trace
mod cautions; // what to know before they are believed
mod run; // all of these
mod schema; // described for machines
mod read; // back from a file
pub(crate) mod html; // for people, in a browser
mod table; // and in a terminal
mod layout; // in columns

pub use self::{
    figures::{
        Failure, Figures, FirstFailure, OperationFigures, OriginLoad, Unsent, Verification,
        ViolationFigures, rate, ratio,
    },
    latency::{Histogram, Latency, PERCENTILES, Percentile},
    read::ReadError,
    run::{Ending, Report, Step, Tool},
    schema::schema,
    search::{LimitedBy, SearchReport},
    seconds::{SecondReport, Seconds},
    server::{Generator, Server, ServerStats},
    server_part::ServerPart,
    settings::{Settings, TraceSettings, WorkloadSettings},
    trace::TraceReport,
};
pub(crate) use self::{layout::time, read::read, seconds::spans};

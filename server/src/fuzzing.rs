//! What fuzz targets reach of private code. Built with `--cfg fuzzing` alone.

pub use crate::{rpc::fuzzing::request, telemetry::fuzzing::traceparent};

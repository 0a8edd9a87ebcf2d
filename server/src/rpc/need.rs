//! What a call needs of its caller. Health is open, so that probes need no credential, and whatever
//! is not named here is only for callers that are known.

use crate::{
    access::{Need, Right, Rights},
    call::{Method, Uses},
    service,
};

pub(super) fn need(method: Method) -> Need {
    match method {
        Method::Cache(method) => service::need(method),
        Method::HealthCheck | Method::HealthList | Method::HealthWatch => Need::Nothing,
        Method::Reflection | Method::Other => Need::Identity,
    }
}

/// What a caller with these rights may do.
pub(super) fn may(rights: Rights) -> Uses {
    Uses { reads: rights.has(Right::Read), writes: rights.has(Right::Write) }
}

/// The right that a caller lacks.
pub(super) fn lacking(lacks: Uses) -> Need {
    Need::Namespace(if lacks.writes { Right::Write } else { Right::Read })
}

//! Decides whether a failed export is sent again, by OTLP's rules
//! (<https://opentelemetry.io/docs/specs/otlp/#failures>), and names its cause and remedy.

use std::{error::Error, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Why the collector did not take a batch.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) cause: String,
    pub(super) remedy: &'static str,
    pub(super) repeat: Repeat,
}

/// When the same batch is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    Never,
    /// After a pause that grows.
    Later,
    /// After the time that the collector named.
    After(Duration),
    /// Over a new connection: the old one failed before the collector answered.
    Reconnect,
    /// Over a new connection: the old one carried no answer within the time of a request.
    Hung,
}

impl Failure {
    /// The request failed on its way, and not by the collector's decision.
    pub(super) fn lost(error: &dyn Error) -> Self {
        let cause = chain(error);
        let remedy = if cause.contains("certificate") {
            "check OTEL_EXPORTER_OTLP_CERTIFICATE and the collector's own certificate"
        } else {
            "check that the collector runs, and that OTEL_EXPORTER_OTLP_ENDPOINT is its gRPC \
             port, 4317 as a rule"
        };
        Self { cause, remedy, repeat: Repeat::Reconnect }
    }

    pub(super) fn hung(time: Duration) -> Self {
        Self {
            cause: format!("no answer within {time:?}"),
            remedy: "check the collector's load and its own exporters, or raise \
                     OTEL_EXPORTER_OTLP_TIMEOUT",
            repeat: Repeat::Hung,
        }
    }

    /// The collector took the batch but not all of its spans, which OTLP forbids to repeat.
    pub(super) fn rejected(spans: u64, reason: &str) -> Self {
        Self {
            cause: format!("the collector rejected {spans} spans of a batch: {reason}"),
            remedy: "see the collector's log",
            repeat: Repeat::Never,
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        // tonic keeps a source for what failed on this side or in transport. A status that the
        // collector sent has none, and a connection error often has a code that OTLP never
        // repeats: INTERNAL for a GOAWAY, UNKNOWN for a closed connection.
        if let Some(source) = status.source() {
            return Self::lost(source);
        }
        Self {
            cause: format!("{:?}: {}", status.code(), status.message()),
            remedy: remedy(status.code()),
            repeat: repeat(&status),
        }
    }
}

fn repeat(status: &Status) -> Repeat {
    let retry_info = status.get_details_retry_info();
    let may_pass = match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => true,
        // Without RetryInfo the collector does not expect to recover.
        Code::ResourceExhausted => retry_info.is_some(),
        _ => false,
    };
    match retry_info.and_then(|info| info.retry_delay) {
        _ if !may_pass => Repeat::Never,
        Some(delay) if !delay.is_zero() => Repeat::After(delay),
        _ => Repeat::Later,
    }
}

fn remedy(code: Code) -> &'static str {
    match code {
        Code::Unauthenticated | Code::PermissionDenied => {
            "check the token in OTEL_EXPORTER_OTLP_HEADERS"
        }
        Code::Unimplemented => {
            "check that OTEL_EXPORTER_OTLP_ENDPOINT is an OTLP receiver over gRPC, with a \
             pipeline for traces"
        }
        Code::ResourceExhausted => "sample less (OTEL_TRACES_SAMPLER_ARG), or give it more room",
        _ => "see the collector's log",
    }
}

/// An error with its causes; tonic's own texts end at "transport error".
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    fn repeat_of(code: Code) -> Repeat {
        Failure::from(Status::new(code, "why")).repeat
    }

    /// With details about when to repeat.
    fn repeat_after(code: Code, delay: Option<Duration>) -> Repeat {
        let details = ErrorDetails::with_retry_info(delay);
        Failure::from(Status::with_error_details(code, "why", details)).repeat
    }

    #[test]
    fn statuses_are_repeated_by_otlps_table() {
        use Code::*;
        for code in [Cancelled, DeadlineExceeded, Aborted, OutOfRange, Unavailable, DataLoss] {
            assert_eq!(repeat_of(code), Repeat::Later, "{code:?}");
        }
        for code in [
            Unknown,
            InvalidArgument,
            NotFound,
            AlreadyExists,
            PermissionDenied,
            ResourceExhausted,
            FailedPrecondition,
            Unimplemented,
            Internal,
            Unauthenticated,
        ] {
            assert_eq!(repeat_of(code), Repeat::Never, "{code:?}");
        }
    }

    #[test]
    fn retry_info_says_when() {
        let second = Duration::from_secs(1);
        let named = Repeat::After(second);
        assert_eq!(repeat_after(Code::ResourceExhausted, Some(second)), named);
        assert_eq!(repeat_after(Code::Unavailable, Some(second)), named);
        assert_eq!(repeat_after(Code::ResourceExhausted, None), Repeat::Later);
        assert_eq!(repeat_after(Code::Unavailable, Some(Duration::ZERO)), Repeat::Later);
        assert_eq!(repeat_after(Code::InvalidArgument, Some(second)), Repeat::Never);
    }
}

//! The collector at the other end: one call with one batch of spans at a time.

use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, SystemTime},
};

use bytes::{BufMut, Bytes};
use http::uri::PathAndQuery;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use percent_encoding::percent_decode_str;
use retry_policies::{Jitter, RetryDecision, RetryPolicy, policies::ExponentialBackoff};
use thiserror::Error;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{BufferSettings, Codec, CompressionEncoding, EncodeBuf, Encoder},
    metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use tonic_prost::ProstDecoder;

use super::environment::{Plan, TlsPlan};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Tries after the first, with pauses that grow from one to five seconds: the figures that
/// OpenTelemetry's own exporters start from.
const RETRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why there is no way to a collector.
#[derive(Debug, Error)]
pub(super) enum CollectorError {
    #[error("cannot read {}: {problem}", path.display())]
    File { path: PathBuf, problem: io::Error },
    #[error(
        "the endpoint {endpoint:?} (OTEL_EXPORTER_OTLP_ENDPOINT or \
         OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) is not an address: {}",
        chain(problem)
    )]
    Endpoint { endpoint: String, problem: tonic::transport::Error },
    /// By its place, for it may be a secret.
    #[error(
        "entry {0} of OTEL_EXPORTER_OTLP_HEADERS or OTEL_EXPORTER_OTLP_TRACES_HEADERS is not \
         key=value, the value percent-encoded"
    )]
    Header(usize),
}

/// A way to the collector, which connects with the first batch and again after a failure.
#[derive(Clone, Debug)]
pub(super) struct Collector {
    grpc: Grpc<Channel>,
    metadata: MetadataMap,
    time: Duration,
    /// From then on nothing is tried again: a process that ends waits for no dead collector.
    ending: CancellationToken,
}

impl Collector {
    /// Must be called within a runtime, in which the connection lives.
    pub(super) fn new(plan: &Plan, ending: CancellationToken) -> Result<Self, CollectorError> {
        let failed =
            |problem| CollectorError::Endpoint { endpoint: plan.shown_endpoint(), problem };
        let mut endpoint = Endpoint::from_shared(plan.endpoint.clone()).map_err(failed)?;
        if let Some(tls) = &plan.tls {
            endpoint = endpoint.tls_config(config(tls)?).map_err(failed)?;
        }
        let mut grpc = Grpc::new(endpoint.connect_timeout(plan.export_timeout).connect_lazy());
        if plan.gzip {
            grpc = grpc.send_compressed(CompressionEncoding::Gzip);
        }
        grpc = grpc.accept_compressed(CompressionEncoding::Gzip);
        Ok(Self { grpc, metadata: metadata(&plan.headers)?, time: plan.export_timeout, ending })
    }

    /// Sends the two parts of an encoded `ExportTraceServiceRequest`, again where that may help,
    /// for no longer than the plan's time. Returns what the collector rejected of it.
    pub(super) async fn export(&self, message: [Bytes; 2]) -> Result<Rejected, Status> {
        let started = SystemTime::now();
        let pauses = ExponentialBackoff::builder()
            .jitter(Jitter::Full)
            .retry_bounds(FIRST_PAUSE, LONGEST_PAUSE)
            .build_with_max_retries(RETRIES);
        let trying = async {
            for tried in 0.. {
                let failed = match self.once(message.clone()).await {
                    Ok(rejected) => return Ok(rejected),
                    Err(failed) => failed,
                };
                match pauses.should_retry(started, tried) {
                    RetryDecision::Retry { execute_after } if may_pass(failed.code()) => {
                        let pause = execute_after.duration_since(SystemTime::now());
                        tokio::select! {
                            () = self.ending.cancelled() => return Err(failed),
                            () = sleep(pause.unwrap_or_default()) => {}
                        }
                    }
                    _ => return Err(failed),
                }
            }
            unreachable!("the loop ends by returning")
        };
        let late = || Status::deadline_exceeded(format!("no answer within {:?}", self.time));
        timeout(self.time, trying).await.unwrap_or_else(|_elapsed| Err(late()))
    }

    async fn once(&self, message: [Bytes; 2]) -> Result<Rejected, Status> {
        let mut grpc = self.grpc.clone();
        grpc.ready().await.map_err(|error| Status::unavailable(chain(&error)))?;
        let mut request = Request::new(message);
        *request.metadata_mut() = self.metadata.clone();
        let reply = grpc.unary(request, PathAndQuery::from_static(EXPORT), Encoded).await?;
        let partial = reply.into_inner().partial_success.unwrap_or_default();
        let spans = u64::try_from(partial.rejected_spans).unwrap_or(0);
        Ok(Rejected { spans, reason: partial.error_message })
    }
}

/// What a collector that took a batch did not take of it.
#[derive(Debug, Default)]
pub(super) struct Rejected {
    pub(super) spans: u64,
    pub(super) reason: String,
}

/// An error with what caused it: tonic's own texts say little more than "transport error".
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The statuses after which OTLP lets an exporter try again
/// (<https://opentelemetry.io/docs/specs/otlp/#failures>).
fn may_pass(code: Code) -> bool {
    matches!(
        code,
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
    )
}

fn config(tls: &TlsPlan) -> Result<ClientTlsConfig, CollectorError> {
    let mut config = ClientTlsConfig::new();
    config = match &tls.authorities {
        Some(path) => config.ca_certificate(Certificate::from_pem(pem(path)?)),
        None => config.with_enabled_roots(),
    };
    if let Some((certificate, key)) = &tls.identity {
        config = config.identity(Identity::from_pem(pem(certificate)?, pem(key)?));
    }
    Ok(config)
}

fn pem(path: &Path) -> Result<Vec<u8>, CollectorError> {
    fs::read(path).map_err(|problem| CollectorError::File { path: path.to_owned(), problem })
}

/// Reads `key=value,key=value`, the values percent-encoded.
fn metadata(headers: &str) -> Result<MetadataMap, CollectorError> {
    let mut metadata = MetadataMap::new();
    let headers = headers.split(',').map(str::trim).enumerate();
    for (place, header) in headers.filter(|(_, header)| !header.is_empty()) {
        let read = || {
            let (key, value) = header.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            let key = MetadataKey::<Ascii>::from_str(&key.trim().to_ascii_lowercase()).ok()?;
            Some((key, MetadataValue::try_from(value.as_ref()).ok()?))
        };
        let (key, value) = read().ok_or(CollectorError::Header(place + 1))?;
        metadata.insert(key, value);
    }
    Ok(metadata)
}

/// A message that is encoded already, and a reply that tonic decodes.
#[derive(Clone, Copy, Debug)]
struct Encoded;

impl Codec for Encoded {
    type Encode = [Bytes; 2];
    type Decode = ExportTraceServiceResponse;
    type Encoder = Self;
    type Decoder = ProstDecoder<ExportTraceServiceResponse>;

    fn encoder(&mut self) -> Self::Encoder {
        *self
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::new(BufferSettings::default())
    }
}

impl Encoder for Encoded {
    type Item = [Bytes; 2];
    type Error = Status;

    fn encode(
        &mut self,
        [head, spans]: [Bytes; 2],
        into: &mut EncodeBuf<'_>,
    ) -> Result<(), Status> {
        into.reserve(head.len() + spans.len());
        into.put(head);
        into.put(spans);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_a_list_of_percent_encoded_values() {
        let read = metadata("Authorization=Bearer%20a%2Cb , x-team = caches,").unwrap();
        assert_eq!(read.get("authorization").unwrap(), "Bearer a,b");
        assert_eq!(read.get("x-team").unwrap(), "caches");
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn a_header_that_cannot_be_read_is_not_shown() {
        for headers in ["x=1,authorization: Bearer secret", "x=1,bad key=secret"] {
            let problem = metadata(headers).unwrap_err().to_string();
            assert!(problem.contains("entry 2") && !problem.contains("secret"), "{problem}");
        }
    }
}

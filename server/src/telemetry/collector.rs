//! Owns the connection to the collector and sends one batch over it.
//!
//! The call is made here and not by `opentelemetry-otlp`, because that returns a failure as a
//! text: its caller cannot see whether the connection failed, which RetryInfo came, or how many
//! spans of a batch were rejected.

use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::uri::PathAndQuery;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use percent_encoding::percent_decode_str;
use thiserror::Error;
use tokio::time::timeout;
use tonic::{
    Request,
    client::Grpc,
    codec::CompressionEncoding,
    metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use tonic_prost::ProstCodec;

use super::{
    config::{CollectorTls, OtelConfig},
    failure::{Failure, Repeat, chain},
};

const EXPORT: PathAndQuery =
    PathAndQuery::from_static("/opentelemetry.proto.collector.trace.v1.TraceService/Export");

/// The part of a request's time after which a silent connection is pinged, the time that it has
/// to answer the ping, and the time to connect. A dead connection is found out within two thirds
/// of a request's time. Three pings in a request are the most that gRPC's Go server accepts.
const PING: u32 = 3;
const SHORTEST_PING: Duration = Duration::from_millis(100);

/// Why nothing can be exported.
#[derive(Debug, Error)]
pub(super) enum ExportError {
    #[error("no thread for the exporter: {0}")]
    System(#[from] io::Error),
    #[error("cannot read {}: {problem}", path.display())]
    File { path: PathBuf, problem: io::Error },
    #[error(
        "the endpoint {endpoint:?} (OTEL_EXPORTER_OTLP_ENDPOINT or \
         OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) is not an address: {}",
        chain(problem)
    )]
    Endpoint { endpoint: String, problem: tonic::transport::Error },
    /// By its place: the entry may be a secret.
    #[error(
        "entry {0} of OTEL_EXPORTER_OTLP_HEADERS or OTEL_EXPORTER_OTLP_TRACES_HEADERS is not \
         key=value, the value percent-encoded"
    )]
    Header(usize),
}

/// What the collector did not take of a batch that it took.
#[derive(Debug, Default)]
pub(super) struct Rejected {
    pub(super) spans: u64,
    pub(super) reason: String,
}

/// A collector. It is connected to with the first batch, and again after each connection error.
#[derive(Debug)]
pub(super) struct Collector {
    endpoint: Endpoint,
    channel: Mutex<Channel>,
    gzip: bool,
    metadata: MetadataMap,
}

impl Collector {
    /// Must be called within the runtime that drives the connection.
    pub(super) fn new(config: &OtelConfig) -> Result<Self, ExportError> {
        let failed = |problem| ExportError::Endpoint { endpoint: config.shown_endpoint(), problem };
        let mut endpoint = Endpoint::from_shared(config.endpoint.clone()).map_err(failed)?;
        if let Some(tls) = &config.tls {
            endpoint = endpoint.tls_config(tls_config(tls)?).map_err(failed)?;
        }
        let ping = (config.request_timeout / PING).max(SHORTEST_PING);
        // An idle connection is not pinged: a gRPC server may close it for that. The next
        // request pings it at once.
        let endpoint = endpoint
            .connect_timeout(ping)
            .http2_keep_alive_interval(ping)
            .keep_alive_timeout(ping)
            .keep_alive_while_idle(false);
        let channel = Mutex::new(endpoint.connect_lazy());
        Ok(Self { endpoint, channel, gzip: config.gzip, metadata: metadata(&config.headers)? })
    }

    /// Sends an encoded `ResourceSpans` once. After a failure of the connection the next call
    /// uses a new one.
    pub(super) async fn send(&self, spans: Bytes, time: Duration) -> Result<Rejected, Failure> {
        let sent = timeout(time, self.call(spans)).await;
        let result = sent.unwrap_or_else(|_elapsed| Err(Failure::hung(time)));
        if let Err(Failure { repeat: Repeat::Reconnect | Repeat::Hung, .. }) = &result {
            *self.channel.lock().unwrap_or_else(PoisonError::into_inner) =
                self.endpoint.connect_lazy();
        }
        result
    }

    async fn call(&self, spans: Bytes) -> Result<Rejected, Failure> {
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut grpc = Grpc::new(channel).accept_compressed(CompressionEncoding::Gzip);
        if self.gzip {
            grpc = grpc.send_compressed(CompressionEncoding::Gzip);
        }
        grpc.ready().await.map_err(|error| Failure::lost(&error))?;
        let mut request = Request::new(spans);
        *request.metadata_mut() = self.metadata.clone();
        // prost encodes `Bytes` as field 1 of a message, where `ExportTraceServiceRequest` has
        // its `ResourceSpans`. So a batch is encoded once, however often it is sent.
        let codec = ProstCodec::<Bytes, ExportTraceServiceResponse>::default();
        let reply = grpc.unary(request, EXPORT, codec).await?;
        let partial = reply.into_inner().partial_success.unwrap_or_default();
        let spans = u64::try_from(partial.rejected_spans).unwrap_or(0);
        Ok(Rejected { spans, reason: partial.error_message })
    }
}

fn tls_config(tls: &CollectorTls) -> Result<ClientTlsConfig, ExportError> {
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

fn pem(path: &Path) -> Result<Vec<u8>, ExportError> {
    fs::read(path).map_err(|problem| ExportError::File { path: path.to_owned(), problem })
}

/// Reads `key=value,key=value`, the values percent-encoded.
fn metadata(headers: &str) -> Result<MetadataMap, ExportError> {
    let mut metadata = MetadataMap::new();
    let headers = headers.split(',').map(str::trim).enumerate();
    for (place, header) in headers.filter(|(_, header)| !header.is_empty()) {
        let read = || {
            let (key, value) = header.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            let key = MetadataKey::<Ascii>::from_str(&key.trim().to_ascii_lowercase()).ok()?;
            Some((key, MetadataValue::try_from(value.as_ref()).ok()?))
        };
        let (key, value) = read().ok_or(ExportError::Header(place + 1))?;
        metadata.insert(key, value);
    }
    Ok(metadata)
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

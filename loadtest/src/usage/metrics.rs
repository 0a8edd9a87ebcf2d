//! A server's figures from its page of metrics, under the names that Prometheus clients
//! agree on. They are of the process that serves the page: where that is an exporter
//! beside the server, the figures are the exporter's.

use std::{fmt, str::FromStr, time::Duration};

use bytes::Bytes;
use bytesize::ByteSize;
use http::{
    Request, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, HOST},
    uri::Scheme,
};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tiny_cache_client::transport::Token;
use tokio::{net::TcpStream, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{CallTimes, MetricsProblem, Usage, UsageError, samples};

const CPU: &str = "process_cpu_seconds_total";
const RESIDENT: &str = "process_resident_memory_bytes";

/// Longest that connecting and the page may take together.
const PATIENCE: Duration = Duration::from_secs(2);

/// Far above any page of one process, and no strain on memory.
const LONGEST_PAGE: ByteSize = ByteSize::mib(16);

/// The page of metrics of a server.
#[derive(Clone, Debug)]
pub struct ServerMetrics {
    uri: Uri,
    /// `host:port`.
    authority: String,
    token: Option<Token>,
    patience: Duration,
}

impl ServerMetrics {
    /// Shows a bearer token to the server.
    #[must_use]
    pub fn with_token(self, token: Option<Token>) -> Self {
        Self { token, ..self }
    }

    /// Fetches the page and reads the figures.
    ///
    /// # Errors
    ///
    /// There is no page within two seconds, or it lacks a figure.
    pub async fn sample(&self) -> Result<Usage, UsageError> {
        let page = timeout(self.patience, self.page()).await;
        let page = page.unwrap_or(Err(MetricsProblem::Slow(self.patience)));
        page.and_then(|page| usage(&page))
            .map_err(|problem| UsageError::Metrics { url: self.uri.to_string(), problem })
    }

    async fn page(&self) -> Result<String, MetricsProblem> {
        let socket =
            TcpStream::connect(&self.authority).await.map_err(MetricsProblem::Unreachable)?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(socket)).await.map_err(MetricsProblem::Exchange)?;
        // An early end of the connection also fails the exchange.
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));

        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::get(path)
            .header(HOST, &self.authority)
            .header(ACCEPT, "text/plain;version=0.0.4")
            .body(Empty::<Bytes>::new())
            .expect("path and authority were parsed as such");
        let token = self.token.as_ref().map(|token| (AUTHORIZATION, token.header()));
        request.headers_mut().extend(token);
        let reply = sender.send_request(request).await.map_err(MetricsProblem::Exchange)?;
        if reply.status() != StatusCode::OK {
            return Err(MetricsProblem::Status(reply.status()));
        }
        let longest = usize::try_from(LONGEST_PAGE.as_u64()).unwrap_or(usize::MAX);
        let page = Limited::new(reply.into_body(), longest).collect().await;
        let page = page.map_err(|problem| MetricsProblem::Page { limit: LONGEST_PAGE, problem })?;
        Ok(String::from_utf8_lossy(&page.to_bytes()).into_owned())
    }
}

fn usage(page: &str) -> Result<Usage, MetricsProblem> {
    let figure = |name| {
        samples::sample(page, name).map_err(|problem| MetricsProblem::Sample { name, problem })
    };
    let seconds = figure(CPU)?;
    let cpu = Duration::try_from_secs_f64(seconds).map_err(|_| MetricsProblem::Sample {
        name: CPU,
        problem: samples::NoSample::NotAFigure(seconds.to_string()),
    })?;
    // A number from 0 on: what is above the largest integer becomes that.
    let resident_bytes = figure(RESIDENT)? as u64;
    let calls = CallTimes::of_page(page);
    Ok(Usage { cpu, resident_bytes, peak_resident_bytes: None, pids: Vec::new(), calls })
}

impl FromStr for ServerMetrics {
    type Err = MetricsProblem;

    /// Reads `http://HOST:PORT/PATH`; the port is 80 unless given.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || MetricsProblem::Address;
        let uri: Uri = text.parse().map_err(|_| invalid())?;
        let authority = uri.authority().ok_or_else(invalid)?;
        let host = authority.host();
        // User information is not sent, so it is not taken.
        if uri.scheme() != Some(&Scheme::HTTP) || host.is_empty() || text.contains('@') {
            return Err(invalid());
        }
        let port = match authority.as_str().strip_prefix(host) {
            Some("") => 80,
            _ => authority.port_u16().filter(|port| *port != 0).ok_or_else(invalid)?,
        };
        let authority = format!("{host}:{port}");
        Ok(Self { uri, authority, token: None, patience: PATIENCE })
    }
}

impl fmt::Display for ServerMetrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_told() {
        for (text, authority, told) in [
            ("http://h:8080/metrics", "h:8080", "http://h:8080/metrics"),
            ("http://[::1]:8080/m?x=1", "[::1]:8080", "http://[::1]:8080/m?x=1"),
            ("http://h", "h:80", "http://h/"),
        ] {
            let metrics: ServerMetrics = text.parse().unwrap();
            assert_eq!(metrics.authority, authority);
            assert_eq!(metrics.to_string(), told);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "h:8080",
            "h:8080/metrics",
            "/metrics",
            "https://h/metrics",
            "http://u:p@h/metrics",
            "http://h:0/",
            "http://h:65536/",
            "http://h:/",
            "http://",
        ] {
            let error = text.parse::<ServerMetrics>().unwrap_err().to_string();
            assert_eq!(error, "expected http://HOST:PORT/PATH", "{text}");
        }
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_given_up() {
        // The kernel takes the connection, and that is all.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        let mut metrics: ServerMetrics = url.parse().unwrap();
        assert_eq!(metrics.patience, Duration::from_secs(2));
        metrics.patience = Duration::from_millis(20);
        let told = metrics.sample().await.unwrap_err().to_string();
        assert_eq!(told, format!("--server-metrics {url}: no reply within 20ms"));
    }

    #[test]
    fn figures_too_large_are_refused_or_cut() {
        let page = format!("{CPU} 1e300\n{RESIDENT} 1\n");
        assert!(usage(&page).unwrap_err().to_string().starts_with("process_cpu_seconds_total is"));
        let page = format!("{CPU} 1\n{RESIDENT} 1e300\n");
        assert_eq!(usage(&page).unwrap().resident_bytes, u64::MAX);
    }
}

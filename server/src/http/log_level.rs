//! `/log-level`: returns the level of the log, and changes it while the server runs.
//!
//! For peers on this host, unless `CACHE_LOG_LEVEL_REMOTE` lets the others in: the port does not
//! authenticate peers, and at DEBUG every request costs a line.

use std::{error::Error, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use serde::Serialize;
use tokio::time::timeout;
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};

use crate::logging::{LEVELS, Log, level_name};

use super::{pages::problem, response::json};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, PUT");

/// Far more than the longest name.
const MAX_BODY_BYTES: usize = 64;

/// How long the few bytes of a body may take, so that it cannot keep its connection's place.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a body cannot be read.
type Unread = Box<dyn Error + Send + Sync>;

/// What answers on the path.
#[derive(Debug)]
pub(crate) struct LogLevel {
    /// `None`: the log belongs to a program around this library.
    log: Option<Log>,
    remote: bool,
}

#[derive(Debug, PartialEq, Serialize)]
struct Answer {
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

type Refusal = (StatusCode, String);

impl LogLevel {
    pub(crate) fn new(log: Option<Log>, remote: bool) -> Self {
        Self { log, remote }
    }

    /// Whether there is a level to read.
    pub(super) fn is_served(&self) -> bool {
        self.log.is_some()
    }

    pub(super) async fn answer(
        &self,
        request: Request<impl Body<Error: Into<Unread>>>,
        peer: SocketAddr,
    ) -> Response<Full<Bytes>> {
        match self.apply(request, peer).await {
            Ok(answer) => json(StatusCode::OK, &answer),
            Err((status, message)) => {
                let mut response = json(status, &problem(&message));
                if status == StatusCode::METHOD_NOT_ALLOWED {
                    response.headers_mut().insert(header::ALLOW, METHODS);
                }
                response
            }
        }
    }

    async fn apply(
        &self,
        request: Request<impl Body<Error: Into<Unread>>>,
        peer: SocketAddr,
    ) -> Result<Answer, Refusal> {
        let Some(log) = &self.log else {
            let message = "the log of this server belongs to the program that it is part of";
            return Err((StatusCode::NOT_FOUND, message.to_owned()));
        };
        if !self.remote && !is_on_this_host(peer) {
            let message = format!(
                "only for peers on this host, and {} is not one; CACHE_LOG_LEVEL_REMOTE=true lets \
                 every peer in",
                peer.ip()
            );
            return Err((StatusCode::FORBIDDEN, message));
        }
        match *request.method() {
            Method::GET | Method::HEAD => Ok(answer_with(log.level(), None)),
            Method::PUT => {
                let level = read(request.into_body()).await?;
                let previous = log.set_level(level, peer);
                Ok(answer_with(level, Some(previous)))
            }
            ref other => {
                let message = format!("{other} is not one of the methods GET, HEAD and PUT");
                Err((StatusCode::METHOD_NOT_ALLOWED, message))
            }
        }
    }
}

/// Whether a connection came over the loopback device, or through IPv4 mapped into IPv6.
fn is_on_this_host(peer: SocketAddr) -> bool {
    peer.ip().to_canonical().is_loopback()
}

/// Reads the level that a body asks for.
async fn read(body: impl Body<Error: Into<Unread>>) -> Result<LevelFilter, Refusal> {
    let whole = Limited::new(body, MAX_BODY_BYTES).collect();
    let body = match timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("a log level has no more than {MAX_BODY_BYTES} bytes");
            return Err((StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        Ok(Err(error)) => {
            return Err((StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}")));
        }
        Err(_elapsed) => {
            let message = format!("the body did not arrive within {BODY_TIMEOUT:?}");
            return Err((StatusCode::REQUEST_TIMEOUT, message));
        }
    };
    let text = String::from_utf8_lossy(&body);
    let name = text.trim();
    let known = LEVELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|(_, level)| *level).ok_or_else(|| {
        let names = LEVELS.map(|(name, _)| name).join(", ");
        let message = format!("log level: {name:?} is not allowed: {names}");
        (StatusCode::BAD_REQUEST, message)
    })
}

fn answer_with(level: LevelFilter, previous: Option<LevelFilter>) -> Answer {
    Answer {
        level: level_name(level),
        previous: previous.map(level_name),
        note: note(level, STATIC_MAX_LEVEL),
    }
}

/// What a level does not do in a build that leaves out all lines above `compiled`.
fn note(level: LevelFilter, compiled: LevelFilter) -> Option<&'static str> {
    (level > compiled).then_some(
        "this is a release build, which has no TRACE lines: the level adds what libraries say at \
         DEBUG and nothing else",
    )
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::StreamBody;

    use super::*;

    #[test]
    fn only_the_loopback_is_this_host() {
        for (peer, here) in [
            ("127.0.0.1:1", true),
            ("127.8.8.8:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("[::ffff:192.0.2.7]:1", false),
            ("[::127.0.0.1]:1", false),
            ("192.0.2.7:1", false),
            ("[fe80::1]:1", false),
            ("0.0.0.0:1", false),
            ("[2001:db8::1]:1", false),
        ] {
            assert_eq!(is_on_this_host(peer.parse().unwrap()), here, "{peer}");
        }
    }

    #[test]
    fn a_level_that_is_not_compiled_in_says_so() {
        assert_eq!(note(LevelFilter::TRACE, LevelFilter::TRACE), None);
        assert_eq!(note(LevelFilter::DEBUG, LevelFilter::DEBUG), None);
        assert!(note(LevelFilter::TRACE, LevelFilter::DEBUG).unwrap().contains("no TRACE lines"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_given_up() {
        let body = StreamBody::new(futures::stream::pending::<
            Result<http_body::Frame<Bytes>, Infallible>,
        >());
        assert_eq!(read(body).await.unwrap_err().0, StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn without_a_log_of_its_own_a_server_has_no_level() {
        let none = LogLevel::new(None, true);
        let request = Request::put("/log-level").body(Full::<Bytes>::from("DEBUG")).unwrap();
        let response = none.answer(request, "127.0.0.1:1".parse().unwrap()).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("belongs to the program"), "{body:?}");
    }
}

//! The metadata of a call. A [`Head`] is made once and used for many calls.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use tiny_cache_proto::{
    X_CACHE_KEY, X_CACHE_NAMESPACE, X_REQUEST_ID,
    key::{InvalidNamespace, Namespace},
};

use super::token::Token;

const USER_AGENT: &str = concat!("tiny-cache-client/", env!("CARGO_PKG_VERSION"));

pub(crate) const NAMESPACE: HeaderName = HeaderName::from_static(X_CACHE_NAMESPACE);
pub(super) const RING_KEY: HeaderName = HeaderName::from_static(X_CACHE_KEY);
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static(X_REQUEST_ID);
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The metadata of a call: namespace, timeout, and further entries.
#[derive(Clone)]
pub struct Head {
    headers: HeaderMap,
    /// Asked at each call, because it may change. An entry of the headers goes before it.
    token: Option<Token>,
    pub(super) on_reply: Option<OnReply>,
}

/// Receives the metadata of each reply.
pub(crate) type OnReply = Arc<dyn Fn(&ReplyMetadata<'_>) + Send + Sync>;

/// The metadata of a reply or of a server's error.
#[derive(Clone, Copy)]
pub struct ReplyMetadata<'a>(pub(super) &'a HeaderMap);

impl ReplyMetadata<'_> {
    /// The first entry of this name, if it is visible ASCII.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }
}

impl fmt::Debug for ReplyMetadata<'_> {
    /// Names alone: values may be secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.0.keys()).finish()
    }
}

impl fmt::Debug for Head {
    /// Names alone: values may be secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.headers.keys()).finish()
    }
}

impl Default for Head {
    fn default() -> Self {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        Self { headers, token: None, on_reply: None }
    }
}

impl Head {
    /// Names the keyspace; blank means the shared one.
    ///
    /// # Errors
    ///
    /// The text is not a valid namespace.
    pub fn set_namespace(&mut self, name: &str) -> Result<(), InvalidNamespace> {
        let namespace = Namespace::parse(name)?;
        if namespace == Namespace::SHARED {
            self.headers.remove(NAMESPACE);
        } else {
            let value = HeaderValue::from_str(namespace.as_str()).map_err(|_| InvalidNamespace)?;
            self.headers.insert(NAMESPACE, value);
        }
        Ok(())
    }

    /// Sets the user agent, in place of this library's: `tool/1.0`.
    ///
    /// # Panics
    ///
    /// The name has characters other than visible ASCII and spaces.
    pub fn set_user_agent(&mut self, program: &'static str) {
        self.headers.insert(header::USER_AGENT, HeaderValue::from_static(program));
    }

    /// Sends the call's timeout to the server. The caller has to cancel the call itself.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.headers.insert(TIMEOUT, grpc_timeout(timeout));
    }

    /// Shows a bearer token with each call.
    pub fn set_token(&mut self, token: Token) {
        self.token = Some(token);
    }

    /// Passes the metadata of each reply to `observer`.
    pub(crate) fn set_on_reply(&mut self, observer: OnReply) {
        self.on_reply = Some(observer);
    }

    /// All headers, including those that every call has.
    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// A request with these headers and no body yet.
    pub(super) fn request(&self, uri: Uri) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        if let Some(token) = &self.token {
            request.headers_mut().entry(header::AUTHORIZATION).or_insert_with(|| token.header());
        }
        request
    }
}

/// A time as gRPC writes it: at most eight digits and a unit. Rounded up, so that the server does
/// not give up before the caller.
fn grpc_timeout(timeout: Duration) -> HeaderValue {
    const MOST: u128 = 99_999_999;
    let micros = timeout.as_nanos().div_ceil(1_000);
    let (number, unit) = if micros <= MOST {
        (micros, 'u')
    } else if micros.div_ceil(1_000) <= MOST {
        (micros.div_ceil(1_000), 'm')
    } else {
        (micros.div_ceil(1_000_000).min(MOST), 'S')
    };
    HeaderValue::try_from(format!("{number}{unit}")).expect("digits and a letter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_at_most_eight_digits_and_is_never_shorter() {
        for (timeout, text) in [
            (Duration::from_nanos(1), "1u"),
            (Duration::from_millis(250), "250000u"),
            (Duration::from_secs(30), "30000000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::new(100, 1), "100001m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::MAX, "99999999S"),
        ] {
            assert_eq!(grpc_timeout(timeout), text, "{timeout:?}");
        }
    }

    #[test]
    fn a_program_is_named_in_place_of_the_library() {
        let mut head = Head::default();
        assert_eq!(head.headers[header::USER_AGENT], USER_AGENT);
        head.set_user_agent("tool/1.0");
        assert_eq!(
            head.headers.get_all(header::USER_AGENT).iter().collect::<Vec<_>>(),
            ["tool/1.0"]
        );
    }

    #[test]
    fn a_token_is_shown_unless_the_call_has_another() {
        let mut head = Head::default();
        head.set_token(Token::new("mine").unwrap());
        assert_eq!(head.request(Uri::default()).headers()[header::AUTHORIZATION], "Bearer mine");
        head.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_static("Basic x"));
        let request = head.request(Uri::default());
        let sent: Vec<_> = request.headers().get_all(header::AUTHORIZATION).iter().collect();
        assert_eq!(sent, ["Basic x"]);
        assert!(!format!("{head:?}").contains("mine"));
    }

    #[test]
    fn a_blank_namespace_is_not_sent() {
        let mut head = Head::default();
        head.set_namespace(" team ").unwrap();
        assert_eq!(head.headers[NAMESPACE], "team");
        head.set_namespace(" ").unwrap();
        assert!(!head.headers.contains_key(NAMESPACE));
        assert_eq!(head.set_namespace("a b"), Err(InvalidNamespace));
    }
}

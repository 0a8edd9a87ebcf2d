//! Asks for a token before a page is shown, where tokens were given. Probes need none: a kubelet has
//! no secret to send.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use http_body_util::Full;

use crate::{
    access::{Audit, Event, HttpTokens},
    call::request_id_text,
};

use super::{pages::problem, response::json};

/// The pages for probes.
const OPEN: [&str; 2] = ["/live", "/ready"];

/// Who may see the pages.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    /// `None`: everybody.
    pub(crate) tokens: Option<Arc<HttpTokens>>,
    pub(crate) audit: Audit,
}

impl Guard {
    /// Whether a request may see its page; the response to it otherwise.
    pub(super) fn admit<B>(
        &self,
        request: &Request<B>,
        peer: SocketAddr,
        request_id: &HeaderValue,
    ) -> Result<(), Box<Response<Full<Bytes>>>> {
        let Some(tokens) = &self.tokens else { return Ok(()) };
        let path = request.uri().path();
        if OPEN.contains(&path) {
            return Ok(());
        }
        let mut given = request.headers().get_all(AUTHORIZATION).iter();
        let admitted = match (given.next(), given.next()) {
            (_, Some(_)) => Err("there is more than one header authorization"),
            (given, None) => tokens.admit(given.map(HeaderValue::as_bytes)),
        };
        admitted.map_err(|why| {
            let request_id = &request_id_text(request_id);
            self.audit.http(why, Event { peer: Some(peer), method: path, request_id });
            let mut response = json(StatusCode::UNAUTHORIZED, &problem(why));
            let scheme = HeaderValue::from_static("Bearer realm=\"tiny-cache\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
            Box::new(response)
        })
    }
}

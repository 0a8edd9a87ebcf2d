//! The settings of one call, and the checks of its metadata.

use std::fmt;

use http::{HeaderName, HeaderValue};
use tiny_cache_proto::{X_CACHE_NAMESPACE, X_REQUEST_ID};

use crate::{
    error::{Error, Result},
    patience::Patience,
    transport::Head,
};

/// Methods that set a value and hand `self` on, with their docs.
macro_rules! setters {
    ($self:ident; $(
        $(#[$doc:meta])*
        $name:ident($($value:ident: $type:ty),*) => $set:expr;
    )+) => {$(
        $(#[$doc])*
        pub fn $name(mut $self, $($value: $type),*) -> Self {
            $set;
            $self
        }
    )+};
}

pub(crate) use setters;

/// The settings of one call, in place of the client's own.
#[derive(Clone)]
pub(crate) struct CallOptions {
    pub(crate) patience: Patience,
    pub(crate) namespace: Option<String>,
    pub(crate) metadata: Vec<(String, String)>,
}

impl CallOptions {
    /// Begins with the client's own settings.
    pub(crate) fn new(patience: Patience) -> Self {
        Self { patience, namespace: None, metadata: Vec::new() }
    }
}

impl fmt::Debug for CallOptions {
    /// Omits the metadata's values, which may be secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.metadata.iter().map(|(name, _)| name).collect();
        out.debug_struct("CallOptions")
            .field("patience", &self.patience)
            .field("namespace", &self.namespace)
            .field("metadata", &names)
            .finish()
    }
}

/// Names that gRPC sets itself, and names that HTTP/2 forbids or interprets.
const RESERVED: [&str; 10] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Adds a namespace to the metadata.
pub(crate) fn set_namespace(head: &mut Head, name: &str) -> Result<()> {
    head.set_namespace(name).map_err(|error| {
        let shown: String = name.chars().take(80).collect();
        Error::from(error).remark(&format!(", not `{shown}`"))
    })
}

/// Checks an entry of metadata and adds it.
pub(crate) fn set_metadata(head: &mut Head, name: &str, value: &str) -> Result<()> {
    let refused = |reason: &str| Error::validation(format!("bad metadata `{name}`: {reason}"));
    let key: HeaderName = name
        .parse()
        .map_err(|_| refused("expected a name of letters, digits, '-', '_' and '.'"))?;
    let text = key.as_str();
    if text.starts_with("grpc-") || RESERVED.contains(&text) {
        return Err(refused("gRPC or HTTP sets this entry itself"));
    }
    if text == X_CACHE_NAMESPACE {
        return Err(refused("a namespace is set with namespace()"));
    }
    if text.ends_with("-bin") {
        return Err(refused("binary entries (-bin) cannot be sent; encode the value as text"));
    }
    let mut value: HeaderValue =
        value.parse().map_err(|_| refused("expected a value of visible ASCII"))?;
    if [X_REQUEST_ID, "authorization", "cookie"].contains(&text) {
        // Different for each call, or secret: it must not enter HPACK's table.
        value.set_sensitive(true);
    }
    head.headers_mut().insert(key, value);
    Ok(())
}

//! What a client connects to, as people write it.

use crate::server::Server;

/// What a client connects to.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// The address of one server.
    One(String),
    /// A list of servers.
    List(Vec<Server>),
    /// The name and port of servers at all of its addresses.
    Name(String),
}

/// Before a name that stands for several servers, as gRPC writes it.
pub(super) const DNS: &str = "dns:///";

impl Target {
    pub(super) fn of(text: &str) -> Self {
        if let Some(name) = text.strip_prefix(DNS) {
            return Self::Name(name.to_owned());
        }
        if text.contains([',', '=']) {
            return Self::List(text.split(',').map(|text| Server::new(text.trim())).collect());
        }
        Self::One(text.to_owned())
    }
}

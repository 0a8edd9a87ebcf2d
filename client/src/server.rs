//! A server of a ring, as people write it. Knows syntax only; resolves nothing.

use crate::{
    address::Address,
    error::{Error, Result},
};

/// A server of several, see [`Builder::servers`](crate::Builder::servers).
///
/// Its place on the ring follows from its name alone, so that the server keeps its keys if its
/// address changes, and so that every client that knows the same names finds the same keys. The
/// name is that of its host (`tiny-cache-0.tiny-cache-nodes`), without the port, or address and
/// port if it has no host name (`10.0.0.7:50051`), unless another one is set.
///
/// As text: `[NAME=]ADDRESS[@WEIGHT]`.
///
/// ```
/// use tiny_cache_client::Server;
///
/// let large = Server::new("tiny-cache-0.tiny-cache-nodes:50051").weight(2);
/// let moved = Server::new("10.0.0.7:50051").name("tiny-cache-1.tiny-cache-nodes");
/// let both = ["tiny-cache-0.tiny-cache-nodes:50051@2", "cache-1=10.0.0.7:50051"];
/// # let _: [Server; 2] = both.map(Server::from);
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    text: String,
    name: Option<String>,
    weight: Option<u32>,
}

impl Server {
    /// A server in text form. A malformed text is refused when the client is built.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), name: None, weight: None }
    }

    /// Sets its name on the ring.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets its weight, from 1; 1 by default. A server of weight 2 gets twice as many keys as one
    /// of weight 1.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = Some(weight);
        self
    }

    /// Checks the text.
    pub(crate) fn parse(&self) -> Result<Node> {
        let refused = |expected: &str| {
            Error::validation(format!("bad server `{}`: expected {expected}", self.text))
        };
        let (name, rest) = match self.text.split_once('=') {
            Some((name, rest)) => (Some(name.trim().to_owned()), rest),
            None => (None, self.text.as_str()),
        };
        let (address, weight) = match rest.rsplit_once('@') {
            Some((address, weight)) => (address, Some(weight.trim())),
            None => (rest, None),
        };
        let weight = match weight.map(str::parse) {
            Some(Ok(weight)) => weight,
            None => 1,
            Some(Err(_)) => return Err(refused("[NAME=]ADDRESS[@WEIGHT], a weight from 1")),
        };
        let weight = self.weight.unwrap_or(weight);
        if weight == 0 {
            return Err(refused("a weight from 1"));
        }
        let address: Address = address.trim().parse()?;
        let name = self.name.clone().or(name).unwrap_or_else(|| default_name(&address));
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refused("a name of visible ASCII"));
        }
        Ok(Node { name, address, weight })
    }
}

impl From<&str> for Server {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Server {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// As Envoy has it with and without `use_hostname_for_hashing`.
fn default_name(address: &Address) -> String {
    if address.is_ip() { address.authority() } else { address.host().to_owned() }
}

/// A server of a ring, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its name on the ring.
    pub(crate) name: String,
    pub(crate) address: Address,
    /// From 1.
    pub(crate) weight: u32,
}

/// Checks servers and sorts them by name.
pub(crate) fn nodes(servers: &[Server]) -> Result<Vec<Node>> {
    if servers.is_empty() {
        return Err(Error::validation("no servers; expected at least one"));
    }
    let mut nodes = servers.iter().map(Server::parse).collect::<Result<Vec<_>>>()?;
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    match nodes.windows(2).find(|pair| pair[0].name == pair[1].name) {
        None => Ok(nodes),
        Some(pair) => Err(Error::validation(format!(
            "two servers have the name `{}`, {} and {}; write NAME=ADDRESS to name them apart",
            pair[0].name, pair[0].address, pair[1].address
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, String, u32) {
        let Node { name, address, weight } = Server::new(text).parse().unwrap();
        (name, address.to_string(), weight)
    }

    #[test]
    fn a_server_is_read_as_people_write_it() {
        for (text, name, address, weight) in [
            ("cache-0.nodes:7", "cache-0.nodes", "grpc://cache-0.nodes:7", 1),
            ("grpcs://cache-0", "cache-0", "grpcs://cache-0:50051", 1),
            ("10.0.0.7:7@3", "10.0.0.7:7", "grpc://10.0.0.7:7", 3),
            ("[::1]", "[::1]:50051", "grpc://[::1]:50051", 1),
            (" a = localhost:7 @ 2 ", "a", "grpc://localhost:7", 2),
        ] {
            assert_eq!(parsed(text), (name.to_owned(), address.to_owned(), weight), "{text}");
        }
        let node = Server::new("a=b:7@2").name("c").weight(5).parse().unwrap();
        assert_eq!((node.name.as_str(), node.weight), ("c", 5));
    }

    #[test]
    fn a_bad_server_is_refused_with_what_is_expected() {
        for (text, error) in [
            ("a:7@0", "bad server `a:7@0`: expected a weight from 1"),
            ("a:7@x", "bad server `a:7@x`: expected [NAME=]ADDRESS[@WEIGHT], a weight from 1"),
            ("=a:7", "bad server `=a:7`: expected a name of visible ASCII"),
            ("a:x", "bad address `a:x`: expected a port from 1 to 65535"),
        ] {
            assert_eq!(Server::new(text).parse().unwrap_err().to_string(), error);
        }
        assert_eq!(nodes(&[]).unwrap_err().to_string(), "no servers; expected at least one");
        let twice = nodes(&["localhost:1".into(), "localhost:2".into()]).unwrap_err();
        assert_eq!(
            twice.to_string(),
            "two servers have the name `localhost`, grpc://localhost:1 and grpc://localhost:2; \
             write NAME=ADDRESS to name them apart"
        );
    }

    #[test]
    fn servers_are_sorted_by_name() {
        let nodes = nodes(&["b:1".into(), "a:2".into()]).unwrap();
        assert_eq!(nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }
}

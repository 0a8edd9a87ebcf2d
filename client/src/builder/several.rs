//! The settings of several servers, and the servers that they make.

use std::time::Duration;

use super::{
    Builder,
    target::{DNS, Target},
};
use crate::{
    address::Address,
    error::{Error, Result},
    options::setters,
    pool::Pool,
    ring::RingSize,
    server::{Server, nodes},
    servers::{PoolSettings, Servers},
};

impl Builder {
    setters! { self;
        /// Spreads the keys over these servers, in place of the address, by a consistent-hash ring
        /// that is the same as that of gRPC's `ring_hash` policy and Envoy's. See
        /// [several caches](crate#several-caches).
        ///
        /// ```
        /// # use tiny_cache_client::{Client, Server};
        /// let nodes = (0..3).map(|n| format!("tiny-cache-{n}.tiny-cache-nodes:50051"));
        /// let client = Client::builder("").servers(nodes).build()?;
        ///
        /// let large = Server::new("cache-1:50051").weight(2);
        /// let client = Client::builder("").servers(["cache-0:50051".into(), large]).build()?;
        /// # Ok::<_, tiny_cache_client::Error>(())
        /// ```
        servers(servers: impl IntoIterator<Item = impl Into<Server>>) =>
            self.target = Target::List(servers.into_iter().map(Into::into).collect());

        /// Sets how many points the ring has, all servers together: at least about `min`, at most
        /// `max`; 1024 and 4096 by default, as in gRPC. Every client of the same caches must use
        /// the same sizes. Envoy's `maximum_ring_size` has another default.
        ring_size(min: u64, max: u64) => self.ring.size = RingSize { min, max, each: None };

        /// Gives each server this many points on the ring, or more according to its weight, in
        /// place of a ring of a certain size. Then a server that is added takes keys and moves no others;
        /// on a ring of gRPC's size, about as many move between the others. gRPC and Envoy choose
        /// the same servers only if their `min_ring_size` is set to the sum of all points, and
        /// set again with each change of the servers.
        points_per_server(points: u64) => self.ring.size.each = Some(points);

        /// Whether the next servers on the ring take the keys of a server that is down; they do by
        /// default. Otherwise its calls fail until it is back: then no key ever has two holders,
        /// not even while clients disagree about who is down.
        failover(failover: bool) => self.ring.failover = failover;

        /// Sets the time in which a server that was down gets its keys back, in a share that grows
        /// evenly; 10 s by default, zero for at once.
        warm_up(time: Duration) => self.ring.warm_up = time;

        /// Moves calls to the next servers on the ring while their server has more than `factor`
        /// times the average calls in flight of this client, and more than 8; 1.25 is a common
        /// factor. Off by default. The bound is that of consistent hashing with bounded loads.
        ///
        /// For values that are read far more often than others and never change: such a key then has
        /// more than one holder, and what is written to one of them is not seen at the others. Every
        /// call looks at the calls of all servers.
        bounded_load(factor: f64) => self.ring.bounded_load = Some(factor);

        /// Sets how often the name of a `dns:///` address is looked up again while calls are made;
        /// 5 s by default. It is also looked up when a server goes down, at most once a second.
        look_up_interval(interval: Duration) => self.ring.look_up_every = interval;

        /// Whether each call of one key carries it as the metadata `x-cache-key`, by which a proxy
        /// or a service mesh in between can choose the server: Envoy by a hash policy of that header.
        /// Off by default: servers do not read it, and it costs the client about 6 % of a call.
        ///
        /// The value is `base64(namespace + ":" + key)`.
        key_metadata(send: bool) => self.sends_key = send;
    }

    /// The servers, without any connection yet.
    pub(super) fn servers_of_target(&self) -> Result<Servers> {
        let pools = PoolSettings { connections: self.connections, upkeep: self.upkeep };
        if self.connector.is_some() && !matches!(self.target, Target::One(_)) {
            return Err(Error::validation(
                "a connector leads to one server; leave it out to use several servers",
            ));
        }
        match &self.target {
            Target::One(address) => {
                let endpoint = self.endpoint(address.parse()?)?;
                Ok(Servers::One(Pool::new(endpoint, self.connections, self.upkeep)))
            }
            Target::List(servers) => {
                let nodes = nodes(servers)?.into_iter().map(|node| {
                    let endpoint = self.endpoint(node.address.clone())?;
                    Ok((node, endpoint))
                });
                let nodes = nodes.collect::<Result<Vec<_>>>()?;
                Ok(Servers::listed(nodes, pools, self.ring))
            }
            Target::Name(name) => {
                let endpoint = self.endpoint(self.address_of_name(name)?)?;
                Ok(Servers::of_name(endpoint, pools, self.ring))
            }
        }
    }

    /// The address of a `dns:///` name, with TLS if that is set up: there is no other place to say
    /// so.
    fn address_of_name(&self, name: &str) -> Result<Address> {
        let scheme = if self.tls.is_some() { "grpcs://" } else { "" };
        if name.contains("//") {
            return Err(Error::validation(format!(
                "bad address `{DNS}{name}`: expected {DNS}HOST:PORT; a TLS setting makes it TLS"
            )));
        }
        Ok(format!("{scheme}{name}").parse()?)
    }

    /// Whether the ring's sizes are valid.
    pub(super) fn check_ring(&self) -> Result<()> {
        let RingSize { min, max, each } = self.ring.size;
        if let Some(points) = each
            && !(1..=RingSize::MOST_EACH).contains(&points)
        {
            return Err(Error::validation(format!(
                "{points} points for each server; expected 1 to {}",
                RingSize::MOST_EACH
            )));
        }
        if let Some(factor) = self.ring.bounded_load {
            if !(1.0..=100.0).contains(&factor) || factor == 1.0 {
                return Err(Error::validation(format!(
                    "bounded load of {factor} times the average; expected above 1, up to 100"
                )));
            }
            if !self.ring.failover {
                return Err(Error::validation(
                    "a bounded load gives keys more than one holder, which switching failover off \
                     excludes; leave out one of the two",
                ));
            }
        }
        if min == 0 || min > max || max > RingSize::LARGEST {
            return Err(Error::validation(format!(
                "ring size of {min} to {max}; expected 1 to {} in this order",
                RingSize::LARGEST
            )));
        }
        Ok(())
    }
}

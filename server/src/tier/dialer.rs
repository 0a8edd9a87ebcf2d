//! How a server of the tier is connected to: everything of the client crate's settings that is not
//! the address.

use std::time::Duration;

use rustis::client::{Client, Config, CustomReconnectionPolicy, ReconnectionConfig, ServerConfig};

use super::{
    primary::{Primary, ServerAddress},
    sentinels,
    settings::TierSettings,
    transport::{self, TierError, Tls},
};

/// What connections are made from.
#[derive(Clone)]
pub(super) struct Dialer {
    config: Config,
    tls: Option<Tls>,
    /// Some nodes of the cluster; empty: it is none.
    seeds: Vec<Primary>,
}

impl Dialer {
    pub(super) fn new(settings: &TierSettings) -> Result<Self, TierError> {
        let address = transport::address(settings)?;
        let tls = address.is_tls.then(|| Tls::load(&settings.tls)).transpose()?;
        let mut config = address.config;
        config.connect_timeout = settings.timeout;
        config.command_timeout = Duration::ZERO;
        "tiny-cache".clone_into(&mut config.connection_name);
        // What may wait is bounded where messages come in.
        config.backpressure.max_queued_bytes = 0;
        // The loop connects again. What the crate does by itself, it may do late: a write would be
        // sent long after its caller was told that it had failed.
        config.reconnection = ReconnectionConfig::Custom(CustomReconnectionPolicy::new(|_| None));
        config.retry_on_error = false;
        let seeds = match &config.server {
            ServerConfig::Cluster(cluster) => cluster.nodes.clone(),
            _ => Vec::new(),
        };
        let seeds = seeds.into_iter().map(|(host, port)| Primary { host, port });
        Ok(Self { config, tls, seeds: seeds.collect() })
    }

    pub(super) fn is_cluster(&self) -> bool {
        !self.seeds.is_empty()
    }

    /// The one server that is connected to, if there is one.
    pub(super) fn only_server(&self) -> Option<ServerAddress> {
        match &self.config.server {
            ServerConfig::Standalone { host, port } => Some((host.as_str().into(), *port)),
            _ => None,
        }
    }

    pub(super) fn seeds(&self) -> &[Primary] {
        &self.seeds
    }

    /// Connects to a primary.
    pub(super) async fn connect(&self, primary: &Primary) -> rustis::Result<Client> {
        self.dial(self.config_of(primary)).await
    }

    /// As [`Self::connect`], for questions that are short.
    pub(super) async fn connect_to_ask(
        &self,
        primary: &Primary,
        patience: Duration,
    ) -> rustis::Result<Client> {
        let mut config = self.config_of(primary);
        config.connect_timeout = patience;
        config.command_timeout = patience;
        self.dial(config).await
    }

    async fn dial(&self, mut config: Config) -> rustis::Result<Client> {
        match (&self.tls, &config.server) {
            (None, _) => {}
            (Some(tls), ServerConfig::Sentinel(sentinels)) => {
                return sentinels::connect(&config, sentinels, tls).await;
            }
            (Some(tls), _) => tls.encrypt(&mut config)?,
        }
        Client::connect(config).await
    }

    fn config_of(&self, primary: &Primary) -> Config {
        let mut config = self.config.clone();
        if self.is_cluster() {
            let Primary { host, port } = primary.clone();
            config.server = ServerConfig::Standalone { host, port };
        }
        config
    }
}

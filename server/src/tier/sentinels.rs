//! Asks sentinels over TLS for the primary of their service, and connects to it. Where nothing is
//! encrypted the client crate does that itself; its own TLS would bring a second library of it.

use std::io;

use rustis::{
    client::{Client, Config, SentinelConfig, ServerConfig},
    resp::{Value, cmd},
};

use super::transport::Tls;

/// Connects to the primary that the first sentinel names that knows one.
pub(super) async fn connect(
    config: &Config,
    sentinels: &SentinelConfig,
    tls: &Tls,
) -> rustis::Result<Client> {
    let mut problem = io::Error::other("no sentinel is named").into();
    for (host, port) in &sentinels.instances {
        let mut asking = at(config, host, *port);
        // Who connects to the servers is nobody whom a sentinel knows.
        asking.username.clone_from(&sentinels.username);
        asking.password.clone_from(&sentinels.password);
        asking.database = 0;
        // A sentinel that hangs must not keep the next one from being asked.
        asking.command_timeout = asking.connect_timeout;
        match connect_by(asking, config, &sentinels.service_name, tls).await {
            Ok(client) => return Ok(client),
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

fn at(config: &Config, host: &str, port: u16) -> Config {
    let mut config = config.clone();
    config.server = ServerConfig::Standalone { host: host.to_owned(), port };
    config
}

async fn connect_by(
    mut asking: Config,
    config: &Config,
    service: &str,
    tls: &Tls,
) -> rustis::Result<Client> {
    tls.encrypt(&mut asking)?;
    let sentinel = Client::connect(asking).await?;
    let question = cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(service);
    let named: Value = sentinel.send(question, None).await?;
    let (host, port) = address(&named)
        .ok_or_else(|| io::Error::other(format!("the sentinel knows no service {service:?}")))?;
    let mut config = at(config, host, port);
    tls.encrypt(&mut config)?;
    let client = Client::connect(config).await?;
    let role: Value = client.send(cmd("ROLE"), None).await?;
    if is_primary(&role) {
        return Ok(client);
    }
    let problem = format!("{host}:{port} is no primary yet, or no more; a failover is under way");
    Err(io::Error::other(problem).into())
}

/// Host and port, both as text.
fn address(named: &Value) -> Option<(&str, u16)> {
    let Value::Array(parts) = named else { return None };
    let [host, port] = &parts[..] else { return None };
    Some((host.as_str()?, port.as_str()?.parse().ok()?))
}

fn is_primary(role: &Value) -> bool {
    matches!(role, Value::Array(parts) if parts.first().and_then(Value::as_str) == Some("master"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn an_answer_names_an_address_or_none() {
        let named = Value::Array(vec![text("::1"), text("6379")]);
        assert_eq!(address(&named), Some(("::1", 6379)));
        for none in [Value::Null, Value::Array(Vec::new()), text("one:6379")] {
            assert_eq!(address(&none), None);
        }
    }

    #[test]
    fn only_a_primary_is_one() {
        assert!(is_primary(&Value::Array(vec![text("master"), Value::Integer(0)])));
        assert!(!is_primary(&Value::Array(vec![text("slave"), text("one")])));
        assert!(!is_primary(&Value::Null));
    }
}

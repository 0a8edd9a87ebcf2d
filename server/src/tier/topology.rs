//! Which primary has which slots: asked of a cluster, and all of them where there is one server.

use std::{sync::Arc, time::Duration};

use rustis::{
    client::Client,
    resp::{Value, cmd},
};

use super::{
    dialer::Dialer,
    primary::{Primary, Range},
    routes::Clients,
};

/// How long a node has to say what it knows.
const PATIENCE: Duration = Duration::from_millis(500);

/// Asks nodes of a cluster until one answers: those that are connected to, and then those that the
/// settings name. `None`: none does.
pub(super) async fn discover(dialer: &Dialer, clients: Arc<Clients>) -> Option<Vec<Range>> {
    for client in clients.values().filter(|client| !client.is_terminated()) {
        if let Ok(Some(ranges)) = tokio::time::timeout(PATIENCE, ask(client)).await {
            return Some(ranges);
        }
    }
    for seed in dialer.seeds() {
        let Ok(client) = dialer.connect_to_ask(seed, PATIENCE).await else { continue };
        if let Some(ranges) = ask(&client).await {
            return Some(ranges);
        }
    }
    None
}

async fn ask(client: &Client) -> Option<Vec<Range>> {
    let slots: Value = client.send(cmd("CLUSTER").arg("SLOTS"), None).await.ok()?;
    parse(&slots)
}

/// Each range of slots is an array of its first, its last, its primary and its replicas, and each
/// of those an array of host, port and more.
fn parse(slots: &Value) -> Option<Vec<Range>> {
    let Value::Array(ranges) = slots else { return None };
    let mut found = ranges.iter().map(range).collect::<Option<Vec<_>>>()?;
    found.sort_unstable();
    (!found.is_empty()).then_some(found)
}

fn range(range: &Value) -> Option<Range> {
    let Value::Array(range) = range else { return None };
    let [first, last, Value::Array(primary), ..] = &range[..] else { return None };
    let [host, port, ..] = &primary[..] else { return None };
    let host = host.as_str().filter(|host| !host.is_empty())?.to_owned();
    let number = |value: &Value| u16::try_from(value.as_i64()?).ok();
    let primary = Primary { host, port: number(port)? };
    Some(Range { first: number(first)?, last: number(last)?, primary })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: i64) -> Value {
        Value::Array(vec![Value::BulkString(host.into()), Value::Integer(port)])
    }

    fn said(first: i64, last: i64, nodes: Vec<Value>) -> Value {
        let mut range = vec![Value::Integer(first), Value::Integer(last)];
        range.extend(nodes);
        Value::Array(range)
    }

    #[test]
    fn ranges_come_in_their_order_with_their_primaries() {
        let slots = Value::Array(vec![
            said(100, 16383, vec![node("a", 7000)]),
            said(0, 99, vec![node("b", 7001), node("replica", 7009)]),
        ]);
        let ranges = parse(&slots).unwrap();
        let seen = ranges.iter().map(|range| (range.first, range.last, &*range.primary.host));
        assert!(seen.eq([(0, 99, "b"), (100, 16383, "a")]));
    }

    #[test]
    fn an_answer_that_names_nobody_says_nothing() {
        for slots in [
            Value::Null,
            Value::Array(Vec::new()),
            Value::Array(vec![said(0, 1, vec![node("", 7000)])]),
            Value::Array(vec![said(0, 1, Vec::new())]),
        ] {
            assert_eq!(parse(&slots), None);
        }
    }
}
